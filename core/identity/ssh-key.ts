import { type KeyObject, createHash, createPublicKey } from "node:crypto";
import { SallyportError } from "../errors.ts";
import type { SshFingerprint } from "../ports/ssh-key-store.ts";
import { SESSION_LIFETIME_MS } from "./session-token.ts";
import { sshMagnitude, sshStrings } from "./ssh-wire.ts";

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

/** NIST SP 800-131A: fewer are disallowed. */
const MIN_RSA_BITS = 2_048;
/** What ssh-keygen offers at most is twice that; each sign-in costs us a verification. */
const MAX_RSA_BITS = 8_192;

export interface SshPublicKey {
  readonly type: string;
  readonly fingerprint: SshFingerprint;
  /** For verifying what was signed. */
  readonly key: KeyObject;
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
 * @param blob as it crosses the wire (RFC 4253 §6.6); any bytes
 * Throws `bad-request` that says why it is not accepted: too weak, of another type, or not a key at all.
 */
export function readSshPublicKey(blob: Buffer): SshPublicKey {
  const [name, ...fields] = sshStrings(blob) ?? [];
  const type = name?.toString("latin1") ?? "";
  if (!/^[a-z0-9@.-]{1,64}$/.test(type)) throw invalid("this is not a public key of SSH");
  const read = TYPES.get(type);
  if (read === undefined)
    throw invalid(REFUSED_TYPES.find(([form]) => form.test(type))?.[1] ?? `"${type}" keys are not accepted`);
  const key = read(fields);
  if (key === undefined) throw invalid(`this is not a well-formed ${type} key`);
  return { type, fingerprint: sshFingerprint(blob), key };
}

function invalid(message: string): SallyportError {
  return new SallyportError("bad-request", message, { hint: "Make one with: ssh-keygen -t ed25519" });
}

type Fields = readonly Buffer[];

/** The key of the fields after its type, written in the only way, or one key would have many fingerprints; else undefined. */
const TYPES: ReadonlyMap<string, (fields: Fields) => KeyObject | undefined> = new Map([
  ["ssh-ed25519", ed25519],
  ["ssh-rsa", rsa],
  ...(["256", "384", "521"] as const).map(
    (bits) => [`ecdsa-sha2-nistp${bits}`, (fields: Fields) => ecdsa(fields, bits)] as const,
  ),
]);

const REFUSED_TYPES: readonly [RegExp, string][] = [
  [/^sk-/, "keys of security keys (sk-…) are not accepted: the gateway cannot verify their signatures"],
  [/-cert-v0[01]@openssh\.com$/, "this is a certificate; register the public key that it was made for"],
  [/^ssh-dss$/, "DSA keys are too weak to be accepted"],
];

/** RFC 8709 §4. */
function ed25519([point, ...more]: Fields): KeyObject | undefined {
  if (point?.length !== 32 || more.length > 0) return undefined;
  return keyFrom({ kty: "OKP", crv: "Ed25519", x: point.toString("base64url") });
}

/** RFC 4253 §6.6: e, n. Throws `bad-request` for one of too few bits, or too many. */
function rsa([exponent, modulus, ...more]: Fields): KeyObject | undefined {
  const [e, n] = [sshMagnitude(exponent), sshMagnitude(modulus)];
  if (e === undefined || n === undefined || more.length > 0) return undefined;
  const key = keyFrom({ kty: "RSA", e: e.toString("base64url"), n: n.toString("base64url") });
  const { modulusLength = 0, publicExponent = 0n } = key?.asymmetricKeyDetails ?? {};
  if (modulusLength < MIN_RSA_BITS || modulusLength > MAX_RSA_BITS)
    throw invalid(`an RSA key must have ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits; this one has ${modulusLength}`);
  return publicExponent > 1n && publicExponent % 2n === 1n ? key : undefined;
}

/** RFC 5656 §3.1: the curve, and a point on it (SEC 1 §2.3.3), uncompressed. */
function ecdsa([curve, point, ...more]: Fields, bits: "256" | "384" | "521"): KeyObject | undefined {
  const size = Math.ceil(Number(bits) / 8);
  if (curve?.toString("latin1") !== `nistp${bits}` || point?.[0] !== 4 || point.length !== 1 + 2 * size)
    return undefined;
  const [x, y] = [point.subarray(1, 1 + size), point.subarray(1 + size)].map((part) => part.toString("base64url"));
  return more.length > 0 ? undefined : keyFrom({ kty: "EC", crv: `P-${bits}`, x, y });
}

/** Undefined for numbers that are no key, such as a point beside its curve. */
function keyFrom(key: Record<string, string | undefined>): KeyObject | undefined {
  try {
    return createPublicKey({ key, format: "jwk" });
  } catch {
    return undefined;
  }
}
