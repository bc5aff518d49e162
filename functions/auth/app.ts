import { Hono } from "hono";
import { openApiRoute } from "../openapi/route.ts";
import { boundedBody } from "../shared/request.ts";
import { securityHeaders, stylesheet } from "../shared/html.ts";
import { problemHandler, problemNotFound } from "../shared/problem.ts";
import { apiRoutes } from "./api-routes.ts";
import { asOfNow } from "./as-of-now.ts";
import type { AuthDeps } from "./deps.ts";
import { deviceRoutes } from "./device-routes.ts";
import { exchangeRoutes } from "./exchange-routes.ts";
import { homeRoutes } from "./home-routes.ts";
import { samlRoutes } from "./saml-routes.ts";
import { peopleRoutes } from "./people-routes.ts";
import { signInRoutes } from "./sign-in-routes.ts";
import { waysToSignIn } from "./sign-in-ways.ts";
import { sshRoutes } from "./ssh-routes.ts";

/**
 * Signing in and out, passes, public keys, the device flow, and the home page. Mount it at the root: `root.route("/", authApp(deps))`.
 * Throws `configuration-invalid` when a URL of `deps` cannot be trusted.
 */
export function authApp(deps: AuthDeps): Hono {
  const app = new Hono();
  app.onError(problemHandler(deps.logger));
  app.notFound(problemNotFound(app));
  app.use(securityHeaders(), boundedBody());
  app.get("/assets/sallyport.css", stylesheet);
  app.route("/", openApiRoute());
  const ways = waysToSignIn(deps);
  const issuing = { ...deps, asOfNow: asOfNow(deps, ways) };
  app.route("/", signInRoutes(deps, ways));
  app.route("/", samlRoutes(deps, ways));
  app.route("/", deviceRoutes(issuing));
  app.route("/", apiRoutes(issuing));
  app.route("/", sshRoutes(deps));
  app.route("/", exchangeRoutes(deps));
  app.route("/", peopleRoutes(deps));
  app.route("/", homeRoutes(issuing));
  return app;
}
