import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { exportCasts } from "../../cli/exported-casts.ts";
import { verifyFiles } from "../../cli/exported-files.ts";
import { fileChunkStore } from "../../local/chunk-store.ts";
import { collect } from "../setup/collect.ts";
import { opening, storeRecording } from "../setup/make-recording.ts";
import { sessionIdAt } from "../setup/session-ids.ts";
import { memorySigner } from "../setup/signing.ts";
import { type Crossing, sshFrames } from "../setup/ssh-recording.ts";
import { execSession, shellSession } from "../setup/ssh-sessions.ts";

const ID = sessionIdAt(1_800_000_000_000, 1);
const signer = memorySigner();
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sallyport-casts-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function store(crossings: readonly Crossing[]) {
  const row = opening(ID, { protocol: "ssh", connection: "web-1" });
  const frames = sshFrames(row, crossings);
  const chunks = [frames.slice(0, 7), frames.slice(7)];
  await storeRecording(fileChunkStore(folder), row, chunks, signer);
  return { session: ID, folder: join(folder, ID), keys: "", chunks: chunks.length };
}

describe("the terminals of an exported session", () => {
  it("are a file each, beside the recording, which is proven as before", async () => {
    const exported = await store(shellSession());
    const files = await exportCasts(folder, exported);
    expect(files).toEqual([join(folder, `${ID}.1.cast`)]);
    expect(await exportCasts(folder, exported)).toEqual(files);
    const [header = "", ...events] = (await readFile(files[0] ?? "", "utf8")).trim().split("\n");
    expect(JSON.parse(header)).toMatchObject({ version: 3, term: { cols: 80, rows: 24 } });
    expect(events).toHaveLength(6);
    expect((await readdir(folder)).toSorted()).toEqual([ID, `${ID}.1.cast`]);
    expect(await collect(verifyFiles(folder, undefined, [signer.publicKey]))).toMatchObject([
      { session: ID, ok: true },
    ]);
  });

  it("are none where the session had none", async () => {
    expect(await exportCasts(folder, await store(execSession()))).toEqual([]);
  });
});
