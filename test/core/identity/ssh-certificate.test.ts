import { createPrivateKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  certificateFault,
  type CertificateDemand,
  isSshCertificate,
  readSshCertificate,
} from "../../../core/identity/ssh-certificate.ts";
import { issueUserCertificate, sshBlobOf } from "../../../core/identity/ssh-certificate-issue.ts";
import { certified, madeKey, type MadeKey, shown } from "../../setup/ssh-keygen.ts";

const KINDS = {
  ed25519: ["-t", "ed25519"],
  "RSA of 3,072 bits": ["-t", "rsa", "-b", "3072"],
  nistp256: ["-t", "ecdsa", "-b", "256"],
  nistp384: ["-t", "ecdsa", "-b", "384"],
  nistp521: ["-t", "ecdsa", "-b", "521"],
} as const;
const made = async (args: readonly string[]): Promise<MadeKey> => madeKey(args);
const [authority, key] = await Promise.all([made(KINDS.ed25519), made(KINDS.ed25519)]);
const HOUR = 3_600_000;

const demand = (over: Partial<CertificateDemand> = {}): CertificateDemand => ({
  kind: "user",
  authorities: [authority.blob],
  isFor: (principal) => principal === "ann",
  now: Date.now(),
  ...over,
});
const fault = (blob: Buffer, over: Partial<CertificateDemand> = {}): string | undefined =>
  certificateFault(readSshCertificate(blob), demand(over));
const USER = ["-I", "ann's laptop", "-n", "ann,ops", "-V", "-1m:+1h"];

describe("a certificate of ssh-keygen's", () => {
  test.each(Object.entries(KINDS))("for and by a key of the kind %s is read and found good", async (_kind, args) => {
    const [ca, own] = await Promise.all([made(args), made(args)]);
    const blob = await certified(ca, own, ["-z", "7", ...USER]);
    const certificate = readSshCertificate(blob);
    expect(isSshCertificate(blob)).toBe(true);
    expect(certificate).toMatchObject({ serial: 7n, kind: "user", keyId: "ann's laptop", principals: ["ann", "ops"] });
    expect(certificate.publicKey).toEqual(own.blob);
    expect(certificate.authority).toEqual(ca.blob);
    expect([...certificate.extensions.keys()]).toContain("permit-pty");
    expect(certificateFault(certificate, demand({ authorities: [key.blob, ca.blob] }))).toBeUndefined();
  });

  test("is good from its first second to before its last, or for ever", async () => {
    const blob = await certified(authority, key, USER);
    const { validFrom, validTo } = readSshCertificate(blob);
    expect(validTo - validFrom).toBe(HOUR + 60_000);
    const at = (now: number): string | undefined => fault(blob, { now });
    expect([at(validFrom - 1), at(validFrom), at(validTo - 1), at(validTo)]).toEqual([
      "it is not good yet",
      undefined,
      undefined,
      "it has expired",
    ]);
    const forEver = await certified(authority, key, ["-I", "a", "-n", "ann"]);
    expect(fault(forEver, { now: 4e12 })).toBeUndefined();
  });

  test("of another authority, of the other kind, or for others is good for nothing", async () => {
    const [user, host] = [await certified(authority, key, USER), await certified(authority, key, ["-h", ...USER])];
    expect(fault(user, { authorities: [key.blob] })).toBe("its authority is not trusted here");
    expect(fault(user, { authorities: [] })).toBe("its authority is not trusted here");
    expect(fault(user, { kind: "host" })).toBe("it is a user's, and not a host's");
    expect(fault(host)).toBe("it is a host's, and not a user's");
    expect(fault(host, { kind: "host" })).toBeUndefined();
    expect(fault(user, { isFor: (name) => name === "an" })).toBe("it is for ann, ops");
  });

  test("that names no principal is good for nobody", async () => {
    expect(fault(await certified(authority, key, ["-I", "a"]), { isFor: () => true })).toBe("it is for nobody");
  });

  test("with a critical option is good for whoever keeps that", async () => {
    const blob = await certified(authority, key, [...USER, "-O", "source-address=192.0.2.0/24"]);
    expect(fault(blob)).toBe("its critical option source-address is not kept here");
    expect(fault(blob, { understood: new Set(["source-address"]) })).toBeUndefined();
    expect(readSshCertificate(blob).criticalOptions.get("source-address")?.subarray(4).toString()).toBe("192.0.2.0/24");
    const forced = await certified(authority, key, [...USER, "-O", "force-command=id"]);
    expect(fault(forced, { understood: new Set(["source-address"]) })).toContain("force-command");
  });

  test("is worth nothing with any byte changed, cut anywhere, or with something behind it", async () => {
    const blob = await certified(authority, key, USER);
    const worthless = (bytes: Buffer): boolean => {
      try {
        return fault(bytes) !== undefined;
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: "bad-request" });
        return true;
      }
    };
    for (let at = 0; at < blob.length; at++) {
      const changed = Buffer.from(blob);
      changed.writeUInt8((changed.readUInt8(at) ^ (1 << (at % 8))) & 0xff, at);
      expect([at, worthless(changed)]).toEqual([at, true]);
      expect([at, worthless(blob.subarray(0, at))]).toEqual([at, true]);
    }
    expect(worthless(Buffer.concat([blob, Buffer.of(0)]))).toBe(true);
  });

  test("is not what a plain key is, and neither are random bytes", () => {
    for (const bytes of [key.blob, Buffer.alloc(0), randomBytes(300), Buffer.alloc(300, 0xff)]) {
      expect(isSshCertificate(bytes)).toBe(false);
      expect(() => readSshCertificate(bytes)).toThrow(expect.objectContaining({ code: "bad-request" }));
    }
  });
});

