import { Hono, type Context } from "hono";
import { deleteCookie } from "hono/cookie";
import { z } from "zod";
import { signedOut } from "../../core/audit/account-events.ts";
import { DEFAULT_PROVIDER_ID } from "../../core/config/identity.ts";
import { SallyportError } from "../../core/errors.ts";
import { SESSION_COOKIE, demandSameOrigin, sessionOf } from "../shared/authenticated.ts";
import { readBody, readQuery } from "../shared/request.ts";
import { returnUrl } from "../shared/return-path.ts";
import { type Site, cookieName, cookieOptions, siteOf } from "../shared/site.ts";
import { notStartedHere, sendAway, startSession, takePending, toldBy } from "./browser-sign-in.ts";
import type { AuthDeps } from "./deps.ts";
import { loginQuery } from "./login-query.ts";
import { callbackPath } from "./oidc-sign-in.ts";
import { addressPage, onwardPage, signedOutPage } from "./sign-in-pages.ts";
import { type WaysToSignIn, begin } from "./sign-in-ways.ts";

const providerQuery = loginQuery.extend({ provider: z.string().optional() });
const addressForm = loginQuery.extend({ email: z.string().max(1000) });

/** Signing in at whichever provider knows the person, by OIDC, and out. */
export function signInRoutes(deps: AuthDeps, ways: WaysToSignIn): Hono {
  const site = siteOf(deps.baseUrl);
  return new Hono()
    .get("/auth/login", async (c) => {
      const { return_to = "/", prompt, provider } = readQuery(c, providerQuery);
      const returnTo = returnUrl(return_to, site);
      const way = provider === undefined ? ways.only : ways.any(provider);
      if (way === undefined) return c.html(addressPage({ returnTo: return_to, prompt, unknown: false }));
      return sendAway(c, deps, site, await begin(way, returnTo, prompt));
    })
    .post("/auth/login", async (c) => {
      demandSameOrigin(c, site);
      const { return_to = "/", prompt, email } = await readBody(c, addressForm);
      returnUrl(return_to, site);
      const way = ways.ofAddress(email);
      if (way === undefined) return c.html(addressPage({ returnTo: return_to, prompt, unknown: true }), 404);
      const query = new URLSearchParams({ provider: way.id, return_to, ...(prompt === undefined ? {} : { prompt }) });
      const onward = `/auth/login?${query.toString()}`;
      c.header("Refresh", `0; url=${onward}`);
      return c.html(onwardPage(onward));
    })
    .get(callbackPath(DEFAULT_PROVIDER_ID), (c) => comeBack(c, deps, ways, DEFAULT_PROVIDER_ID))
    .get(callbackPath(":id"), (c) => comeBack(c, deps, ways, c.req.param("id") ?? ""))
    .post("/auth/logout", (c) => signOut(c, deps, site))
    .get("/auth/signed-out", (c) => c.html(signedOutPage()));
}

/** The end of a sign-in by OIDC, at the address of the provider that it began at. */
async function comeBack(c: Context, deps: AuthDeps, ways: WaysToSignIn, id: string): Promise<Response> {
  const { provider, signIn } = ways.oidc(id);
  const site = siteOf(deps.baseUrl);
  const pending = await takePending(c, deps, site);
  if (pending.kind !== "oidc" || pending.provider !== id) return notStartedHere();
  const who = await toldBy(c, deps, provider, () => signIn.finish(new URL(c.req.url).search, pending));
  const proof = { by: provider, since: pending.begunAt, toldAt: deps.clock(), refreshToken: who.refreshToken };
  await startSession(c, deps, site, who, proof);
  return c.redirect(pending.returnTo, 303);
}

/** Ends the session of the cookie or the bearer token, here and for every copy of it; without one there is nothing to end. */
async function signOut(c: Context, deps: AuthDeps, site: Site): Promise<Response> {
  const byHeader = c.req.header("authorization") !== undefined;
  if (!byHeader) demandSameOrigin(c, site);
  const token = await sessionOf(deps)(c).catch(unlessSignedOut);
  if (token !== undefined) {
    await deps.signIns.signOut(token.id, token.expiresAt, deps.clock());
    await deps.audit(signedOut({ by: token.principal, from: deps.clientAddress(c) }, deps.clock()));
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
