import { CompactSign, importJWK } from "jose";
import { generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Digest } from "../../../core/brand.ts";
import type { PrincipalId } from "../../../core/identity/principal.ts";
import type { PassId } from "../../../core/ports/pass-store.ts";
import type { Signer } from "../../../core/ports/signer.ts";
import { type Manifest, readManifest, signManifest } from "../../../core/recording/manifest.ts";
import { sessionIdAt } from "../../setup/session-ids.ts";
import { memorySigner } from "../../setup/signing.ts";

const MANIFEST: Manifest = {
  format: 1,
  session: sessionIdAt(1_800_000_000_000),
  protocol: "postgres",
  connection: "shop",
  principalId: "https://issuer.example|ana" as PrincipalId,
  principalName: "Ana Ñuñez",
  passId: "pass-1" as PassId,
  client: "203.0.113.7:50123",
  task: "task-1",
  startedAt: 1_800_000_000_000,
  endedAt: 1_800_000_060_000,
  reason: "client-closed",
  statements: 3,
  bytesFromClient: 100,
  bytesFromTarget: 2 ** 50,
  chunks: 2,
  frames: 9,
  head: "ab".repeat(32) as Digest,
};
const signer = memorySigner();
const keys = [memorySigner("another").publicKey, signer.publicKey];
const corrupt = { code: "recording-corrupt" };
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A JWS with the given header over the given payload, properly signed. */
async function signed(by: Signer, header: object, payload: unknown): Promise<string> {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${Buffer.from(await by.sign(Buffer.from(input))).toString("base64url")}`;
}

describe("a manifest", () => {
  it("is read back as it was signed, by whoever has the public key", async () => {
    expect(await readManifest(await signManifest(MANIFEST, signer), keys)).toEqual(MANIFEST);
  });

  it("names its algorithm, key and type in the protected header", async () => {
    const [header = ""] = (await signManifest(MANIFEST, signer)).split(".");
    expect(JSON.parse(Buffer.from(header, "base64url").toString())).toEqual({
      alg: "ES256",
      kid: "test-key",
      typ: "sallyport-manifest+jws",
    });
  });

  it("does not survive the change of any single character", async () => {
    const jws = await signManifest(MANIFEST, signer);
    for (let at = 0; at < jws.length; at++) {
      const other = jws[at] === "A" ? "B" : "A";
      const altered = jws.slice(0, at) + other + jws.slice(at + 1);
      await expect(readManifest(altered, keys), `character ${at}`).rejects.toMatchObject(corrupt);
    }
  });

  it("is refused when it is signed by an unknown key, or by another key under a known name", async () => {
    const jws = await signManifest(MANIFEST, memorySigner("unknown"));
    await expect(readManifest(jws, keys)).rejects.toMatchObject(corrupt);
    await expect(readManifest(await signManifest(MANIFEST, memorySigner()), keys)).rejects.toMatchObject(corrupt);
    await expect(readManifest(await signManifest(MANIFEST, signer), [])).rejects.toMatchObject(corrupt);
  });

  it("is refused under any other algorithm, type or critical header, even when signed with the right key", async () => {
    const header = { alg: "ES256", kid: "test-key", typ: "sallyport-manifest+jws" };
    expect(await readManifest(await signed(signer, header, MANIFEST), keys)).toEqual(MANIFEST);
    const { kid: _, ...anonymous } = header;
    const others = [
      { ...header, typ: "JWT" },
      { ...header, typ: undefined },
      { ...header, alg: "none" },
      { ...header, alg: "HS256" },
      { ...header, alg: "ES384" },
      { ...header, crit: ["b64"], b64: false },
      { ...header, crit: ["exp"], exp: 1 },
      anonymous,
    ];
    for (const other of others)
      await expect(readManifest(await signed(signer, other, MANIFEST), keys)).rejects.toMatchObject(corrupt);
  });

  it("is refused when its key brings itself along, or the public key is used as a secret", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const header = {
      alg: "ES256",
      kid: "own",
      typ: "sallyport-manifest+jws",
      jwk: publicKey.export({ format: "jwk" }),
    };
    const own = await new CompactSign(Buffer.from(JSON.stringify(MANIFEST)))
      .setProtectedHeader(header)
      .sign(privateKey);
    await expect(readManifest(own, keys)).rejects.toMatchObject(corrupt);
    const secret = await importJWK({ kty: "oct", k: encode(signer.publicKey), alg: "HS256" });
    const mac = await new CompactSign(Buffer.from(JSON.stringify(MANIFEST)))
      .setProtectedHeader({ alg: "HS256", kid: "test-key", typ: "sallyport-manifest+jws" })
      .sign(secret);
    await expect(readManifest(mac, keys)).rejects.toMatchObject(corrupt);
  });

  it("is refused when anything is missing from it, is of another kind, or another format", async () => {
    const header = { alg: "ES256", kid: "test-key", typ: "sallyport-manifest+jws" };
    const payloads: unknown[] = [null, [], "text", {}, { ...MANIFEST, format: 2 }, { ...MANIFEST, chunks: -1 }];
    payloads.push({ ...MANIFEST, head: "xyz" }, { ...MANIFEST, session: "../x" }, { ...MANIFEST, frames: 0.5 });
    for (const field of Object.keys(MANIFEST)) payloads.push({ ...MANIFEST, [field]: undefined });
    for (const payload of payloads)
      await expect(readManifest(await signed(signer, header, payload), keys)).rejects.toMatchObject(corrupt);
  });

  it("is refused, not crashed on, whatever the text is", async () => {
    const jws = await signManifest(MANIFEST, signer);
    for (const text of [
      "",
      ".",
      "..",
      "a.b",
      "a.b.c.d",
      jws + ".",
      jws + "\n",
      jws.slice(0, -1),
      `${jws}=`,
      "x".repeat(1e6),
    ])
      await expect(readManifest(text, keys)).rejects.toMatchObject(corrupt);
  });
});
