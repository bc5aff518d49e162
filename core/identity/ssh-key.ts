import { type KeyObject, createHash, createPublicKey } from "node:crypto";
import { SallyportError } from "../errors.ts";
import type { SshFingerprint } from "../ports/ssh-key-store.ts";
import { SESSION_LIFETIME_MS } from "./session-token.ts";

/** A person has some machines and some agents; a key for each. */
export const MAX_SSH_KEYS = 20;
/**
 * A key that its owner removed is nobody else's for so long: whatever still offers it would be signed in as the other, and
 * a machine that is switched on once a month is heard of in that time.
 */
export const SSH_KEY_RESERVED_MS = 30 * 24 * 60 * 60 * 1000;
/** Those that are reserved count as well, as memory must have a bound. */
export const MAX_REMEMBERED_SSH_KEYS = 100;

/**
 * A key is good for so long after its owner's last sign-in by a browser: their groups are known only from there, and whoever
 * has lost one, or left, must not go on by a key. It is longer than a session of the web lives, so that whoever must sign in
 * again for their key's sake is asked by the identity provider and not let through by an old session.
 */
export const SSH_KEY_SIGN_IN_MS = SESSION_LIFETIME_MS + 4 * 60 * 60 * 1000;

/** A line of the longest key that is accepted has 1,500 characters, and a comment. */
const MAX_LINE = 4_096;
/** NIST SP 800-131A: fewer are disallowed. */
const MIN_RSA_BITS = 2_048;
/** What ssh-keygen offers at most is twice that; each sign-in costs us a verification. */
const MAX_RSA_BITS = 8_192;

export interface SshPublicKey {
  readonly type: string;
  /** As it crosses the wire (RFC 4253 §6.6). */
  readonly blob: Buffer;
  readonly comment: string;
  readonly fingerprint: SshFingerprint;
}

/** @param blob a public key as it crosses the wire; any bytes */
export function sshFingerprint(blob: Uint8Array): SshFingerprint {
  const digest = createHash("sha256").update(blob).digest("base64").replace(/=+$/, "");
  return `SHA256:${digest}` as SshFingerprint;
}

/** A fingerprint as `ssh-keygen -l` and our pages show it; undefined for anything else. */
export function parseSshFingerprint(text: string): SshFingerprint | undefined {
  return /^SHA256:[A-Za-z0-9+/]{43}$/.test(text) ? (text as SshFingerprint) : undefined;
}

/** A fingerprint as it stands in paths: base64url (RFC 4648 §5) of the digest. */
export function sshKeyId(fingerprint: SshFingerprint): string {
  return fingerprint.slice("SHA256:".length).replaceAll("+", "-").replaceAll("/", "_");
}

/** The other way round; undefined for what cannot be an id. */
export function parseSshKeyId(id: string): SshFingerprint | undefined {
  if (!/^[A-Za-z0-9_-]{43}$/.test(id)) return undefined;
  return `SHA256:${id.replaceAll("-", "+").replaceAll("_", "/")}` as SshFingerprint;
}

/** What passes are called that were issued for this key: when it is removed they are revoked, and what lives by them ends. */
export function sshKeyPassLabel(fingerprint: SshFingerprint): string {
  return `ssh key ${fingerprint}`;
}

/**
 * A public key that a person may register.
 * @param text what they pasted: a line of a `.pub` file (sshd(8), AUTHORIZED_KEYS FILE FORMAT) without options
 * Throws `bad-request` that says what is wrong with it: what it is instead, too weak, or not a key at all.
 */
export function parseSshPublicKey(text: string): SshPublicKey {
  const line = text.trim();
  if (/PRIVATE KEY/.test(line))
    throw invalid("this is a private key, which is for your machine alone", "Give the file that ends in .pub.");
  if (line.length > MAX_LINE || /[\r\n]/.test(line)) throw invalid("this is not one line with one public key");
  const { type, base64, comment } = /^(?<type>[a-z0-9@.-]+) +(?<base64>[A-Za-z0-9+/]+=*)(?: +(?<comment>.*))?$/.exec(
    line,
  )?.groups ?? { type: "", base64: "", comment: "" };
  if (type === undefined || base64 === undefined || type === "") throw invalid("this is not a public key of SSH");
  const read = TYPES.get(type);
  if (read === undefined)
    throw invalid(REFUSED_TYPES.find(([form]) => form.test(type))?.[1] ?? `"${type}" keys are not accepted`);
  const blob = Buffer.from(base64, "base64");
  // Written in exactly one way, or one key would have many fingerprints.
  const fields = fieldsOf(blob);
  if (blob.toString("base64") !== base64 || fields?.[0]?.toString("latin1") !== type || !read(fields.slice(1)))
    throw invalid(`this is not a whole and well-formed ${type} key`);
  return { type, blob, comment: comment ?? "", fingerprint: sshFingerprint(blob) };
}

