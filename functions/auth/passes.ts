import { randomBytes } from "node:crypto";
import { passIssued, passRefused, passRevoked } from "../../core/audit/account-events.ts";
import type { Instant } from "../../core/brand.ts";
import { asSallyportError, SallyportError } from "../../core/errors.ts";
import { PASS_LIFETIME_MS, type PassText, mintPass } from "../../core/identity/pass.ts";
import { demandAccessSince } from "../../core/identity/access-end.ts";
import type { Principal } from "../../core/identity/principal.ts";
import type { VerifiedToken } from "../../core/identity/session-token.ts";
import type { Pass, PassId } from "../../core/ports/pass-store.ts";
import type { AuthDeps, ConnectionSummary } from "./deps.ts";
import { attempted } from "./refusals.ts";
import type { IssuingDeps } from "./as-of-now.ts";

/** A person who needs more at once has a program that leaks them. */
const MAX_LIVE_PASSES = 100;
/** The newest passes of a person that are listed, live or not. */
const MAX_LISTED_PASSES = 200;

/** Expired and revoked alike open nothing; the difference is for people to read. */
export type PassStatus = "live" | "expired" | "revoked";

export function statusOf(pass: Pass, now: Instant): PassStatus {
  if (pass.revokedAt !== undefined) return "revoked";
  return now < pass.expiresAt ? "live" : "expired";
}

/** Whether somebody may revoke anyone's passes, remove anyone's public keys, and end anyone's access. */
export function administers({ admins }: Pick<AuthDeps, "admins">, { groups }: Principal): boolean {
  return admins.some((group) => groups.includes(group));
}

/** The connections that a person may know of, by group. */
export function accessibleTo(deps: AuthDeps, principal: Principal): readonly ConnectionSummary[] {
  const mine = new Set(principal.groups);
  return deps.connections().filter(({ access }) => access.some((group) => mine.has(group)));
}

/**
 * A new pass for oneself, for an hour, with the groups that one is in now.
 * @param wish.connection the only connection that it shall open; undefined: every one that its owner may open
 * @param from            the address that asks
 * @returns the pass, and its text, which nobody can learn again: it is given out when the audit log has it. Throws
 *   `connection-unknown`, `limit-exceeded`, `sign-in-required` where the session was ended meanwhile, and as `AsOfNow` does.
 */
export async function issuePass(
  deps: IssuingDeps,
  token: Pick<VerifiedToken, "principal" | "issuedAt">,
  wish: Wish,
  from: string,
): Promise<{ pass: Pass; text: PassText }> {
  const asked = { by: token.principal, from };
  const issued = await newPass(deps, token, wish).catch(async (thrown: unknown) => {
    const error = asSallyportError(thrown, "internal", "a pass was not issued");
    await attempted(deps, passRefused(asked, wish.connection, error, deps.clock()));
    throw thrown;
  });
  await deps.audit(passIssued(asked, issued.pass, deps.clock()));
  return issued;
}

interface Wish {
  readonly connection: string | undefined;
  readonly label: string;
}

async function newPass(
  deps: IssuingDeps,
  { principal, issuedAt: since }: Pick<VerifiedToken, "principal" | "issuedAt">,
  wish: Wish,
): Promise<{ pass: Pass; text: PassText }> {
  const owner = await deps.asOfNow(principal);
  const now = deps.clock();
  if (wish.connection !== undefined && !accessibleTo(deps, owner).some(({ name }) => name === wish.connection))
    throw new SallyportError("connection-unknown", "there is no such connection for you", {
      hint: "GET /api/connections lists yours",
    });
  const newest = await deps.passes.listFor(principal.id, MAX_LISTED_PASSES);
  if (newest.filter((pass) => statusOf(pass, now) === "live").length >= MAX_LIVE_PASSES)
    throw new SallyportError("limit-exceeded", `you have ${MAX_LIVE_PASSES} live passes`, { hint: "revoke some" });
  const { text, hash } = mintPass(randomBytes);
  const pass = await deps.passes.issue({
    ...wish,
    hash,
    principal: owner,
    issuedAt: now,
    expiresAt: now + PASS_LIFETIME_MS,
  });
  await unlessEnded(deps, pass, since);
  deps.logger.info({ principal: principal.id, pass: pass.id, connection: pass.connection }, "pass issued");
  return { pass, text };
}

/** Takes a new pass back (`sign-in-required`) where the access was ended that it was issued on the strength of. */
export async function unlessEnded(
  { passes, signIns, clock }: Pick<AuthDeps, "passes" | "signIns" | "clock">,
  { id, principal }: Pass,
  since: Instant,
): Promise<void> {
  try {
    await demandAccessSince(signIns, principal.id, since);
  } catch (ended) {
    await passes.revoke(id, clock());
    throw ended;
  }
}

/** One's own passes, newest first. */
export function listPasses(deps: AuthDeps, principal: Principal): Promise<Pass[]> {
  return deps.passes.listFor(principal.id, MAX_LISTED_PASSES);
}

/**
 * Revokes one's own pass; admins, anyone's. Throws `not-found` for another's as for one that is not there, so that ids
 * cannot be tried.
 */
export async function revokePass(deps: AuthDeps, principal: Principal, id: PassId, from: string): Promise<Pass> {
  const found = await deps.passes.get(id);
  const may = found !== undefined && (found.principal.id === principal.id || administers(deps, principal));
  const revoked = may ? await deps.passes.revoke(id, deps.clock()) : undefined;
  if (revoked === undefined) throw new SallyportError("not-found", "you have no such pass");
  await deps.audit(passRevoked({ by: principal, from }, revoked, deps.clock()));
  deps.logger.info({ principal: principal.id, pass: id, owner: revoked.principal.id }, "pass revoked");
  return revoked;
}
