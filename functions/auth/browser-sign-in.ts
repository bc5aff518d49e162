import { randomUUID } from "node:crypto";
import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { signedIn, signInFailed } from "../../core/audit/account-events.ts";
import type { Instant } from "../../core/brand.ts";
import type { Provider } from "../../core/config/identity.ts";
import { asSallyportError, SallyportError } from "../../core/errors.ts";
import { demandAccessSince } from "../../core/identity/access-end.ts";
import { type SignedIn, vouched } from "../../core/identity/home-realm.ts";
import { SESSION_LIFETIME_MS, issueSessionToken } from "../../core/identity/session-token.ts";
import type { TokenId } from "../../core/ports/sign-in-store.ts";
import { SESSION_COOKIE } from "../shared/authenticated.ts";
import { causesOf } from "../shared/problem.ts";
import { type Site, cookieName, cookieOptions } from "../shared/site.ts";
import type { AuthDeps } from "./deps.ts";
import { attempted } from "./refusals.ts";
import { FRESH_MS, freshAfterSignIn, sealRenewal } from "./renewal.ts";
import { PENDING_LIFETIME_MS, type PendingSignIn, pendingSealing } from "./pending-sign-in.ts";

const PENDING_COOKIE = "sallyport-sign-in";

/** Sends a browser to a provider, with what it must bring back. */
export async function sendAway(
  c: Context,
  deps: AuthDeps,
  site: Site,
  { url, pending }: { readonly url: URL; readonly pending: PendingSignIn },
): Promise<Response> {
  const sealed = await pendingSealing.seal(deps.tokenKey, pending, deps.clock());
  setCookie(c, cookieName(site, PENDING_COOKIE), sealed, cookieOptions(site, PENDING_LIFETIME_MS));
  return c.redirect(url.href, 303);
}

/** The pending sign-in of this browser; its cookie is good for one attempt. Throws `sign-in-failed`. */
export async function takePending(c: Context, deps: AuthDeps, site: Site): Promise<PendingSignIn> {
  const name = cookieName(site, PENDING_COOKIE);
  const sealed = getCookie(c, name);
  deleteCookie(c, name, cookieOptions(site, 0));
  const pending = sealed === undefined ? undefined : await pendingSealing.open(deps.tokenKey, sealed, deps.clock());
  return pending ?? notStartedHere();
}

/** The answer to a sign-in that this browser did not start, so that nobody is signed in as somebody else unawares. */
export function notStartedHere(): never {
  throw new SallyportError("sign-in-failed", "this sign-in was not started in this browser, or took too long", {
    hint: "start again from the home page",
  });
}

export interface Proof {
  readonly by: Provider;
  /** When the sign-in began, or was vouched for: one from before the person's access was ended comes to nothing. */
  readonly since: Instant;
  /** When the provider told of the person's groups: what it told may have been under way for minutes. */
  readonly toldAt: Instant;
  /** What the provider may be asked with again. */
  readonly refreshToken: string | undefined;
}

/**
 * Gives this browser a session, and remembers who it was; a session that is not in the audit log is not given.
 * Throws `sign-in-required` for that, and as `issueSessionToken` and the stores do.
 */
export async function startSession(
  c: Context,
  deps: AuthDeps,
  site: Site,
  who: SignedIn,
  { by, since, toldAt, refreshToken }: Proof,
): Promise<void> {
  const { id, name, groups } = who.principal;
  // Read before the question: an end that the answer does not know of yet is later, and counts against all of this.
  const now = deps.clock();
  await demandAccessSince(deps.signIns, id, since);
  const renewal = await sealRenewal(deps.tokenKey, by.id, refreshToken, now);
  await deps.signIns.keepRenewal(id, renewal);
  // At least a minute, so that a provider whose clock is behind leads nobody in a circle.
  const lasting = renewal === undefined ? freshAfterSignIn(by, Math.min(toldAt, now)) : 0;
  const freshUntil = Math.max(lasting, now + FRESH_MS);
  await deps.people.signedIn({ id, name, email: who.email, groups, seenAt: now, freshUntil });
  const authority = { issuer: site.origin, key: deps.tokenKey };
  const token = await issueSessionToken(authority, "web", who.principal, randomUUID() as TokenId, now);
  await deps.audit(signedIn({ by: who.principal, from: deps.clientAddress(c) }, by.kind, now));
  setCookie(c, cookieName(site, SESSION_COOKIE), token, cookieOptions(site, SESSION_LIFETIME_MS));
  deps.logger.info({ principal: id, address: deps.clientAddress(c) }, "signed in");
}

/** Whom a provider tells of, as far as it may (`vouched`); a refusal is logged with what it was for. */
export async function toldBy<T extends SignedIn>(
  c: Context,
  deps: AuthDeps,
  provider: Provider,
  telling: () => Promise<T>,
): Promise<T> {
  try {
    const told = await telling();
    return { ...told, ...vouched(deps.providers, provider, told) };
  } catch (thrown) {
    const { id } = provider;
    deps.logger.warn({ provider: id, address: deps.clientAddress(c), causes: causesOf(thrown) }, "a sign-in failed");
    const error = asSallyportError(thrown, "internal", "the sign-in failed");
    await attempted(deps, signInFailed(deps.clientAddress(c), provider.kind, error, deps.clock()));
    throw thrown;
  }
}