function invalid(message: string, hint = "Give a line such as: ssh-ed25519 AAAA… you@laptop"): SallyportError {
  return new SallyportError("bad-request", message, { hint });
}

type Fields = readonly Buffer[];

/** Are the fields after the type a key of it? Throws `bad-request` for one that is too weak. */
const TYPES: ReadonlyMap<string, (fields: Fields) => boolean> = new Map([
  ["ssh-ed25519", isEd25519],
  ["ssh-rsa", isRsa],
  ...(["256", "384", "521"] as const).map(
    (bits) => [`ecdsa-sha2-nistp${bits}`, (fields: Fields) => isEcdsa(fields, bits)] as const,
  ),
]);

const REFUSED_TYPES: readonly [RegExp, string][] = [
  [/^sk-/, "keys of security keys (sk-…) are not accepted: the gateway cannot verify their signatures"],
  [/-cert-v0[01]@openssh\.com$/, "this is a certificate; register the public key that it was made for"],
  [/^ssh-dss$/, "DSA keys are too weak to be accepted"],
];

/** RFC 8709 §4. */
function isEd25519([key, ...more]: Fields): boolean {
  if (key?.length !== 32 || more.length > 0) return false;
  return keyFrom({ kty: "OKP", crv: "Ed25519", x: key.toString("base64url") }) !== undefined;
}

/** RFC 4253 §6.6: e, n. */
function isRsa([e, n, ...more]: Fields): boolean {
  if (!isPositive(e) || !isPositive(n) || more.length > 0) return false;
  const { modulusLength = 0, publicExponent = 0n } =
    keyFrom({ kty: "RSA", e: unsigned(e), n: unsigned(n) })?.asymmetricKeyDetails ?? {};
  if (modulusLength < MIN_RSA_BITS || modulusLength > MAX_RSA_BITS)
    throw invalid(`an RSA key must have ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits; this one has ${modulusLength}`);
  return publicExponent > 1n && publicExponent % 2n === 1n;
}

/** RFC 5656 §3.1: the curve, and a point on it (SEC 1 §2.3.3), uncompressed. */
function isEcdsa([curve, point, ...more]: Fields, bits: "256" | "384" | "521"): boolean {
  const size = Math.ceil(Number(bits) / 8);
  if (curve?.toString("latin1") !== `nistp${bits}` || point?.[0] !== 4 || point.length !== 1 + 2 * size) return false;
  const [x, y] = [point.subarray(1, 1 + size), point.subarray(1 + size)].map((part) => part.toString("base64url"));
  return keyFrom({ kty: "EC", crv: `P-${bits}`, x, y }) !== undefined && more.length === 0;
}

/** Undefined for numbers that are no key, such as a point beside its curve. */
function keyFrom(key: Record<string, string | undefined>): KeyObject | undefined {
  try {
    return createPublicKey({ key, format: "jwk" });
  } catch {
    return undefined;
  }
}

/** An `mpint` (RFC 4251 §5) above zero, written in the only way: no leading zero byte that the sign does not demand. */
function isPositive(mpint: Buffer | undefined): mpint is Buffer {
  const [first, second = 0] = mpint ?? [];
  return first !== undefined && first < 0x80 && (first > 0 || second >= 0x80);
}

function unsigned(mpint: Buffer): string {
  return mpint.subarray(mpint[0] === 0 ? 1 : 0).toString("base64url");
}

/** The `string`s (RFC 4251 §5) that these bytes are, to the last byte; undefined where they are something else. */
function fieldsOf(bytes: Buffer): Buffer[] | undefined {
  const fields: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    if (bytes.length - at < 4) return undefined;
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end > bytes.length) return undefined;
    fields.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return fields;
}
