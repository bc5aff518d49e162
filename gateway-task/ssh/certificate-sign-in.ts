import { BlockList, isIP } from "node:net";
import type { SshConnection } from "../../core/config/connections.ts";
import { SallyportError } from "../../core/errors.ts";
import type { Principal, PrincipalId } from "../../core/identity/principal.ts";
import { certificateFault, readSshCertificate, type SshCertificate } from "../../core/identity/ssh-certificate.ts";
import { readSshPublicKey } from "../../core/identity/ssh-key.ts";
import { isSignedBy } from "../../core/identity/ssh-signature.ts";
import { sshStrings } from "../../core/identity/ssh-wire.ts";
import type { KnownPerson } from "../../core/ports/people-store.ts";
import { visible } from "../../core/recording/visible.ts";
import { asSignedIn, type KeySignInDeps } from "./key-sign-in.ts";

/** Names of one certificate that are looked up. */
const MAX_NAMES = 16;
/** Critical options that are kept here. `force-command` is not: what may be run is for policies to say. */
const UNDERSTOOD: ReadonlySet<string> = new Set(["source-address"]);

interface Shown {
  /** As the client sent it; any bytes. */
  readonly blob: Buffer;
  /** The address that the client comes from. */
  readonly address: string;
}

/**
 * A certificate that is good for signing in at a connection.
 * @returns undefined where no authority of the connection's has to do with it. Throws `sign-in-required` that says why one of theirs is
 *   not good, so that the client goes on to another way.
 */
export function certificateFor(
  { userCertificateAuthorities }: Pick<SshConnection, "userCertificateAuthorities">,
  { blob, address }: Shown,
  now: number,
): SshCertificate | undefined {
  const authorities = userCertificateAuthorities.map((line) => Buffer.from(line.split(" ")[1] ?? "", "base64"));
  const certificate = readable(blob);
  if (certificate === undefined || !authorities.some((key) => key.equals(certificate.authority))) return undefined;
  const demand = { kind: "user", authorities, isFor: isName, understood: UNDERSTOOD, now } as const;
  const fault = certificateFault(certificate, demand) ?? sourceFault(certificate, address);
  if (fault !== undefined) throw notTaken(fault);
  return certificate;
}

/**
 * Whom a certificate names, in the groups that they were told to be in last. That they hold its key is for the caller to verify.
 * Throws `sign-in-required` where that is nobody who has signed in of late, or more than one person.
 */
export async function holderOf(deps: KeySignInDeps, { principals }: SshCertificate): Promise<Principal> {
  const people = new Map<PrincipalId, KnownPerson>();
  for (const name of principals.filter(isName).slice(0, MAX_NAMES))
    for (const person of await namedBy(deps, name)) people.set(person.id, person);
  const [person, another] = people.values();
  if (person === undefined) throw notTaken("nobody whom it names has signed in by a browser");
  if (another !== undefined) throw notTaken("it names more than one person");
  return asSignedIn(deps, person);
}

/** Whether the key of a certificate has signed this; never by SHA-1. */
export function isSignedByHolder({ publicKey }: SshCertificate, data: Buffer, signature: Buffer): boolean {
  return isSignedBy(readSshPublicKey(publicKey), data, signature);
}

/** People are named as other servers do not name users, by an address or an id of ours: `root` is nobody. */
function isName(principal: string): boolean {
  return principal.includes("@") || principal.includes("|");
}

async function namedBy({ people }: KeySignInDeps, name: string): Promise<readonly KnownPerson[]> {
  if (!name.includes("|")) return people.withEmail(name);
  const person = await people.find(name as PrincipalId);
  return person === undefined ? [] : [person];
}

/** OpenSSH's `source-address`: ranges of addresses, with commas between. */
function sourceFault({ criticalOptions }: SshCertificate, address: string): string | undefined {
  const option = criticalOptions.get("source-address");
  if (option === undefined) return undefined;
  const [ranges] = sshStrings(option) ?? [];
  const list = new BlockList();
  try {
    for (const range of ranges?.toString("utf8").split(",") ?? []) addRange(list, range);
  } catch {
    return "its source-address cannot be read";
  }
  const plain = address.replace(/^::ffff:(?=\d+\.)/, "");
  const family = isIP(plain) === 6 ? "ipv6" : "ipv4";
  return isIP(plain) > 0 && list.check(plain, family) ? undefined : `it is not good from ${plain}`;
}

/** Throws for what is no range. */
function addRange(list: BlockList, range: string): void {
  const [network = "", bits] = range.split("/");
  const family = isIP(network) === 6 ? "ipv6" : "ipv4";
  if (bits === undefined) list.addAddress(network, family);
  else list.addSubnet(network, /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN, family);
}

function readable(blob: Buffer): SshCertificate | undefined {
  try {
    return readSshCertificate(blob);
  } catch {
    return undefined;
  }
}

function notTaken(why: string): SallyportError {
  return new SallyportError("sign-in-required", `your certificate is not taken: ${visible(why)}`, {
    hint: "Sign in with the link, or ask whoever certifies your keys.",
  });
}
