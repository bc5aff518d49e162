import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SallyportError } from "../../../core/errors.ts";
import {
  keyOfSshSignature,
  SSH_KEY_NAMESPACE as NAMESPACE,
  sshKeyStatement,
} from "../../../core/identity/ssh-signature.ts";
import { sshString } from "../../../core/identity/ssh-wire.ts";
import { ALICE, BOB } from "../../setup/approvals.ts";
import { type MadeKey, madeKey } from "../../setup/ssh-keygen.ts";

const ORIGIN = "https://sallyport.example";
const STATEMENT = sshKeyStatement(ORIGIN, ALICE);
const KEY = await madeKey();
const SIGNED = await KEY.sign(STATEMENT, NAMESPACE);

describe("the proof that a key is one's own", () => {
  test.each([
    ["ssh-ed25519", ["-t", "ed25519"]],
    ["ecdsa-sha2-nistp256", ["-t", "ecdsa", "-b", "256"]],
    ["ecdsa-sha2-nistp384", ["-t", "ecdsa", "-b", "384"]],
    ["ecdsa-sha2-nistp521", ["-t", "ecdsa", "-b", "521"]],
    ["ssh-rsa", ["-t", "rsa", "-b", "2048"]],
  ])("is a signature of ssh-keygen, which has the key in it: %s", async (type, args) => {
    const key = await madeKey(args);
    // Whether r and s of ECDSA begin with zeros is a matter of chance.
    for (let times = 0; times < (type.startsWith("ecdsa") ? 12 : 1); times++) {
      const found = keyOfSshSignature(await key.sign(STATEMENT, NAMESPACE), STATEMENT);
      expect(found).toMatchObject({ type, fingerprint: key.fingerprint });
    }
  });

  test.each([["sha256"], ["sha512"]])("may be made with %s", async (hash) => {
    const signed = await KEY.sign(STATEMENT, NAMESPACE, "-O", `hashalg=${hash}`);
    expect(keyOfSshSignature(signed, STATEMENT).fingerprint).toBe(KEY.fingerprint);
  });

  test("may be made of what echo writes, and be pasted with blanks and other line ends", async () => {
    for (const end of ["\n", "\r\n"])
      expect(keyOfSshSignature(await KEY.sign(STATEMENT + end, NAMESPACE), STATEMENT).type).toBe("ssh-ed25519");
    for (const pasted of [` \n${SIGNED}\n `, SIGNED.replaceAll("\n", "\r\n")])
      expect(keyOfSshSignature(pasted, STATEMENT).fingerprint).toBe(KEY.fingerprint);
  });

  test("names the person and the place: neither another person nor another gateway can use it", () => {
    for (const other of [sshKeyStatement(ORIGIN, BOB), sshKeyStatement("https://other.example", ALICE), ""])
      expect(refusal(SIGNED, other)).toContain("not of what was to be signed");
  });

  test("is made for this: what was signed as a file, or for git, is none", async () => {
    for (const namespace of ["file", "git", "SSH-KEY@sallyport"])
      expect(refusal(await KEY.sign(STATEMENT, namespace))).toContain("signed for something else");
  });

  test("is by the key that it shows, by an algorithm of that key, and whole", () => {
    const bytes = Buffer.from(SIGNED.split("\n").slice(1, -2).join(""), "base64");
    const [signature, hash] = [bytes.subarray(-83), "sha512"];
    const build = (
      key: MadeKey | undefined,
      over: { hash?: string; algorithm?: string; more?: string } = {},
    ): string => {
      const raw = signature.subarray(-64);
      const fields = [
        key?.blob ?? "",
        NAMESPACE,
        "",
        over.hash ?? hash,
        Buffer.concat([sshString(over.algorithm ?? "ssh-ed25519"), sshString(raw)]),
        ...(over.more === undefined ? [] : [over.more]),
      ].map(sshString);
      const body = Buffer.concat([Buffer.from("SSHSIG\0\0\0\u0001"), ...fields]).toString("base64");
      return `-----BEGIN SSH SIGNATURE-----\n${body}\n-----END SSH SIGNATURE-----`;
    };
    expect(refusal(build(KEY))).toBe("accepted");
    expect(refusal(build(undefined))).toContain("not a public key");
    expect(refusal(build(KEY, { hash: "sha1" }))).toContain("damaged");
    expect(refusal(build(KEY, { hash: "sha256" }))).toContain("not of what was to be signed");
    expect(refusal(build(KEY, { more: "x" }))).toContain("damaged");
    for (const algorithm of ["ssh-rsa", "rsa-sha2-512", "ecdsa-sha2-nistp256", "", "constructor"])
      expect(refusal(build(KEY, { algorithm }))).toContain("not of what was to be signed");
  });

  test("by RSA with SHA-1 is none, however well it is signed", async () => {
    const key = await madeKey(["-t", "rsa", "-b", "2048"]);
    const signed = await key.sign(STATEMENT, NAMESPACE);
    const bytes = Buffer.from(signed.split("\n").slice(1, -2).join(""), "base64").toString("latin1");
    const renamed = Buffer.from(bytes.replace("rsa-sha2-512", "ssh-rsa-xxxx"), "latin1").toString("base64");
    expect(refusal(`-----BEGIN SSH SIGNATURE-----\n${renamed}\n-----END SSH SIGNATURE-----`)).toContain("not of what");
  });

  test("is told from what people paste by mistake", () => {
    expect(refusal(KEY.privateKey)).toContain("this is a private key");
    expect(refusal(KEY.line)).toContain("this is a public key");
    for (const text of ["", "hello", "-----BEGIN SSH SIGNATURE-----", SIGNED.slice(0, -40), SIGNED + SIGNED])
      expect(refusal(text)).toContain("not a signature");
    expect(refusal(`-----BEGIN SSH SIGNATURE-----\n${"A".repeat(9_000)}\n-----END SSH SIGNATURE-----`)).toContain(
      "not a",
    );
  });

  test("does not survive the change of any one byte, and no text at all is worse than refused", () => {
    const lines = SIGNED.trim().split("\n");
    const bytes = Buffer.from(lines.slice(1, -1).join(""), "base64");
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ change;
        expect(refusal([lines[0], changed.toString("base64"), lines.at(-1)].join("\n"))).not.toMatch(
          /^(accepted|unknown)/,
        );
      }),
      { numRuns: 400 },
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(refusal(text)).not.toMatch(/^(accepted|unknown)/);
      }),
    );
  });

  test("is asked for in words that a terminal cannot but show", () => {
    const eve = { ...ALICE, name: "eve\u001b[2J\n", id: `${ALICE.id}\u202E` as typeof ALICE.id };
    expect(sshKeyStatement(ORIGIN, eve)).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });
});

function refusal(armored: string, statement = STATEMENT): string {
  try {
    keyOfSshSignature(armored, statement);
    return "accepted";
  } catch (thrown) {
    const known = thrown instanceof SallyportError && thrown.code === "bad-request";
    return known ? thrown.message : `unknown: ${String(thrown)}`;
  }
}
