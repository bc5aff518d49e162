import { X509Certificate, randomBytes } from "node:crypto";
import { z } from "zod";
import { SallyportError } from "../../core/errors.ts";
import type { SecretVault } from "../../core/ports/secret-vault.ts";
import { type PemPair, makeAuthority, makeServerPair } from "../../core/tls/certificates.ts";
import { newOpensshKey, opensshPublicKey } from "./openssh-key.ts";

const KEY_BYTES = 32;
/** Clients trust the authority, whose ten years bound this; who wants it shorter raises the generation more often. */
const SERVER_MS = 1825 * 24 * 60 * 60 * 1000;

const generation = z.coerce.number().int().min(1);
const arn = z.string().startsWith("arn:");

/** What the stack asks for: one secret of a kind, and how often it was asked to be replaced. */
export const wanted = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("key"), secret: arn, generation }),
  z.object({ kind: z.literal("ssh"), secret: arn, generation }),
  z.object({ kind: z.literal("tls"), secret: arn, generation, authority: arn, name: z.string().min(1) }),
]);
export type Wanted = z.infer<typeof wanted>;

const pair = z.object({ cert: z.string(), key: z.string() });

export interface EnsureDeps {
  readonly vault: SecretVault;
  readonly now: () => Date;
}

/** What everybody may know of a secret: of an SSH host key, `type base64`. */
export interface PublicHalf {
  readonly publicKey?: string;
}

/**
 * Sees to it that the secret has a value. One that is there stays, whoever put it there, unless the generation was raised since
 * the last deployment: then a new value becomes the current one, and the old one stays as the previous.
 * @param before what the last deployment asked for; undefined at the first
 * @param request an id that a repeated call repeats: it makes no second value
 */
export async function ensureSecret(
  deps: EnsureDeps,
  ask: Wanted,
  before: Wanted | undefined,
  request: string,
): Promise<PublicHalf> {
  const { vault } = deps;
  const current = await vault.current(ask.secret);
  if (current === undefined || isToBeReplaced(ask, before, current))
    await vault.put(ask.secret, await valueOf(deps, ask, request), request);
  // Read again: of two requests that are one, the first has decided.
  return ask.kind === "ssh" ? { publicKey: publicKeyOf((await vault.current(ask.secret)) ?? "") } : {};
}

function publicKeyOf(privateKey: string): string {
  const key = opensshPublicKey(privateKey);
  if (key !== undefined) return key;
  throw new SallyportError("configuration-invalid", "the secret of the SSH host key holds none without a passphrase", {
    hint: "Restore its previous version in Secrets Manager, then deploy again.",
  });
}

function isToBeReplaced(ask: Wanted, before: Wanted | undefined, current: string): boolean {
  if (before !== undefined && ask.generation > before.generation) return true;
  // The host was renamed: what we made for the old name fits no longer. What the operator put there is theirs to renew.
  return ask.kind === "tls" && before?.kind === "tls" && ask.name !== before.name && isOurs(current, before.name);
}

async function valueOf(deps: EnsureDeps, ask: Wanted, request: string): Promise<string> {
  switch (ask.kind) {
    case "key":
      return randomBytes(KEY_BYTES).toString("base64url");
    case "ssh":
      return newOpensshKey();
    case "tls": {
      const authority = await authorityOf(deps, ask.authority, request);
      const names = [{ type: "dns" as const, value: ask.name }];
      return JSON.stringify({
        ...(await makeServerPair(authority, names, deps.now(), SERVER_MS)),
        ca: authority.cert,
      });
    }
  }
}

/** Made once and never replaced: every client that trusts it goes on doing so when the server's certificate is new. */
async function authorityOf({ vault, now }: EnsureDeps, secret: string, request: string): Promise<PemPair> {
  const kept = await vault.current(secret);
  if (kept === undefined) {
    await vault.put(secret, JSON.stringify(await makeAuthority("Sallyport", now())), request);
    return parsedPair((await vault.current(secret)) ?? "");
  }
  return parsedPair(kept);
}

function parsedPair(text: string): PemPair {
  try {
    return pair.parse(JSON.parse(text));
  } catch {
    // Neither the cause nor its message: both quote what they could not read.
    throw new SallyportError("configuration-invalid", "the secret of the certificate authority is damaged", {
      hint: "Restore its previous version in Secrets Manager, then deploy again.",
    });
  }
}

function isOurs(tls: string, name: string): boolean {
  try {
    const { cert, ca } = pair.extend({ ca: z.string() }).parse(JSON.parse(tls));
    const certificate = new X509Certificate(cert);
    const issued = certificate.checkIssued(new X509Certificate(ca));
    return issued && certificate.checkHost(name) !== undefined && certificate.issuer === "CN=Sallyport";
  } catch {
    return false;
  }
}
