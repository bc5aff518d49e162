import { SallyportError } from "../../core/errors.ts";
import type { Principal } from "../../core/identity/principal.ts";
import { parseSshKeyId, parseSshPublicKey, sshKeyPassLabel } from "../../core/identity/ssh-key.ts";
import type { SshKey } from "../../core/ports/ssh-key-store.ts";
import { visible } from "../../core/recording/visible.ts";
import type { AuthDeps } from "./deps.ts";
import { ADMINS, statusOf } from "./passes.ts";

/** As long as other labels may be. */
const MAX_LABEL = 100;
/** Far more than a person is issued in the hour that a pass lives. */
const MAX_PASSES = 10_000;

/**
 * Registers a public key as one's own.
 * @param wish.publicKey a line of a `.pub` file
 * @param wish.label undefined or empty: the key's comment
 * Throws `bad-request` for what is no key that is accepted, `conflict` for another's, `limit-exceeded`, `access-denied` for a
 * service: nobody knows since when its groups are out of date.
 */
export async function registerKey(
  deps: AuthDeps,
  principal: Principal,
  wish: { publicKey: string; label: string | undefined },
): Promise<SshKey> {
  if (principal.kind !== "user")
    throw new SallyportError("access-denied", "public keys are for people", { hint: "a service uses passes" });
  const { fingerprint, type, comment } = parseSshPublicKey(wish.publicKey);
  const label = wish.label?.trim() || visible(comment).slice(0, MAX_LABEL);
  await deps.sshKeys.register({ fingerprint, type, owner: principal.id, label, registeredAt: deps.clock() });
  deps.logger.info({ principal: principal.id, key: fingerprint, type }, "public key registered");
  const kept = await deps.sshKeys.find(fingerprint);
  if (kept?.owner === principal.id) return kept;
  throw new SallyportError("conflict", "the key was removed at this moment");
}

/**
 * Removes one's own key, admins anyone's, and revokes what was issued for it: sessions that were opened by it end within
 * seconds. Throws `not-found` for another's as for one that is not there.
 */
export async function removeKey(deps: AuthDeps, principal: Principal, id: string): Promise<SshKey> {
  const fingerprint = parseSshKeyId(id);
  const key = fingerprint && (await deps.sshKeys.find(fingerprint));
  const may = key !== undefined && (key.owner === principal.id || principal.groups.includes(ADMINS));
  if (!may || !(await deps.sshKeys.remove(key.owner, key.fingerprint, deps.clock())))
    throw new SallyportError("not-found", "you have no such key");
  await revokePassesOf(deps, key);
  deps.logger.info({ principal: principal.id, key: key.fingerprint, owner: key.owner }, "public key removed");
  return key;
}

async function revokePassesOf({ passes, clock }: AuthDeps, { owner, fingerprint }: SshKey): Promise<void> {
  const label = sshKeyPassLabel(fingerprint);
  for (const pass of await passes.listFor(owner, MAX_PASSES))
    if (pass.label === label && statusOf(pass, clock()) === "live") await passes.revoke(pass.id, clock());
}
