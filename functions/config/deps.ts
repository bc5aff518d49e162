import type { Context } from "hono";
import type { Logger } from "pino";
import type { Audit } from "../../core/audit/audit.ts";
import type { ConfigurationStore } from "../../core/ports/configuration-store.ts";
import type { AuthenticationDeps } from "../shared/authenticated.ts";

export interface ConfigDeps extends AuthenticationDeps {
  readonly configurations: Pick<ConfigurationStore, "publish" | "versions">;
  /** The groups whose members publish configurations, and see which there were. */
  readonly admins: readonly string[];
  readonly logger: Logger;
  /** Every change is written before it is answered (ADR 0022). */
  readonly audit: Audit;
  /** The address that a request came from, as the server that took it knows; never a header that the client wrote. */
  clientAddress(c: Context): string;
}
