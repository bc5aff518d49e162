import { Hono } from "hono";
import { z } from "zod";
import type { PassId } from "../../core/ports/pass-store.ts";
import { type AuthenticatedEnv, authenticated } from "../shared/authenticated.ts";
import { label, readBody, readQuery } from "../shared/request.ts";
import { type IssuingDeps, asFarAsKnown } from "./as-of-now.ts";
import { homePage, newPassPage } from "./home-pages.ts";
import { accessibleTo, issuePass, listPasses, revokePass } from "./passes.ts";
import { orSignInAgain } from "./sign-in-again.ts";

/** The form's empty choice means every connection. */
const newPassForm = z.object({ connection: z.string().max(256).default(""), label: label.default("") });

/** What the form was filled in with before the browser was led away. */
const wished = z.object({ connection: z.string().max(256).catch(""), label: label.catch("") });

/** The home page and its forms; they work without JavaScript. */
export function homeRoutes(deps: IssuingDeps): Hono<AuthenticatedEnv> {
  const signedIn = authenticated(deps);
  return new Hono<AuthenticatedEnv>()
    .get("/", signedIn, async (c) => {
      const principal = await asFarAsKnown(deps, c.get("principal"));
      const connections = accessibleTo(deps, principal);
      const passes = await listPasses(deps, principal);
      const wish = readQuery(c, wished);
      return c.html(homePage({ principal, connections, passes, wish, gateway: deps.gateway, now: deps.clock() }));
    })
    .post("/passes", signedIn, async (c) => {
      const principal = c.get("principal");
      const form = await readBody(c, newPassForm);
      return orSignInAgain(c, deps, `/?${new URLSearchParams(form).toString()}`, async () => {
        const wish = { ...form, connection: form.connection || undefined };
        const { pass, text } = await issuePass(deps, c.get("token"), wish, deps.clientAddress(c));
        const connections = accessibleTo(deps, pass.principal);
        return c.html(newPassPage({ principal, pass, text, connections, gateway: deps.gateway }));
      });
    })
    .post("/passes/:id/revoke", signedIn, async (c) => {
      await revokePass(deps, c.get("principal"), c.req.param("id") as PassId, deps.clientAddress(c));
      return c.redirect("/", 303);
    });
}
