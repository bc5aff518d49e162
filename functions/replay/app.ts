import { Hono } from "hono";
import { type AuthenticatedEnv, authenticated } from "../shared/authenticated.ts";
import { securityHeaders } from "../shared/html.ts";
import { problemHandler, problemNotFound } from "../shared/problem.ts";
import { apiRoutes } from "./api-routes.ts";
import type { ReplayDeps } from "./deps.ts";
import { pageRoutes } from "./page-routes.ts";
import { recordings } from "./recordings.ts";

/**
 * Lists sessions and replays them: /api/sessions for programs, /sessions for browsers. People see their own sessions,
 * auditors everybody's. Mount it at the root: `root.route("/", replayApp(deps))`.
 */
export function replayApp(deps: ReplayDeps): Hono<AuthenticatedEnv> {
  const all = recordings(deps);
  const app = new Hono<AuthenticatedEnv>();
  app.onError(problemHandler(deps.logger));
  app.notFound(problemNotFound(app));
  const signedIn = authenticated(deps);
  for (const path of ["/api/sessions/*", "/sessions/*"]) app.use(path, securityHeaders(), signedIn);
  // Public, as the authority's certificate is: who verifies a recording elsewhere need not be a user of this gateway.
  app.get("/api/signing-keys", securityHeaders(), (c) =>
    c.body(JSON.stringify({ keys: deps.publicKeys }), 200, { "Content-Type": "application/jwk-set+json" }),
  );
  app.route("/api/sessions", apiRoutes(deps, all));
  app.route("/sessions", pageRoutes(all));
  return app;
}
