import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SallyportError } from "../../../core/errors.ts";
import { SESSION_LIFETIME_MS } from "../../../core/identity/session-token.ts";
import {
  parseSshFingerprint,
  parseSshPublicKey,
  SSH_KEY_SIGN_IN_MS,
  sshFingerprint,
} from "../../../core/identity/ssh-key.ts";
import { succeed } from "../../setup/programs.ts";
import { blobOf, keyOf, madeKey } from "../../setup/ssh-keygen.ts";

describe("a public key that a person registers", () => {
  test.each([
    [["-t", "ed25519"], "ssh-ed25519"],
    [["-t", "ecdsa", "-b", "256"], "ecdsa-sha2-nistp256"],
    [["-t", "ecdsa", "-b", "384"], "ecdsa-sha2-nistp384"],
    [["-t", "ecdsa", "-b", "521"], "ecdsa-sha2-nistp521"],
    [["-t", "rsa", "-b", "2048"], "ssh-rsa"],
    [["-t", "rsa", "-b", "3072"], "ssh-rsa"],
  ])("is read as ssh-keygen wrote it: %j", async (args, type) => {
    const line = await madeKey(args, "o'brien, laptop ✓");
    for (const text of [line, `${line}\n`, `  ${line}\r\n`])
      expect(parseSshPublicKey(text)).toMatchObject({ type, blob: blobOf(line), comment: "o'brien, laptop ✓" });
    expect(parseSshPublicKey(line.split(" ", 2).join(" ")).comment).toBe("");
  });

  test("has the fingerprint that ssh-keygen shows of it", async () => {
    const folder = await mkdtemp(join(tmpdir(), "sallyport-test-key-"));
    const file = join(folder, "key");
    await succeed("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
    const shown = (await succeed("ssh-keygen", ["-l", "-E", "sha256", "-f", file])).split(" ")[1];
    const { fingerprint, blob } = parseSshPublicKey(await readFile(`${file}.pub`, "utf8"));
    expect([fingerprint, sshFingerprint(blob), parseSshFingerprint(fingerprint)]).toEqual([shown, shown, shown]);
    await rm(folder, { recursive: true });
  });

  test("has 2,048 bits where it is RSA, and no more than 8,192", async () => {
    const big = (bits: number): Uint8Array => {
      const number = randomBytes(bits / 8);
      number[0] = 0x80; // exactly so many bits
      number[number.length - 1] = 1;
      return Buffer.concat([Buffer.of(0), number]);
    };
    const e = Buffer.of(1, 0, 1);
    for (const bits of [1024, 2040, 8200, 16384])
      expect(refusal(keyOf("ssh-rsa", e, big(bits)))).toMatch(`this one has ${bits}`);
    for (const bits of [2048, 8192]) expect(parseSshPublicKey(keyOf("ssh-rsa", e, big(bits))).type).toBe("ssh-rsa");
    for (const weak of [Buffer.of(1), Buffer.of(2)])
      expect(refusal(keyOf("ssh-rsa", weak, big(2048)))).toMatch("well-formed");
  });

  test("is refused with a word that says why", async () => {
    const line = await madeKey();
    const { privateKey } = generateKeyPairSync("ed25519");
    const sk = keyOf("sk-ssh-ed25519@openssh.com", randomBytes(32), "ssh:");
    for (const [text, why] of [
      [privateKey.export({ format: "pem", type: "pkcs8" }) as string, "private key"],
      ["-----BEGIN OPENSSH PRIVATE KEY-----", "private key"],
      [sk, "security keys"],
      [keyOf("sk-ecdsa-sha2-nistp256@openssh.com", "nistp256", randomBytes(65), "ssh:"), "security keys"],
      [keyOf("ssh-ed25519-cert-v01@openssh.com", randomBytes(32)), "certificate"],
      [keyOf("ssh-dss", randomBytes(128)), "DSA"],
      [keyOf("ssh-ed448", randomBytes(57)), '"ssh-ed448" keys are not accepted'],
      [`${line}\n${line}`, "one line"],
      [`command="sh" ${line}`, "not a public key"],
      ["", "not a public key"],
      ["ssh-ed25519", "not a public key"],
      [`${line} ${"x".repeat(5_000)}`, "one line"],
    ] as const)
      expect([text.slice(0, 40), refusal(text)]).toEqual([text.slice(0, 40), expect.stringContaining(why)]);
  });

  test("is whole, of the type that it says, and written in one way only: a key has one fingerprint", async () => {
    const line = await madeKey();
    const [type = "", base64 = ""] = line.split(" ");
    const blob = blobOf(line);
    const rsa = blobOf(await madeKey(["-t", "rsa", "-b", "2048"]));
    const n = rsa.subarray(4 + 7 + 4 + 3 + 4);
    const point = blobOf(await madeKey(["-t", "ecdsa", "-b", "256"])).subarray(-65);
    const beside = Buffer.from(point).fill(7, 1);
    for (const text of [
      `${type} ${Buffer.concat([blob, Buffer.of(0)]).toString("base64")}`,
      `${type} ${blob.subarray(0, -1).toString("base64")}`,
      `${type} ${Buffer.concat([blob, Buffer.of(0, 0, 0, 0)]).toString("base64")}`,
      `${type} ${base64}==`,
      `${type} ${base64.slice(0, -1)}`,
      `ssh-rsa ${base64}`,
      keyOf(type, randomBytes(31)),
      keyOf(type, randomBytes(32), "more"),
      keyOf("ssh-rsa", Buffer.of(0, 1, 0, 1), n),
      keyOf("ssh-rsa", Buffer.of(1, 0, 1), Buffer.concat([Buffer.of(0), n])),
      keyOf("ssh-rsa", Buffer.of(1, 0, 1), n.subarray(1)),
      keyOf("ssh-rsa", Buffer.of(1, 0, 1), n, "more"),
      keyOf("ssh-rsa", Buffer.of(1, 0, 1)),
      keyOf("ecdsa-sha2-nistp256", "nistp384", point),
      keyOf("ecdsa-sha2-nistp256", "nistp256", beside),
      keyOf("ecdsa-sha2-nistp256", "nistp256", Buffer.concat([Buffer.of(2), point.subarray(1, 33)])),
      keyOf("ecdsa-sha2-nistp384", "nistp384", point),
    ])
      expect([text, refusal(text)]).toEqual([text, expect.stringContaining("whole and well-formed")]);
  });

  test("may be any text: what is none of ours is refused with bad-request and never with another fault", () => {
    const field = fc.uint8Array({ maxLength: 70 });
    const types = fc.constantFrom("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp521");
    const keys = fc.tuple(types, fc.array(field, { maxLength: 4 })).map(([type, fields]) => keyOf(type, ...fields));
    const blobs = fc.tuple(types, field).map(([type, blob]) => `${type} ${Buffer.from(blob).toString("base64")}`);
    fc.assert(
      fc.property(fc.oneof(fc.string(), keys, blobs), (text) => {
        try {
          expect(sshFingerprint(parseSshPublicKey(text).blob)).toMatch(/^SHA256:/);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(SallyportError);
          expect(thrown).toMatchObject({ code: "bad-request" });
        }
      }),
      { numRuns: 500 },
    );
  });
});

test.each([
  "",
  "SHA256:",
  `SHA256:${"A".repeat(42)}`,
  `SHA256:${"A".repeat(43)}=`,
  `MD5:${"A".repeat(43)}`,
  `SHA256:${"-".repeat(43)}`,
])("is no fingerprint: %j", (text) => expect(parseSshFingerprint(text)).toBeUndefined());

test("whoever must sign in again for their key's sake has no session of the web any more that would let them through", () => {
  expect(SSH_KEY_SIGN_IN_MS).toBeGreaterThan(SESSION_LIFETIME_MS);
});

function refusal(text: string): string {
  try {
    parseSshPublicKey(text);
    return "accepted";
  } catch (thrown) {
    return thrown instanceof SallyportError && thrown.code === "bad-request"
      ? thrown.message
      : `unknown: ${String(thrown)}`;
  }
}
