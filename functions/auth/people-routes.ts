import { Hono } from "hono";
import { type AuthenticatedEnv, authenticated } from "../shared/authenticated.ts";
import type { AuthDeps } from "./deps.ts";
import { endAccess } from "./end-access.ts";

/** What administrators do with people. */
export function peopleRoutes(deps: AuthDeps): Hono<AuthenticatedEnv> {
  return new Hono<AuthenticatedEnv>().post("/api/people/:id/end-access", authenticated(deps), async (c) => {
    const ended = await endAccess(deps, c.get("principal"), c.req.param("id"), deps.clientAddress(c));
    return c.json({
      people: ended.map(({ endedAt, ...one }) => ({ ...one, endedAt: new Date(endedAt).toISOString() })),
    });
  });
}
