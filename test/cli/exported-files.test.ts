import { createPublicKey } from "node:crypto";
import { chmod, copyFile, mkdtemp, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { verifyFiles } from "../../cli/exported-files.ts";
import { readSigningKeys } from "../../cli/signing-keys.ts";
import type { Signer } from "../../core/ports/signer.ts";
import { fileChunkStore } from "../../local/chunk-store.ts";
import { fileSigner } from "../../local/signer.ts";
import { collect } from "../setup/collect.ts";
import { event, input, opening, openedEvent, storeRecording } from "../setup/make-recording.ts";
import { sessionIdAt } from "../setup/session-ids.ts";

let root: string;
let files: string;
let signer: Signer;
const [ONE, OTHER] = [sessionIdAt(1_800_000_000_000, 1), sessionIdAt(1_800_000_000_000, 2)];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "sallyport-files-"));
  files = join(root, "files");
  signer = await fileSigner(join(root, "signing-key.pem"));
  for (const id of [ONE, OTHER]) {
    const frames = [[event(openedEvent(opening(id)))], [input("Q1")], [input(`Q${id}`)]];
    await storeRecording(fileChunkStore(files), opening(id), frames, signer);
  }
});
afterEach(() => rm(root, { recursive: true, force: true }));

const at = (name: string, session = ONE): string => join(files, session, name);
const found = async (folder = files, only?: string) => collect(verifyFiles(folder, only, [signer.publicKey]));

/** Changes one byte of a file. */
async function alter(file: string, offset: number): Promise<void> {
  const bytes = await readFile(file);
  const where = offset < 0 ? bytes.length + offset : offset;
  bytes.writeUInt8(bytes.readUInt8(where) ^ 1, where);
  await chmod(file, 0o600);
  await writeFile(file, bytes);
}

describe("recordings in files", () => {
  it("are proven by the files and the public key alone", async () => {
    expect(await found()).toMatchObject([
      { session: ONE, ok: true, chunks: 3, fault: undefined },
      { session: OTHER, ok: true, chunks: 3 },
    ]);
    expect(await found(files, OTHER)).toMatchObject([{ session: OTHER, ok: true }]);
    expect(await found(join(files, ONE))).toMatchObject([{ session: ONE, ok: true }]);
  });

  it.each<[string, () => Promise<void>, string, number | undefined]>([
    ["a chunk of which one bit was changed", () => alter(at("00000001.chunk"), -1), "chunk-unreadable", 1],
    ["a last chunk that says another start", () => alter(at("00000002.chunk"), 48), "chunk-misplaced", 2],
    ["a first chunk of another chain", () => alter(at("00000000.chunk"), 60), "chunk-altered", 0],
    ["a missing chunk", () => rm(at("00000001.chunk")), "chunk-missing", 1],
    ["a missing last chunk", () => rm(at("00000002.chunk")), "chunk-missing", 2],
    ["chunks that changed places", () => rename(at("00000002.chunk"), at("00000001.chunk")), "chunk-misplaced", 1],
    ["another session's chunk", () => rename(at("00000001.chunk", OTHER), at("00000001.chunk")), "chunk-misplaced", 1],
    ["a chunk that was added", () => copyFile(at("00000000.chunk"), at("00000003.chunk")), "chunk-unexpected", 3],
    ["a torn chunk", () => chmod(at("00000002.chunk"), 0o600).then(() => truncate(at("00000002.chunk"), 50)), "chunk-unreadable", 2], // prettier-ignore
    ["no manifest", () => rm(at("manifest.jws")), "manifest-missing", undefined],
    ["a manifest of which one bit was changed", () => alter(at("manifest.jws"), 200), "manifest-invalid", undefined],
    ["another session's manifest", () => rename(at("manifest.jws", OTHER), at("manifest.jws")), "manifest-invalid", undefined], // prettier-ignore
  ])("with %s are not, and the fault is named", async (_, change, kind, chunk) => {
    await change();
    const [verified] = await found(files, ONE);
    expect(verified).toMatchObject({ ok: false, fault: { kind, ...(chunk === undefined ? {} : { chunk }) } });
  });

  it("are not proven by another key, whatever id it claims", async () => {
    const stranger = await fileSigner(join(root, "stranger.pem"));
    const claimed = { ...stranger.publicKey, kid: signer.publicKey.kid };
    for (const key of [stranger.publicKey, claimed]) {
      const [verified] = await collect(verifyFiles(files, ONE, [key]));
      expect(verified).toMatchObject({ ok: false, fault: { kind: "manifest-invalid" } });
    }
  });

  it.each(["nowhere", "empty", "files/wrong"])("are missed where there are none: %s", async (name) => {
    await writeFile(join(root, "empty"), "");
    await expect(found(join(root, name))).rejects.toMatchObject({ code: "not-found" });
    await expect(found(files, sessionIdAt(0))).rejects.toMatchObject({ code: "not-found" });
  });
});

describe("the public keys in a file", () => {
  const pem = async (): Promise<string> => {
    const key = createPublicKey(await readFile(join(root, "signing-key.pem")));
    return key.export({ type: "spki", format: "pem" }).toString();
  };
  it.each<[string, () => Promise<string>]>([
    ["a set of keys", async () => JSON.stringify({ keys: [signer.publicKey] })],
    ["a key whose id says something else", async () => JSON.stringify({ ...signer.publicKey, kid: "other" })],
    ["PEM", pem],
  ])("are read from %s", async (_, text) => {
    await writeFile(join(root, "key"), await text());
    const [verified] = await collect(verifyFiles(files, ONE, await readSigningKeys(join(root, "key"))));
    expect(verified).toMatchObject({ ok: true });
  });

  it.each<[string, string]>([
    ["no key at all", "garbage"],
    ["an empty set", '{"keys":[]}'],
    ["a key of another kind", '{"kty":"RSA","n":"x","e":"AQAB"}'],
    ["broken PEM", "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----\n"],
  ])("are refused when it holds %s", async (_, text) => {
    await writeFile(join(root, "key"), text);
    await expect(readSigningKeys(join(root, "key"))).rejects.toMatchObject({ code: "configuration-invalid" });
  });

  it("are never read from a private key, nor from a file that is not there", async () => {
    await expect(readSigningKeys(join(root, "signing-key.pem"))).rejects.toThrow("private key");
    await expect(readSigningKeys(join(root, "nowhere"))).rejects.toThrow("is not there");
  });
});
