import { randomUUID } from "node:crypto";
import { Hono, type Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { html } from "hono/html";
import { z } from "zod";
import { SallyportError } from "../../core/errors.ts";
import { SESSION_LIFETIME_MS, issueSessionToken } from "../../core/identity/session-token.ts";
import type { TokenId } from "../../core/ports/sign-in-store.ts";
import { SESSION_COOKIE, demandSameOrigin, sessionOf } from "../shared/authenticated.ts";
import { page } from "../shared/html.ts";
import { causesOf } from "../shared/problem.ts";
import { readQuery } from "../shared/request.ts";
import { returnUrl } from "../shared/return-path.ts";
import { type Site, cookieName, cookieOptions, siteOf } from "../shared/site.ts";
import type { AuthDeps } from "./deps.ts";
import { CALLBACK_PATH, type OidcSignIn, oidcSignIn } from "./oidc-sign-in.ts";
import { PENDING_LIFETIME_MS, type PendingSignIn, openPending, sealPending } from "./pending-sign-in.ts";

const PENDING_COOKIE = "sallyport-sign-in";

const loginQuery = z.object({ return_to: z.string().optional(), prompt: z.literal("login").optional() });

/** Signing in by OIDC, and out. */
export function signInRoutes(deps: AuthDeps): Hono {
  const site = siteOf(deps.baseUrl);
  const oidc = oidcSignIn(deps.oidc, site, deps.clock);
  return new Hono()
    .get("/auth/login", async (c) => {
      const { return_to, prompt } = readQuery(c, loginQuery);
      const { url, pending } = await oidc.begin(returnUrl(return_to ?? "/", site), prompt);
      const sealed = await sealPending(deps.tokenKey, pending, deps.clock());
      setCookie(c, cookieName(site, PENDING_COOKIE), sealed, cookieOptions(site, PENDING_LIFETIME_MS));
      return c.redirect(url.href, 303);
    })
    .get(CALLBACK_PATH, async (c) => {
      const pending = await takePending(c, deps, site);
      const { principal, email } = await finished(c, deps, oidc, pending);
      const { id, name, groups } = principal;
      await deps.people.signedIn({ id, name, email, groups, seenAt: deps.clock() });
      const authority = { issuer: site.origin, key: deps.tokenKey };
      const token = await issueSessionToken(authority, "web", principal, randomUUID() as TokenId, deps.clock());
      setCookie(c, cookieName(site, SESSION_COOKIE), token, cookieOptions(site, SESSION_LIFETIME_MS));
      deps.logger.info({ principal: principal.id, address: deps.clientAddress(c) }, "signed in");
      return c.redirect(pending.returnTo, 303);
    })
    .post("/auth/logout", (c) => signOut(c, deps, site))
    .get("/auth/signed-out", (c) => c.html(signedOutPage()));
}

/** The pending sign-in of this browser; its cookie is good for one attempt. */
async function takePending(c: Context, deps: AuthDeps, site: Site): Promise<PendingSignIn> {
  const name = cookieName(site, PENDING_COOKIE);
  const sealed = getCookie(c, name);
  deleteCookie(c, name, cookieOptions(site, 0));
  const pending = sealed === undefined ? undefined : await openPending(deps.tokenKey, sealed, deps.clock());
  if (pending !== undefined) return pending;
  throw new SallyportError("sign-in-failed", "this sign-in was not started in this browser, or took too long", {
    hint: "start again from the home page",
  });
}

async function finished(
  c: Context,
  deps: AuthDeps,
  oidc: OidcSignIn,
  pending: PendingSignIn,
): ReturnType<OidcSignIn["finish"]> {
  try {
    return await oidc.finish(new URL(c.req.url).search, pending);
  } catch (thrown) {
    deps.logger.warn({ address: deps.clientAddress(c), causes: causesOf(thrown) }, "a sign-in failed");
    throw thrown;
  }
}

/** Ends the session of the cookie or the bearer token, here and for every copy of it; without one there is nothing to end. */
async function signOut(c: Context, deps: AuthDeps, site: Site): Promise<Response> {
  const byHeader = c.req.header("authorization") !== undefined;
  if (!byHeader) demandSameOrigin(c, site);
  const token = await sessionOf(deps)(c).catch(unlessSignedOut);
  if (token !== undefined) {
    await deps.signIns.signOut(token.id, token.expiresAt, deps.clock());
    deps.logger.info({ principal: token.principal.id }, "signed out");
  }
  if (byHeader) return c.body(null, 204);
  deleteCookie(c, cookieName(site, SESSION_COOKIE), cookieOptions(site, 0));
  return c.redirect("/auth/signed-out", 303);
}

function unlessSignedOut(thrown: unknown): undefined {
  if (thrown instanceof SallyportError && thrown.code === "sign-in-required") return undefined;
  throw thrown;
}

function signedOutPage(): ReturnType<typeof page> {
  const body = html`<p>
      You have signed out of Sallyport. Passes that you hold live on until they expire or are revoked.
    </p>
    <p><a href="/auth/login">Sign in again</a>, or <a href="/auth/login?prompt=login">as someone else</a>.</p>`;
  return page({ title: "Signed out", principal: undefined, body });
}
