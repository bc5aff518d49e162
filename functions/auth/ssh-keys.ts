import { keyRegistered, keyRemoved } from "../../core/audit/account-events.ts";
import { grantWritten } from "../../core/audit/audit.ts";
import { SallyportError } from "../../core/errors.ts";
import type { Principal } from "../../core/identity/principal.ts";
import { parseSshKeyId, sshKeyPassLabel } from "../../core/identity/ssh-key.ts";
import { keyOfSshSignature, sshKeyStatement } from "../../core/identity/ssh-signature.ts";
import type { SshKey } from "../../core/ports/ssh-key-store.ts";
import { siteOf } from "../shared/site.ts";
import type { AuthDeps } from "./deps.ts";
import { administers, statusOf } from "./passes.ts";

/** Far more than a person is issued in the hour that a pass lives. */
const MAX_PASSES = 10_000;

/** What this person has to sign with a key to register it here. */
export function statementFor({ baseUrl }: Pick<AuthDeps, "baseUrl">, principal: Principal): string {
  return sshKeyStatement(siteOf(baseUrl).origin, principal);
}

/**
 * Registers a public key as one's own.
 * @param from           the address that asks
 * @param wish.signature what `ssh-keygen -Y sign` printed for one's statement: it has the public key in it
 * Throws `bad-request` for what is no signature of it, or by a key that is not accepted; `conflict` for another's key,
 * `limit-exceeded`; `access-denied` for a service: nobody knows since when its groups are out of date.
 */
export async function registerKey(
  deps: AuthDeps,
  principal: Principal,
  wish: { signature: string; label: string },
  from: string,
): Promise<SshKey> {
  if (principal.kind !== "user")
    throw new SallyportError("access-denied", "public keys are for people", { hint: "a service uses passes" });
  const { fingerprint, type } = keyOfSshSignature(wish.signature, statementFor(deps, principal));
  const key = { fingerprint, type, owner: principal.id, label: wish.label.trim(), registeredAt: deps.clock() };
  // It opens connections from the moment on in which it is there.
  await grantWritten(
    deps.audit,
    (failed) => keyRegistered({ by: principal, from }, key, deps.clock(), failed),
    () => deps.sshKeys.register(key),
  );
  deps.logger.info({ principal: principal.id, key: fingerprint, type }, "public key registered");
  const kept = await deps.sshKeys.find(fingerprint);
  if (kept?.owner === principal.id) return kept;
  throw new SallyportError("conflict", "the key was removed at this moment");
}

/**
 * Removes one's own key, admins anyone's, and revokes what was issued for it: sessions that were opened by it end within
 * seconds. Throws `not-found` for another's as for one that is not there.
 */
export async function removeKey(deps: AuthDeps, principal: Principal, id: string, from: string): Promise<SshKey> {
  const fingerprint = parseSshKeyId(id);
  const key = fingerprint && (await deps.sshKeys.find(fingerprint));
  const may = key !== undefined && (key.owner === principal.id || administers(deps, principal));
  if (!may || !(await deps.sshKeys.remove(key.owner, key.fingerprint, deps.clock())))
    throw new SallyportError("not-found", "you have no such key");
  await revokePassesOf(deps, key);
  await deps.audit(keyRemoved({ by: principal, from }, key, deps.clock()));
  deps.logger.info({ principal: principal.id, key: key.fingerprint, owner: key.owner }, "public key removed");
  return key;
}

async function revokePassesOf({ passes, clock }: AuthDeps, { owner, fingerprint }: SshKey): Promise<void> {
  const label = sshKeyPassLabel(fingerprint);
  for (const pass of await passes.listFor(owner, MAX_PASSES))
    if (pass.label === label && statusOf(pass, clock()) === "live") await passes.revoke(pass.id, clock());
}
