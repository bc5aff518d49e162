import { randomBytes } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SallyportError } from "../../../core/errors.ts";
import { SESSION_LIFETIME_MS } from "../../../core/identity/session-token.ts";
import {
  parseSshFingerprint,
  parseSshKeyId,
  readSshPublicKey,
  SSH_KEY_SIGN_IN_MS,
  sshFingerprint,
  sshKeyId,
} from "../../../core/identity/ssh-key.ts";
import { succeed } from "../../setup/programs.ts";
import { keyBlob, madeKey } from "../../setup/ssh-keygen.ts";

/** A number of exactly so many bits. */
const big = (bits: number): Uint8Array => {
  const number = randomBytes(bits / 8);
  number[0] = 0x80;
  number[number.length - 1] = 1;
  return Buffer.concat([Buffer.of(0), number]);
};
const E = Buffer.of(1, 0, 1);

describe("a public key that a person registers", () => {
  test.each([
    [["-t", "ed25519"], "ssh-ed25519"],
    [["-t", "ecdsa", "-b", "256"], "ecdsa-sha2-nistp256"],
    [["-t", "ecdsa", "-b", "384"], "ecdsa-sha2-nistp384"],
    [["-t", "ecdsa", "-b", "521"], "ecdsa-sha2-nistp521"],
    [["-t", "rsa", "-b", "2048"], "ssh-rsa"],
  ])("is accepted as ssh-keygen made it, with the fingerprint that it shows: %j", async (args, type) => {
    const { line, blob, fingerprint } = await madeKey(args);
    const shown = (await succeed("ssh-keygen", ["-l", "-E", "sha256", "-f", "-"], { input: line })).split(" ")[1];
    expect(readSshPublicKey(blob)).toMatchObject({ type, fingerprint });
    expect([fingerprint, parseSshFingerprint(fingerprint)]).toEqual([shown, shown]);
  });

  test("has 2,048 bits where it is RSA, and no more than 8,192", () => {
    for (const bits of [1024, 2040, 8200, 16384])
      expect(refusal(keyBlob("ssh-rsa", E, big(bits)))).toMatch(`this one has ${bits}`);
    for (const bits of [2048, 8192]) expect(refusal(keyBlob("ssh-rsa", E, big(bits)))).toBe("accepted");
    for (const weak of [Buffer.of(1), Buffer.of(2)])
      expect(refusal(keyBlob("ssh-rsa", weak, big(2048)))).toMatch("well-formed");
  });

  test.each([
    ["sk-ssh-ed25519@openssh.com", "security keys"],
    ["sk-ecdsa-sha2-nistp256@openssh.com", "security keys"],
    ["ssh-ed25519-cert-v01@openssh.com", "certificate"],
    ["ssh-dss", "DSA"],
    ["ssh-ed448", '"ssh-ed448" keys are not accepted'],
    ["constructor", '"constructor" keys are not accepted'],
    ["", "not a public key"],
    ["SSH-ED25519", "not a public key"],
    ["\u001b[2J", "not a public key"],
    ["x".repeat(65), "not a public key"],
  ])("of type %j is refused with a word that says why", (type, why) => {
    expect(refusal(keyBlob(type, randomBytes(32)))).toContain(why);
  });

  test("is whole, of the type that it says, and written in one way only: a key has one fingerprint", async () => {
    const { blob } = await madeKey();
    const n = big(2048);
    const point = (await madeKey(["-t", "ecdsa", "-b", "256"])).blob.subarray(-65);
    for (const other of [
      Buffer.concat([blob, Buffer.of(0, 0, 0, 0)]),
      keyBlob("ssh-ed25519", randomBytes(31)),
      keyBlob("ssh-ed25519", randomBytes(32), "more"),
      keyBlob("ssh-ed25519"),
      keyBlob("ssh-rsa", Buffer.of(0, 1, 0, 1), n),
      keyBlob("ssh-rsa", E, Buffer.concat([Buffer.of(0), n])),
      keyBlob("ssh-rsa", E, n.subarray(1)),
      keyBlob("ssh-rsa", E, n, "more"),
      keyBlob("ssh-rsa", E),
      keyBlob("ecdsa-sha2-nistp256", "nistp384", point),
      keyBlob("ecdsa-sha2-nistp256", "nistp256", Buffer.from(point).fill(7, 1)),
      keyBlob("ecdsa-sha2-nistp256", "nistp256", Buffer.concat([Buffer.of(2), point.subarray(1, 33)])),
      keyBlob("ecdsa-sha2-nistp256", "nistp256", point, "more"),
      keyBlob("ecdsa-sha2-nistp384", "nistp384", point),
    ])
      expect([other.toString("hex"), refusal(other)]).toEqual([other.toString("hex"), expect.stringContaining("well-formed")]); // prettier-ignore
    for (const cut of [Buffer.concat([blob, Buffer.of(0)]), blob.subarray(0, -1), blob.subarray(1), Buffer.alloc(0)])
      expect(refusal(cut)).toContain("not a public key");
  });

  test("may be any bytes: what is none is refused with bad-request and never with another fault", () => {
    const field = fc.uint8Array({ maxLength: 70 });
    const types = fc.constantFrom("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp521");
    const keys = fc.tuple(types, fc.array(field, { maxLength: 4 })).map(([type, fields]) => keyBlob(type, ...fields));
    fc.assert(
      fc.property(fc.oneof(field, keys), (bytes) => {
        expect(refusal(Buffer.from(bytes))).not.toMatch(/^unknown/);
      }),
      { numRuns: 500 },
    );
  });
});

test("a fingerprint stands in a path as its id, and nothing else does", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (blob) => {
      const id = sshKeyId(sshFingerprint(blob));
      expect(encodeURIComponent(id)).toBe(id);
      expect(parseSshKeyId(id)).toBe(sshFingerprint(blob));
    }),
  );
  for (const id of ["", "A".repeat(42), "A".repeat(44), `${"A".repeat(42)}/`, "SHA256:x"])
    expect(parseSshKeyId(id)).toBeUndefined();
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

function refusal(blob: Buffer): string {
  try {
    readSshPublicKey(blob);
    return "accepted";
  } catch (thrown) {
    const known = thrown instanceof SallyportError && thrown.code === "bad-request";
    return known ? thrown.message : `unknown: ${String(thrown)}`;
  }
}

test("a fingerprint is as OpenSSH prints it", () => {
  expect(sshFingerprint(Buffer.from("abc"))).toBe("SHA256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0");
});
