import { Hono } from "hono";
import type { AuthenticatedEnv } from "../shared/authenticated.ts";
import { readBody, readFilters } from "../shared/request.ts";
import type { PeopleDesk } from "./people-desk.ts";
import { decisionBody, listQuery } from "./queries.ts";
import type { Asking } from "./deps.ts";
import { approvalView } from "./views.ts";

/** The JSON interface: what waits for me, one of them, decide, cancel, revoke, history. */
export function apiRoutes(desk: PeopleDesk, asking: Asking): Hono<AuthenticatedEnv> {
  return new Hono<AuthenticatedEnv>()
    .get("/", async (c) => {
      const { items, next } = await desk.list(c.get("principal"), readFilters(c, listQuery));
      return c.json({ approvals: items.map(approvalView), next });
    })
    .get("/:id", async (c) => c.json(approvalView(await desk.find(c.get("principal"), c.req.param("id")))))
    .post("/:id/decision", async (c) => {
      const decision = await readBody(c, decisionBody);
      return c.json(approvalView(await desk.decide(asking(c), c.req.param("id"), decision)));
    })
    .post("/:id/cancel", async (c) => c.json(approvalView(await desk.cancel(asking(c), c.req.param("id")))))
    .post("/:id/revoke", async (c) => c.json(approvalView(await desk.revoke(asking(c), c.req.param("id")))));
}
