import { Hono } from "hono";
import type { Principal } from "../../core/identity/principal.ts";
import type { AuthenticatedEnv } from "../shared/authenticated.ts";
import { readBody, readFilters, readQuery } from "../shared/request.ts";
import { approvalPage } from "./approval-page.ts";
import type { Asking } from "./deps.ts";
import { listPage } from "./list-page.ts";
import type { PeopleDesk } from "./people-desk.ts";
import { decisionBody, listQuery, mailQuery } from "./queries.ts";

/** More waits than anybody decides on at one sitting. */
const MAX_WAITING = 200;

/** Plain pages: what waits and what was, and one approval. Reading them has no effect; only their forms decide. */
export function pageRoutes(desk: PeopleDesk, asking: Asking, hasOutbox: boolean): Hono<AuthenticatedEnv> {
  const waitingFor = async (principal: Principal) =>
    (await desk.list(principal, { waiting: "any", limit: MAX_WAITING, after: undefined })).items.filter(
      ({ mayDecide, mayCancel }) => mayDecide || mayCancel,
    );
  return new Hono<AuthenticatedEnv>()
    .get("/", async (c) => {
      const principal = c.get("principal");
      const { items, next } = await desk.list(principal, readFilters(c, listQuery));
      return c.html(listPage({ principal, waiting: await waitingFor(principal), history: items, next, hasOutbox }));
    })
    .get("/by-mail", async (c) => {
      const principal = c.get("principal");
      const { token } = readQuery(c, mailQuery);
      return c.html(approvalPage({ principal, seen: await desk.byMail(principal, token), token }));
    })
    .get("/:id", async (c) => {
      const principal = c.get("principal");
      const seen = await desk.find(principal, c.req.param("id"));
      return c.html(approvalPage({ principal, seen, token: undefined }));
    })
    .post("/:id/decision", async (c) => {
      await desk.decide(asking(c), c.req.param("id"), await readBody(c, decisionBody));
      return c.redirect(`/approvals/${c.req.param("id")}`, 303);
    })
    .post("/:id/cancel", async (c) => {
      await desk.cancel(asking(c), c.req.param("id"));
      return c.redirect(`/approvals/${c.req.param("id")}`, 303);
    })
    .post("/:id/revoke", async (c) => {
      await desk.revoke(asking(c), c.req.param("id"));
      return c.redirect(`/approvals/${c.req.param("id")}`, 303);
    });
}
