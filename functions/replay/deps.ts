import type { Logger } from "pino";
import type { ChunkStore } from "../../core/ports/chunk-store.ts";
import type { SessionStore } from "../../core/ports/session-store.ts";
import type { PublicJwk } from "../../core/ports/signer.ts";
import type { AuthenticationDeps } from "../shared/authenticated.ts";

export interface ReplayDeps extends AuthenticationDeps {
  readonly sessions: Pick<SessionStore, "get" | "list">;
  readonly chunks: ChunkStore;
  /** The keys that sign manifests, past ones included. */
  readonly publicKeys: readonly PublicJwk[];
  /** The groups whose members see everybody's sessions. */
  readonly auditors: readonly string[];
  readonly logger: Logger;
}
