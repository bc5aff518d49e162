import type { Context, MiddlewareHandler } from "hono";
import { getCookie } from "hono/cookie";
import { SallyportError } from "../../core/errors.ts";
import { demandAccessSince } from "../../core/identity/access-end.ts";
import type { Principal } from "../../core/identity/principal.ts";
import {
  type TokenAuthority,
  type TokenUse,
  type VerifiedToken,
  signInRequired,
  verifySessionToken,
} from "../../core/identity/session-token.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { SignInStore } from "../../core/ports/sign-in-store.ts";
import { wantsPage } from "./html.ts";
import { signInPath } from "./return-path.ts";
import { type Site, cookieName, siteOf } from "./site.ts";

export interface AuthenticationDeps {
  /** The public base URL, such as `https://sallyport.example`. */
  readonly baseUrl: string;
  /** 32 secret bytes that sign sessions. */
  readonly tokenKey: Uint8Array;
  readonly signIns: Pick<SignInStore, "isSignedOut" | "notBefore">;
  readonly clock: Clock;
}

/** For `new Hono<AuthenticatedEnv>()`: what `authenticated` sets. */
export interface AuthenticatedEnv {
  Variables: { principal: Principal; token: VerifiedToken };
}

export const SESSION_COOKIE = "sallyport";

/** The scheme of RFC 6750 §2.1; a header longer than this is no token of ours. */
const BEARER = /^Bearer +([A-Za-z0-9._-]{1,4096})$/i;

/**
 * Who asks, by the session cookie or by `Authorization: Bearer`. A request that shows both is judged by its header alone.
 * @returns a function of a request: its live session. It throws `sign-in-required` where there is none, `access-denied`
 *   for a state-changing request that another site's page made a browser send, `store-unavailable` if nobody can tell.
 */
export function sessionOf(deps: AuthenticationDeps): (c: Context) => Promise<VerifiedToken> {
  const site = siteOf(deps.baseUrl);
  const authority: TokenAuthority = { issuer: site.origin, key: deps.tokenKey };
  return async (c) => {
    const shown = credentialOf(c, site);
    if (shown === undefined) throw signInRequired();
    const token = await verifySessionToken(authority, shown.use, shown.text, deps.clock());
    const { principal, issuedAt } = token;
    const [signedOut] = await Promise.all([
      deps.signIns.isSignedOut(token.id),
      demandAccessSince(deps.signIns, principal.id, issuedAt),
    ]);
    if (signedOut) throw signInRequired("you have signed out");
    if (shown.use === "web") demandSameOrigin(c, site);
    return token;
  };
}

/**
 * Lets a request through only for someone who is signed in, and sets `c.get("principal")`.
 * Throws as `sessionOf` does, except that a browser that asked for a page is sent to sign in.
 */
export function authenticated(deps: AuthenticationDeps): MiddlewareHandler<AuthenticatedEnv> {
  const session = sessionOf(deps);
  return async (c, next) => {
    let token: VerifiedToken;
    try {
      token = await session(c);
    } catch (thrown) {
      const stranger = thrown instanceof SallyportError && thrown.code === "sign-in-required";
      if (!stranger || c.req.method !== "GET" || !wantsPage(c)) throw thrown;
      return c.redirect(signInPath(new URL(c.req.url)), 303);
    }
    c.set("principal", token.principal);
    c.set("token", token);
    return next();
  };
}

interface Credential {
  readonly use: TokenUse;
  readonly text: string;
}

function credentialOf(c: Context, site: Site): Credential | undefined {
  const header = c.req.header("authorization");
  if (header !== undefined) return { use: "cli", text: BEARER.exec(header)?.[1] ?? "" };
  const cookie = getCookie(c, cookieName(site, SESSION_COOKIE));
  return cookie === undefined ? undefined : { use: "web", text: cookie };
}

/** RFC 9110 §9.2.1: of those that we answer. */
export function isSafe(method: string): boolean {
  return method === "GET" || method === "HEAD";
}

/**
 * Refuses (`access-denied`) a state-changing request that a page of another origin made a browser send.
 * `Sec-Fetch-Site` is the browser's own word; where an older browser does not say it, `Origin` must be ours.
 */
export function demandSameOrigin(c: Context, site: Site): void {
  if (isSafe(c.req.method)) return;
  const fetchSite = c.req.header("sec-fetch-site");
  const origin = c.req.header("origin");
  // A privacy setting may turn Origin into "null"; then only the browser's own Sec-Fetch-Site can vouch for the request.
  const ours = origin === site.origin || ((origin === undefined || origin === "null") && fetchSite === "same-origin");
  if (ours && (fetchSite === undefined || fetchSite === "same-origin")) return;
  throw new SallyportError("access-denied", "this request did not come from a page of this gateway", {
    hint: "use the gateway's own pages, or a bearer token",
  });
}
