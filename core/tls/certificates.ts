// oxlint-disable-next-line import/no-unassigned-import -- a polyfill that the X.509 library looks for while it loads
import "reflect-metadata/lite";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { createPrivateKey, type webcrypto as WebCrypto, webcrypto } from "node:crypto";

/** A certificate and its private key (PKCS #8), PEM. */
export interface PemPair {
  readonly cert: string;
  readonly key: string;
}

const DAY_MS = 24 * 60 * 60 * 1000;
/** Clients keep the authority; it should outlive the installation. */
const AUTHORITY_MS = 3650 * DAY_MS;
/** As long as public authorities once gave. */
const SERVER_MS = 397 * DAY_MS;
/** A server's certificate that has less than this left is made again at the next start. */
export const RENEW_BEFORE_MS = 60 * DAY_MS;
/** Clocks differ. */
const BACKDATE_MS = 60 * 60 * 1000;
/** RFC 5280 appendix A.1: ub-common-name. */
const MAX_COMMON_NAME = 64;
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** A name that clients may know a server by. */
export interface ServerName {
  readonly type: "dns" | "ip";
  readonly value: string;
}

/** A new certificate authority of this name (RFC 5280 §4.2.1): it signs servers, and no other authority. */
export async function makeAuthority(name: string, now: Date): Promise<PemPair> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: commonName(name),
    ...lifetime(now, AUTHORITY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: `${certificate.toString("pem")}\n`, key: await pemOf(keys.privateKey) };
}

/** A server's certificate for these DNS names and IP addresses (RFC 5280 §4.2.1.6), for so many milliseconds from now. */
export async function makeServerPair(
  authority: PemPair,
  names: readonly ServerName[],
  now: Date,
  duration: number = SERVER_MS,
): Promise<PemPair> {
  const keys = await newKeys();
  const issuer = new X509Certificate(authority.cert);
  const signingKey = createPrivateKey(authority.key).export({ type: "pkcs8", format: "der" });
  const certificate = await X509CertificateGenerator.create({
    subject: commonName(names[0]?.value ?? "localhost"),
    issuer: issuer.subjectName,
    ...lifetime(now, duration),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: await webcrypto.subtle.importKey("pkcs8", signingKey, ALGORITHM, false, ["sign"]),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension([...names]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return { cert: `${certificate.toString("pem")}\n`, key: await pemOf(keys.privateKey) };
}

function commonName(text: string): [{ CN: [string] }] {
  return [{ CN: [text.slice(0, MAX_COMMON_NAME)] }];
}

function lifetime(now: Date, duration: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(now.getTime() - BACKDATE_MS), notAfter: new Date(now.getTime() + duration) };
}

function newKeys(): Promise<WebCrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

async function pemOf(key: WebCrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key));
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN PRIVATE KEY-----", ...lines, "-----END PRIVATE KEY-----", ""].join("\n");
}
