import { getConnInfo } from "@hono/node-server/conninfo";
import { type Context, Hono } from "hono";
import type { Logger } from "pino";
import type { Audit } from "../core/audit/audit.ts";
import type { Configuration } from "../core/config/configuration.ts";
import type { Provider } from "../core/config/identity.ts";
import { authApp } from "../functions/auth/app.ts";
import type { GatewayAddress } from "../functions/auth/deps.ts";
import { replayApp } from "../functions/replay/app.ts";
import { problemNotFound } from "../functions/shared/problem.ts";
import type { LocalState } from "../local/state.ts";
import type { Approvals } from "./approvals.ts";
import { canonicalHost } from "./canonical-host.ts";

/** The group whose members see everybody's sessions. */
export const AUDITORS = "auditors";
/** The group whose members may end others' access. */
const ADMINS = "admins";

interface PageParts {
  readonly audit: Audit;
  readonly url: string;
  readonly state: LocalState;
  readonly configuration: Configuration;
  readonly key: Uint8Array;
  readonly providers: readonly Provider[];
  readonly gateway: GatewayAddress;
  readonly approvals: Approvals;
  readonly logger: Logger;
}

/** Pages and API, all of them on one origin. */
export function pagesOf({
  audit,
  url,
  state,
  configuration,
  key,
  providers,
  gateway,
  approvals,
  logger,
}: PageParts): Hono {
  const common = { baseUrl: url, tokenKey: key, signIns: state.signIns, clock: Date.now, logger };
  const auth = authApp({
    ...common,
    providers,
    passes: state.passes,
    people: state.people,
    sessions: state.sessions,
    sshKeys: state.sshKeys,
    admins: [ADMINS],
    connections: () => [...configuration.connections().values()],
    services: configuration.services,
    gateway,
    audit,
    clientAddress,
  });
  const replay = replayApp({
    ...common,
    sessions: state.sessions,
    chunks: state.chunks,
    publicKeys: [state.signer.publicKey],
    auditors: [AUDITORS],
  });
  const root = new Hono().route("/", auth).route("/", replay).route("/", approvals.app);
  return root.notFound(problemNotFound(root));
}

/** Sends browsers that came by another name to the one that their sign-in belongs to. */
export function atCanonicalHost(url: string, pages: Hono): Hono {
  return new Hono().use(canonicalHost(url)).route("/", pages).notFound(problemNotFound(pages));
}

/** The socket's, whatever headers say. */
export function clientAddress(c: Context): string {
  return getConnInfo(c).remote.address?.replace(/^::ffff:/, "") ?? "unknown";
}
