import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import { type Audit, auditTo } from "../core/audit/audit.ts";
import type { ChunkStore } from "../core/ports/chunk-store.ts";
import { chunkAuditor } from "../functions/audit/app.ts";
import { auditFollower, followedChunks } from "../functions/audit/follower.ts";
import type { LocalState } from "../local/state.ts";

export interface Auditing {
  /** For what happens outside sessions. */
  readonly audit: Audit;
  /** The state's chunks, which the audit log follows. */
  readonly chunks: ChunkStore;
  /** Writes what is left, for as long as `withinMs` allows; the rest is written at the next start. */
  close(withinMs: number): Promise<void>;
}

/** The audit log on one machine: what is done is written at once, what recordings say when their chunks are stored. */
export function composeAudit(state: LocalState, logger: Logger): Auditing {
  const { auditLog: log, auditProgress: progress, chunks } = state;
  const follower = auditFollower({ auditor: chunkAuditor({ chunks, log }), progress, logger });
  return {
    audit: auditTo(log, randomUUID),
    chunks: followedChunks(chunks, follower.stored),
    close: async (withinMs) => {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, withinMs)));
      await Promise.race([follower.idle(), late]);
      clearTimeout(timer);
      await follower.close();
    },
  };
}
