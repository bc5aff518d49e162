import { Hono } from "hono";
import { z } from "zod";
import type { PassId } from "../../core/ports/pass-store.ts";
import { type AuthenticatedEnv, authenticated } from "../shared/authenticated.ts";
import { label, readBody } from "../shared/request.ts";
import type { AuthDeps } from "./deps.ts";
import { homePage, newPassPage } from "./home-pages.ts";
import { accessibleTo, issuePass, listPasses, revokePass } from "./passes.ts";

/** The form's empty choice means every connection. */
const newPassForm = z.object({ connection: z.string().max(256).default(""), label: label.default("") });

/** The home page and its forms; they work without JavaScript. */
export function homeRoutes(deps: AuthDeps): Hono<AuthenticatedEnv> {
  const signedIn = authenticated(deps);
  return new Hono<AuthenticatedEnv>()
    .get("/", signedIn, async (c) => {
      const principal = c.get("principal");
      const connections = accessibleTo(deps, principal);
      const passes = await listPasses(deps, principal);
      return c.html(homePage({ principal, connections, passes, gateway: deps.gateway, now: deps.clock() }));
    })
    .post("/passes", signedIn, async (c) => {
      const principal = c.get("principal");
      const form = await readBody(c, newPassForm);
      const wish = { ...form, connection: form.connection || undefined };
      const { pass, text } = await issuePass(deps, c.get("token"), wish, deps.clientAddress(c));
      return c.html(
        newPassPage({ principal, pass, text, connections: accessibleTo(deps, principal), gateway: deps.gateway }),
      );
    })
    .post("/passes/:id/revoke", signedIn, async (c) => {
      await revokePass(deps, c.get("principal"), c.req.param("id") as PassId, deps.clientAddress(c));
      return c.redirect("/", 303);
    });
}
