import type { Context } from "hono";
import { SallyportError } from "../../core/errors.ts";
import { homeRealm } from "../../core/identity/home-realm.ts";
import { type AuthenticatedEnv, isSafe } from "../shared/authenticated.ts";
import { wantsPage } from "../shared/html.ts";
import { signInPath } from "../shared/return-path.ts";
import { siteOf } from "../shared/site.ts";
import type { AuthDeps } from "./deps.ts";
import { onwardPage } from "./sign-in-pages.ts";

/**
 * Answers what needs the identity provider's word of now. A browser of somebody whom the provider has to tell of again is led there,
 * where it mostly needs nobody to do anything, and comes back to a page of ours; a program is told `sign-in-required`.
 * @param returnTo path and query of that page
 */
export async function orSignInAgain(
  c: Context<AuthenticatedEnv>,
  deps: Pick<AuthDeps, "baseUrl" | "people" | "providers">,
  returnTo: string,
  answer: () => Promise<Response>,
): Promise<Response> {
  try {
    return await answer();
  } catch (thrown) {
    const required = thrown instanceof SallyportError && thrown.code === "sign-in-required";
    if (!required || !wantsPage(c)) throw thrown;
    const href = signInPath(new URL(returnTo, siteOf(deps.baseUrl).origin)) + (await providerOf(c, deps));
    if (isSafe(c.req.method)) return c.redirect(href, 303);
    c.header("Refresh", `0; url=${href}`);
    return c.html(onwardPage(href, thrown.message), 401);
  }
}

/** Whoever is known need not say again where they sign in: the rest of a query. */
async function providerOf(
  c: Context<AuthenticatedEnv>,
  { people, providers }: Pick<AuthDeps, "people" | "providers">,
): Promise<string> {
  const known = await people.find(c.get("principal").id);
  const provider = known?.email === undefined ? undefined : homeRealm(providers, known.email);
  return provider === undefined ? "" : `&provider=${provider.id}`;
}
