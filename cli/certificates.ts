import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { SallyportError } from "../core/errors.ts";
import {
  type PemPair,
  RENEW_BEFORE_MS,
  type ServerName,
  makeAuthority,
  makeServerPair,
} from "../core/tls/certificates.ts";
import { makeFolder } from "../local/files.ts";
import { PRIVATE_FILE, PRIVATE_FOLDER, PUBLIC_FILE, readPrivate, readPublic, replaceFile } from "./private-files.ts";

/** What a TLS server shows, and what its clients must trust for it; PEM. */
export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

interface Pair extends PemPair {
  readonly certificate: X509Certificate;
}

/**
 * A certificate for the gateway from an authority of its own; both are made on first use and kept in the folder, keys with
 * mode 0600. The server's is made again when it runs out or when its names change; the authority stays.
 * @param names DNS names and IP addresses that clients may connect to
 * Throws `configuration-invalid` for files that are not what they should be.
 */
export async function ownCertificate(folder: string, names: readonly string[], now: Date): Promise<ServerCertificate> {
  await makeFolder(folder, PRIVATE_FOLDER);
  const authority =
    (await readAuthority(folder)) ?? (await kept(folder, "ca", await makeAuthority(`Sallyport on ${hostname()}`, now)));
  const before = await readPair(folder, "server");
  const server =
    before && isGood(before, authority, names, now)
      ? before
      : await kept(folder, "server", await makeServerPair(authority, names.map(serverName), now));
  return { cert: server.cert, key: server.key, ca: authority.cert };
}

/** An operator's own files: the chain, its key, and the authority that clients shall trust. Throws `configuration-invalid`. */
export async function givenCertificate(files: {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}): Promise<ServerCertificate> {
  const [cert, key, ca] = await Promise.all([readPublic(files.cert), readPrivate(files.key), readPublic(files.ca)]);
  for (const [file, text] of [
    [files.cert, cert],
    [files.key, key],
    [files.ca, ca],
  ] as const)
    if (text === undefined) throw new SallyportError("configuration-invalid", `${file} is not there`);
  const pair = parsePair(cert ?? "", key ?? "");
  if (pair === undefined || parseCertificate(ca ?? "") === undefined)
    throw new SallyportError(
      "configuration-invalid",
      `${files.cert}, ${files.key} and ${files.ca} do not fit together`,
      {
        hint: "A certificate (with its chain), its private key and the authority's certificate are needed, all in PEM.",
      },
    );
  return { cert: cert ?? "", key: key ?? "", ca: ca ?? "" };
}

async function readAuthority(folder: string): Promise<Pair | undefined> {
  const pair = await readPair(folder, "ca");
  const published = await readPublic(join(folder, "ca.pem"));
  if (pair?.certificate.ca === true || published === undefined) return pair;
  throw new SallyportError("configuration-invalid", `the certificate authority in ${folder} is damaged`, {
    hint: "Restore it, or remove the folder to have a new one made; clients must then fetch the new one.",
  });
}

async function readPair(folder: string, name: string): Promise<Pair | undefined> {
  const cert = await readPublic(join(folder, `${name}.pem`));
  const key = await readPrivate(join(folder, `${name}-key.pem`));
  return cert === undefined || key === undefined ? undefined : parsePair(cert, key);
}

function parsePair(cert: string, key: string): Pair | undefined {
  const certificate = parseCertificate(cert);
  const parsed = parseKey(key);
  return certificate && parsed && certificate.checkPrivateKey(parsed) ? { certificate, cert, key } : undefined;
}

function parseCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function parseKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}

function serverName(value: string): ServerName {
  return { type: isIP(value) > 0 ? "ip" : "dns", value };
}

function isGood({ certificate }: Pair, authority: Pair, names: readonly string[], now: Date): boolean {
  const issued = certificate.checkIssued(authority.certificate) && certificate.verify(authority.certificate.publicKey);
  const named = names.every((name) =>
    isIP(name) > 0 ? certificate.checkIP(name) !== undefined : certificate.checkHost(name) !== undefined,
  );
  return issued && named && Date.parse(certificate.validTo) > now.getTime() + RENEW_BEFORE_MS;
}

/** The key first: a certificate without its key would be taken for damage. */
async function kept(folder: string, name: string, pair: PemPair): Promise<Pair> {
  await replaceFile(join(folder, `${name}-key.pem`), pair.key, PRIVATE_FILE);
  await replaceFile(join(folder, `${name}.pem`), pair.cert, PUBLIC_FILE);
  return { ...pair, certificate: new X509Certificate(pair.cert) };
}
