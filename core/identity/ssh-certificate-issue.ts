import { createPublicKey, type KeyObject, sign } from "node:crypto";
import type { Instant } from "../brand.ts";
import { SallyportError } from "../errors.ts";
import { CERTIFICATE_KINDS } from "./ssh-certificate.ts";
import { sshMpint, sshString, sshStrings, sshTypeOf } from "./ssh-wire.ts";

/** What is to be certified. */
export interface CertificateContent {
  /** An ed25519 key, as it crosses the wire. */
  readonly publicKey: Buffer;
  readonly keyId: string;
  readonly principals: readonly string[];
  readonly validFrom: Instant;
  readonly validTo: Instant;
  /** Names of what it allows at the server, such as `permit-pty`. */
  readonly extensions: readonly string[];
}

const NONCE_BYTES = 32;

/**
 * A user's certificate.
 * @param authority a private key: ed25519, RSA, or ECDSA on a curve of NIST's
 * @param random    so many random bytes
 * @returns it as it crosses the wire. Throws `configuration-invalid` for an authority of another kind.
 */
export function issueUserCertificate(
  authority: KeyObject,
  { publicKey, keyId, principals, validFrom, validTo, extensions }: CertificateContent,
  random: (bytes: number) => Buffer,
): Buffer {
  const [, point] = sshStrings(publicKey) ?? [];
  const numbers = Buffer.alloc(8 + 4);
  numbers.writeUInt32BE(CERTIFICATE_KINDS.user, 8); // behind a serial number of zero, which is none
  const validity = Buffer.alloc(16);
  validity.writeBigUInt64BE(BigInt(Math.floor(validFrom / 1000)), 0);
  validity.writeBigUInt64BE(BigInt(Math.ceil(validTo / 1000)), 8);
  const signed = Buffer.concat([
    ...["ssh-ed25519-cert-v01@openssh.com", random(NONCE_BYTES), point ?? ""].map(sshString),
    numbers,
    sshString(keyId),
    sshString(Buffer.concat(principals.map(sshString))),
    validity,
    sshString(""), // critical options
    sshString(Buffer.concat(extensions.toSorted().map((name) => Buffer.concat([sshString(name), sshString("")])))),
    sshString(""), // reserved
    sshString(sshBlobOf(authority)),
  ]);
  return Buffer.concat([signed, sshString(signatureBy(authority, signed))]);
}

/** The public key of a key, as it crosses the wire. Throws `configuration-invalid` for a kind that SSH does not know. */
export function sshBlobOf(key: KeyObject): Buffer {
  const {
    kty,
    crv = "",
    x = "",
    y = "",
    e = "",
    n = "",
  } = (key.type === "private" ? createPublicKey(key) : key).export({ format: "jwk" });
  const [bytesX, bytesY, bytesE, bytesN] = [x, y, e, n].map((text) => Buffer.from(text, "base64url"));
  if (kty === "OKP" && crv === "Ed25519")
    return Buffer.concat(["ssh-ed25519", bytesX].map((one = "") => sshString(one)));
  if (kty === "RSA" && bytesE && bytesN)
    return Buffer.concat([sshString("ssh-rsa"), sshMpint(bytesE), sshMpint(bytesN)]);
  const curve = CURVES.get(crv);
  if (curve === undefined || !bytesX || !bytesY)
    throw new SallyportError("configuration-invalid", "this kind of key does not sign certificates");
  return Buffer.concat(
    [`ecdsa-sha2-${curve.name}`, curve.name, Buffer.concat([Buffer.of(4), bytesX, bytesY])].map(sshString),
  );
}

const CURVES: ReadonlyMap<string, { readonly name: string; readonly hash: string }> = new Map([
  ["P-256", { name: "nistp256", hash: "sha256" }],
  ["P-384", { name: "nistp384", hash: "sha384" }],
  ["P-521", { name: "nistp521", hash: "sha512" }],
]);

/** As it crosses the wire (RFC 4253 §6.6, RFC 5656 §3.1.2, RFC 8332 §3, RFC 8709 §6). */
function signatureBy(key: KeyObject, data: Buffer): Buffer {
  const type = sshTypeOf(sshBlobOf(key));
  if (type === "ssh-ed25519") return Buffer.concat([type, sign(null, data, key)].map(sshString));
  if (type === "ssh-rsa") return Buffer.concat(["rsa-sha2-512", sign("sha512", data, key)].map(sshString));
  const curve = [...CURVES.values()].find(({ name }) => type.endsWith(name));
  const numbers = sign(curve?.hash, data, { key, dsaEncoding: "ieee-p1363" });
  const half = numbers.length / 2;
  const pair = Buffer.concat([sshMpint(numbers.subarray(0, half)), sshMpint(numbers.subarray(half))]);
  return Buffer.concat([sshString(type), sshString(pair)]);
}
