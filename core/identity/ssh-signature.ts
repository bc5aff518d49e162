import { createHash, verify } from "node:crypto";
import { SallyportError } from "../errors.ts";
import { visible } from "../recording/visible.ts";
import type { Principal } from "./principal.ts";
import { readSshPublicKey, type SshPublicKey } from "./ssh-key.ts";
import { sshMagnitude, sshString, sshStrings } from "./ssh-wire.ts";

/** What `ssh-keygen -Y sign -n` is given: a signature that was made for something else cannot be one of these. */
export const SSH_KEY_NAMESPACE = "ssh-key@sallyport";

/**
 * What a person signs with a key to register it. Public keys are public: without this anybody could register anybody's, and
 * whoever then came by it would be signed in, and recorded, as somebody else. Who signs it names themselves, so that nothing
 * is gained by signing it again, or by showing the signature of another.
 * @param origin of this installation
 */
export function sshKeyStatement(origin: string, { id, name }: Principal): string {
  return `I sign in at ${origin} with this key as ${visible(name)}, ${visible(id)}`;
}

/** That of the longest key that is accepted has 3,000 characters. */
const MAX_LENGTH = 8_192;
const ARMOR = /^-----BEGIN SSH SIGNATURE-----\r?\n([A-Za-z0-9+/=\r\n]+)\r?\n-----END SSH SIGNATURE-----$/;
const MAGIC = Buffer.from("SSHSIG");
const VERSION = 1;
const HASHES: ReadonlySet<string> = new Set(["sha256", "sha512"]);

/**
 * The key by which this statement was signed.
 * @param armored what `ssh-keygen -Y sign` printed (OpenSSH's PROTOCOL.sshsig); any text
 * @param statement what was to be signed; a line feed may stand behind it, as `echo` writes one
 * Throws `bad-request` that says what is wrong: what it is instead, a key that is not accepted, or another statement.
 */
export function keyOfSshSignature(armored: string, statement: string): SshPublicKey {
  const text = armored.trim();
  if (/PRIVATE KEY/.test(text)) throw invalid("this is a private key, which is for your machine alone");
  if (/^(ssh|ecdsa|sk)-/.test(text)) throw invalid("this is a public key; needed is what was signed with it");
  const { blob, namespace, reserved, hash, signature } = parse(text);
  if (namespace !== SSH_KEY_NAMESPACE) throw invalid("this was signed for something else");
  const key = readSshPublicKey(blob);
  const signed = [statement, `${statement}\n`, `${statement}\r\n`].some((message) => {
    const digest = createHash(hash).update(message).digest();
    return isSignedBy(key, Buffer.concat([MAGIC, ...[namespace, reserved, hash, digest].map(sshString)]), signature);
  });
  if (!signed) throw invalid("this signature is not of what was to be signed: another person's or place's, perhaps");
  return key;
}

interface Parsed {
  readonly blob: Buffer;
  readonly namespace: string;
  readonly reserved: Buffer;
  readonly hash: string;
  readonly signature: Buffer;
}

function parse(text: string): Parsed {
  const base64 = text.length > MAX_LENGTH ? undefined : ARMOR.exec(text)?.[1];
  const bytes = Buffer.from(base64 ?? "", "base64");
  const body = MAGIC.length + 4;
  const isOurs = bytes.length > body && bytes.subarray(0, MAGIC.length).equals(MAGIC);
  if (!isOurs || bytes.readUInt32BE(MAGIC.length) !== VERSION) throw invalid("this is not a signature of ssh-keygen");
  const [blob, namespace, reserved, hashed, signature, ...more] = sshStrings(bytes.subarray(body)) ?? [];
  const hash = hashed?.toString("latin1") ?? "";
  if (!blob || !namespace || !reserved || !signature || more.length > 0 || !HASHES.has(hash))
    throw invalid("this signature is damaged");
  return { blob, namespace: namespace.toString("latin1"), reserved, hash, signature };
}

/** How each algorithm hashes (RFC 8709 §6, RFC 8332 §3, RFC 5656 §3.1.2 and §6.2.1); RSA with SHA-1 is not among them. */
const ALGORITHMS: Readonly<
  Record<string, { readonly type: string; readonly hash: string | null; readonly size?: number }>
> = {
  "ssh-ed25519": { type: "ssh-ed25519", hash: null },
  "rsa-sha2-256": { type: "ssh-rsa", hash: "sha256" },
  "rsa-sha2-512": { type: "ssh-rsa", hash: "sha512" },
  "ecdsa-sha2-nistp256": { type: "ecdsa-sha2-nistp256", hash: "sha256", size: 32 },
  "ecdsa-sha2-nistp384": { type: "ecdsa-sha2-nistp384", hash: "sha384", size: 48 },
  "ecdsa-sha2-nistp521": { type: "ecdsa-sha2-nistp521", hash: "sha512", size: 66 },
};

/**
 * Whether a key has signed this.
 * @param signature an algorithm and what it gave, as they cross the wire (RFC 4253 §6.6); any bytes
 */
export function isSignedBy({ type, key }: SshPublicKey, data: Buffer, signature: Buffer): boolean {
  const [name, raw, ...more] = sshStrings(signature) ?? [];
  const named = name?.toString("latin1") ?? "";
  const algorithm = Object.hasOwn(ALGORITHMS, named) ? ALGORITHMS[named] : undefined;
  if (algorithm?.type !== type || raw === undefined || more.length > 0) return false;
  if (algorithm.size === undefined) return verify(algorithm.hash, data, key, raw);
  const numbers = fixedSize(sshStrings(raw), algorithm.size);
  return numbers !== undefined && verify(algorithm.hash, data, { key, dsaEncoding: "ieee-p1363" }, numbers);
}

/** r and s of ECDSA side by side, each of as many bytes as the curve has. */
function fixedSize(mpints: readonly Buffer[] | undefined, size: number): Buffer | undefined {
  const magnitudes = (mpints ?? []).map(sshMagnitude);
  if (magnitudes.length !== 2) return undefined;
  const padded = magnitudes.map((one) =>
    one === undefined || one.length > size ? undefined : Buffer.concat([Buffer.alloc(size - one.length), one]),
  );
  return padded.every((one) => one !== undefined) ? Buffer.concat(padded) : undefined;
}

function invalid(message: string): SallyportError {
  return new SallyportError("bad-request", message, {
    hint: "`sallyport ssh-key add` signs by itself; the page tells what to run.",
  });
}