describe("a certificate of ours", () => {
  const pairs = {
    ed25519: generateKeyPairSync("ed25519"),
    RSA: generateKeyPairSync("rsa", { modulusLength: 3072 }),
    nistp256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
    nistp384: generateKeyPairSync("ec", { namedCurve: "P-384" }),
    nistp521: generateKeyPairSync("ec", { namedCurve: "P-521" }),
  };
  const now = Date.now();
  const content = {
    publicKey: key.blob,
    keyId: "ann@shop.example, session 1",
    principals: ["ann"],
    validFrom: now - 60_000,
    validTo: now + 300_000,
    extensions: ["permit-pty", "permit-agent-forwarding"],
  };

  test.each(Object.entries(pairs))(
    "by an authority of the kind %s is what ssh-keygen reads, and good",
    async (_kind, pair) => {
      for (let times = 0; times < 20; times++) {
        const blob = issueUserCertificate(pair.privateKey, content, randomBytes);
        expect(fault(blob, { authorities: [sshBlobOf(pair.publicKey)] })).toBeUndefined();
      }
      const text = await shown(issueUserCertificate(pair.privateKey, content, randomBytes));
      expect(text).toContain("Type: ssh-ed25519-cert-v01@openssh.com user certificate");
      expect(text).toContain('Key ID: "ann@shop.example, session 1"');
      expect(text).toMatch(
        /Principals:\s+ann\s+Critical Options: \(none\)\s+Extensions:\s+permit-agent-forwarding\s+permit-pty/,
      );
    },
  );

  test("is no two times the same, and is not made by a key that SSH does not know", () => {
    const { privateKey } = pairs.ed25519;
    const [one, other] = [
      issueUserCertificate(privateKey, content, randomBytes),
      issueUserCertificate(privateKey, content, randomBytes),
    ];
    expect(one.equals(other)).toBe(false);
    const foreign = generateKeyPairSync("ec", { namedCurve: "secp256k1" }).privateKey;
    expect(() => issueUserCertificate(foreign, content, randomBytes)).toThrow(
      expect.objectContaining({ code: "configuration-invalid" }),
    );
    expect(() =>
      issueUserCertificate(
        createPrivateKey(generateKeyPairSync("x25519").privateKey.export({ format: "pem", type: "pkcs8" })),
        content,
        randomBytes,
      ),
    ).toThrow(expect.objectContaining({ code: "configuration-invalid" }));
  });
});
