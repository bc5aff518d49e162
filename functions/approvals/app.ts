import { Hono } from "hono";
import { type AuthenticatedEnv, authenticated } from "../shared/authenticated.ts";
import { securityHeaders } from "../shared/html.ts";
import { problemHandler, problemNotFound } from "../shared/problem.ts";
import { boundedBody } from "../shared/request.ts";
import { siteOf } from "../shared/site.ts";
import { apiRoutes } from "./api-routes.ts";
import type { ApprovalsDeps, Asking } from "./deps.ts";
import { outboxPage } from "./outbox-page.ts";
import { pageRoutes } from "./page-routes.ts";
import { peopleDesk } from "./people-desk.ts";

/** Mails that a page shows. */
const MAX_MAILS = 50;

/**
 * Approvals for people: /api/approvals for programs, /approvals for browsers. A request is seen by its requester, by members of
 * the groups that it asks, and by auditors; to others it does not exist. Mount it at the root: `root.route("/", approvalsApp(deps))`.
 */
export function approvalsApp(deps: ApprovalsDeps): Hono<AuthenticatedEnv> {
  const { outbox } = deps;
  const { origin } = siteOf(deps.baseUrl);
  const desk = peopleDesk(deps);
  const asking: Asking = (c) => ({ by: c.get("principal"), from: deps.clientAddress(c) });
  const app = new Hono<AuthenticatedEnv>();
  app.onError(problemHandler(deps.logger));
  app.notFound(problemNotFound(app));
  const signedIn = authenticated(deps);
  for (const path of ["/api/approvals/*", "/approvals/*", "/outbox"])
    app.use(path, securityHeaders(), boundedBody(), signedIn);
  app.route("/api/approvals", apiRoutes(desk, asking));
  app.route("/approvals", pageRoutes(desk, asking, outbox !== undefined));
  if (outbox !== undefined)
    app.get("/outbox", async (c) => {
      const principal = c.get("principal");
      // The address that the identity provider vouches for, and no name that a person may have chosen.
      const email = (await deps.people.find(principal.id))?.email;
      const mails = email === undefined ? [] : await outbox.list(email, MAX_MAILS);
      return c.html(outboxPage(principal, origin, mails));
    });
  return app;
}
