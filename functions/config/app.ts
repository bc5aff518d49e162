import { Hono, type MiddlewareHandler } from "hono";
import { type BundleFiles, MAX_BUNDLE_BYTES, versionOf } from "../../core/config/bundle-files.ts";
import { asSallyportError, SallyportError } from "../../core/errors.ts";
import { isMember, type Principal } from "../../core/identity/principal.ts";
import type { PublishedVersion } from "../../core/ports/configuration-store.ts";
import { type AuthenticatedEnv, authenticated } from "../shared/authenticated.ts";
import { securityHeaders } from "../shared/html.ts";
import { problemHandler, problemNotFound } from "../shared/problem.ts";
import { boundedBody, readBody, readFilters } from "../shared/request.ts";
import type { ConfigDeps } from "./deps.ts";
import { publishWritten } from "./publish.ts";
import { bundleBody, versionsQuery } from "./queries.ts";

/** Texts of people as JSON: few of their bytes are escaped. Lambda takes 6 MB with all that is around a body. */
const MAX_BODY_BYTES = MAX_BUNDLE_BYTES + (1 << 20);

/** A publishing as programs see it. */
interface VersionView {
  readonly version: string;
  readonly by: string;
  readonly at: string;
}

/** Checks and publishes configurations, for administrators. Mount it at the root: `root.route("/", configApp(deps))`. */
export function configApp(deps: ConfigDeps): Hono<AuthenticatedEnv> {
  const app = new Hono<AuthenticatedEnv>();
  app.onError(problemHandler(deps.logger));
  app.notFound(problemNotFound(app));
  for (const path of ["/api/config", "/api/config/*"])
    app.use(path, securityHeaders(), boundedBody(MAX_BODY_BYTES), authenticated(deps), onlyFor(deps.admins));
  app.post("/api/config", async (c) => {
    const { files, expected } = await readBody(c, bundleBody);
    const asked = { by: c.get("principal"), from: deps.clientAddress(c) };
    return c.json(versionView(await publish(deps, asked, new Map(Object.entries(files)), expected)), 201);
  });
  app.get("/api/config/versions", async (c) => {
    const { limit } = readFilters(c, versionsQuery);
    return c.json({ versions: (await deps.configurations.versions(limit)).map(versionView) });
  });
  return app;
}

/** What is wrong with it is the publisher's to mend, and no fault of ours. */
async function publish(
  deps: ConfigDeps,
  asked: { by: Principal; from: string },
  files: BundleFiles,
  expected: PublishedVersion["version"] | undefined,
): Promise<PublishedVersion> {
  const about = { principal: asked.by.id, version: versionOf(files) };
  try {
    const published = await publishWritten(deps, asked, files, expected);
    deps.logger.info(about, "a configuration was published");
    return published;
  } catch (thrown) {
    const { code, message } = asSallyportError(thrown, "internal", "it failed");
    deps.logger.warn({ ...about, code }, "a configuration was not published");
    if (code === "configuration-invalid") throw new SallyportError("bad-request", message, { cause: thrown });
    throw thrown;
  }
}

function onlyFor(groups: readonly string[]): MiddlewareHandler<AuthenticatedEnv> {
  return async (c, next) => {
    if (!isMember(c.get("principal"), groups))
      throw new SallyportError("access-denied", "configurations are for administrators", {
        hint: `ask somebody of ${groups.join(", ")}`,
      });
    await next();
  };
}

function versionView({ version, by, at }: PublishedVersion): VersionView {
  return { version, by, at: new Date(at).toISOString() };
}
