import type { Instant } from "../brand.ts";
import { SallyportError } from "../errors.ts";
import { readSshPublicKey } from "./ssh-key.ts";
import { isSignedBy } from "./ssh-signature.ts";
import { SshFields, sshString, sshStrings, sshTypeOf } from "./ssh-wire.ts";

/** A certificate of OpenSSH (PROTOCOL.certkeys). What it says is worth nothing before `certificateFault` has found none. */
export interface SshCertificate {
  readonly type: string;
  /** The key that is certified, as it crosses the wire. */
  readonly publicKey: Buffer;
  readonly serial: bigint;
  readonly kind: SshCertificateKind;
  readonly keyId: string;
  /** Whom or which hosts it is for. */
  readonly principals: readonly string[];
  /** From when on it is good. */
  readonly validFrom: Instant;
  /** And until when. */
  readonly validTo: Instant;
  readonly criticalOptions: ReadonlyMap<string, Buffer>;
  readonly extensions: ReadonlyMap<string, Buffer>;
  /** The key that signed it, as it crosses the wire. */
  readonly authority: Buffer;
  readonly signed: Buffer;
  readonly signature: Buffer;
}

type SshCertificateKind = keyof typeof CERTIFICATE_KINDS;

/** As they are numbered. */
export const CERTIFICATE_KINDS = { user: 1, host: 2 } as const;
const KIND_NAMES: ReadonlyMap<number, SshCertificateKind> = new Map([
  [CERTIFICATE_KINDS.user, "user"],
  [CERTIFICATE_KINDS.host, "host"],
]);

/** Each kind of certificate, the key that is in it, and how many fields that has. */
const TYPES: ReadonlyMap<string, readonly [type: string, fields: number]> = new Map([
  ["ssh-ed25519-cert-v01@openssh.com", ["ssh-ed25519", 1]],
  ["ecdsa-sha2-nistp256-cert-v01@openssh.com", ["ecdsa-sha2-nistp256", 2]],
  ["ecdsa-sha2-nistp384-cert-v01@openssh.com", ["ecdsa-sha2-nistp384", 2]],
  ["ecdsa-sha2-nistp521-cert-v01@openssh.com", ["ecdsa-sha2-nistp521", 2]],
  ["ssh-rsa-cert-v01@openssh.com", ["ssh-rsa", 2]],
]);

/** As OpenSSH's SSHKEY_CERT_MAX_PRINCIPALS. */
const MAX_PRINCIPALS = 256;

/** Whether these bytes, as they cross the wire, call themselves a certificate that is read here. */
export function isSshCertificate(blob: Buffer): boolean {
  return TYPES.has(sshTypeOf(blob));
}

/**
 * @param blob as it crosses the wire; any bytes
 * Throws `bad-request` for what is no certificate, or holds a key that is not accepted.
 */
export function readSshCertificate(blob: Buffer): SshCertificate {
  try {
    return read(blob);
  } catch (thrown) {
    if (!(thrown instanceof RangeError)) throw thrown;
    throw new SallyportError("bad-request", "this is not a well-formed certificate of SSH", { cause: thrown });
  }
}

function read(blob: Buffer): SshCertificate {
  const fields = new SshFields(blob);
  const type = fields.text();
  const [keyType, keyFields] = TYPES.get(type) ?? malformed();
  fields.string(); // a nonce
  const parts = Array.from({ length: keyFields }, () => fields.string());
  const publicKey = Buffer.concat([keyType, ...parts].map(sshString));
  readSshPublicKey(publicKey);
  const serial = fields.uint64();
  const kind = KIND_NAMES.get(fields.uint32()) ?? malformed();
  const keyId = fields.text();
  const principals = (sshStrings(fields.string()) ?? malformed()).map((one) => one.toString("utf8"));
  if (principals.length > MAX_PRINCIPALS) malformed();
  const [validFrom, validTo] = [instantOf(fields.uint64()), instantOf(fields.uint64())];
  const [criticalOptions, extensions] = [optionsIn(fields.string()), optionsIn(fields.string())];
  fields.string(); // reserved
  const authority = fields.string();
  const signed = blob.subarray(0, fields.at);
  const signature = fields.string();
  if (!fields.isAtEnd) malformed();
  const about = { type, publicKey, serial, kind, keyId, principals, validFrom, validTo };
  return { ...about, criticalOptions, extensions, authority, signed, signature };
}

/** Seconds, of which there may be as many as never end. */
function instantOf(seconds: bigint): Instant {
  return Number(seconds) * 1000;
}

function optionsIn(bytes: Buffer): Map<string, Buffer> {
  const parts = sshStrings(bytes) ?? malformed();
  const options = new Map<string, Buffer>();
  for (let at = 0; at < parts.length; at += 2) {
    const [name = "", value = malformed()] = [parts[at]?.toString("utf8"), parts[at + 1]];
    if (options.has(name)) malformed();
    options.set(name, value);
  }
  return options;
}

function malformed(): never {
  throw new RangeError("no certificate has this form");
}

/** What a certificate has to be to be good for something. */
export interface CertificateDemand {
  readonly kind: SshCertificateKind;
  /** Keys of the authorities that are trusted, as they cross the wire. */
  readonly authorities: readonly Buffer[];
  /** Whether it is for whom it is shown. */
  readonly isFor: (principal: string) => boolean;
  /** Critical options whose keeping the caller sees to. */
  readonly understood?: ReadonlySet<string>;
  readonly now: Instant;
}

/** Why a certificate is not good for this; undefined where it is. That its holder has the key is for the caller to see. */
export function certificateFault(certificate: SshCertificate, demand: CertificateDemand): string | undefined {
  const { kind, authority, validFrom, validTo, principals, criticalOptions, signed, signature } = certificate;
  if (kind !== demand.kind) return `it is a ${kind}'s, and not a ${demand.kind}'s`;
  if (!demand.authorities.some((trusted) => trusted.equals(authority))) return "its authority is not trusted here";
  if (!isSignedBy(readSshPublicKey(authority), signed, signature)) return "its authority has not signed it";
  if (demand.now < validFrom) return "it is not good yet";
  if (demand.now >= validTo) return "it has expired";
  // One without principals would be good for everybody.
  if (!principals.some(demand.isFor)) return `it is for ${principals.join(", ") || "nobody"}`;
  const [unknown] = [...criticalOptions.keys()].filter((name) => demand.understood?.has(name) !== true);
  return unknown === undefined ? undefined : `its critical option ${unknown} is not kept here`;
}
