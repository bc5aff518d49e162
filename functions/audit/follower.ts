import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { SallyportError } from "../../core/errors.ts";
import type { AuditProgress } from "../../core/ports/audit-progress.ts";
import type { ChunkStore } from "../../core/ports/chunk-store.ts";
import type { SessionId } from "../../core/ports/session-store.ts";
import { causesOf } from "../shared/problem.ts";
import type { ChunkAuditor } from "./app.ts";

/** Sessions that wait to be followed, 36 bytes each; what comes beyond is found by the index again. */
const MAX_WAITING = 10_000;
/** Sessions of the index that are read at a time. */
const PAGE = 200;
/** Chunks between two writes of how far a session is: each is a flush of the disk. */
const CHUNKS_A_MARK = 64;
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 30_000;

export interface FollowerDeps {
  readonly auditor: ChunkAuditor;
  readonly progress: AuditProgress;
  readonly logger: Logger;
  /** Before the first retry of what failed; twice as long before each that follows. */
  readonly retryMs?: number;
}

export interface AuditFollower {
  /** A chunk of this session was stored. Returns at once and never throws. */
  readonly stored: (session: SessionId) => void;
  /** Resolves when nothing is left to follow that can be. */
  idle(): Promise<void>;
  /** Follows nothing any more; resolves when nothing is under way. What is left is found at the next start. */
  close(): Promise<void>;
}

/**
 * Follows recordings into the audit log, on one machine: behind the uploader, one chunk at a time, by itself. What waits is the
 * sessions, not their chunks, which the store keeps; so an outage of the log costs nothing but time. What a dead process left is
 * found in the index at the start.
 */
export function auditFollower({ auditor, progress, logger, retryMs = FIRST_RETRY_MS }: FollowerDeps): AuditFollower {
  const waiting = new Set<SessionId>();
  /** How far each unfinished session is, which is written down now and then. */
  const reached = new Map<SessionId, number>();
  const stop = new AbortController();
  let scan = true;
  let running: Promise<void> | undefined;

  /** To the last chunk that is there: one that is not stored yet is told of later. */
  const follow = async (session: SessionId): Promise<void> => {
    let next = reached.get(session) ?? (await progress.next(session));
    for (let closed = false; !closed && !stop.signal.aborted;) {
      const derived = await deriveOne(session, next);
      if (derived === undefined) break;
      ({ closed } = derived);
      next++;
      reached.set(session, next);
      if (closed || next % CHUNKS_A_MARK === 0) await progress.reached(session, next);
      if (closed) reached.delete(session);
    }
  };
  const deriveOne = async (session: SessionId, sequence: number): Promise<{ closed: boolean } | undefined> => {
    try {
      return await auditor.derive({ session, sequence });
    } catch (thrown) {
      const code = thrown instanceof SallyportError ? thrown.code : "internal";
      if (code === "not-found") return undefined;
      if (code !== "recording-corrupt") throw thrown;
      logger.error({ session, sequence, causes: causesOf(thrown) }, "a chunk's events are in no audit log");
      return { closed: false };
    }
  };
  const takeNext = (): SessionId | undefined => {
    for (const session of waiting) {
      waiting.delete(session);
      return session;
    }
    return undefined;
  };
  const scanIndex = async (): Promise<void> => {
    scan = false;
    let after: SessionId | undefined;
    do {
      const page: SessionId[] = await progress.behind(after, PAGE);
      for (const session of page) {
        if (stop.signal.aborted) return;
        await follow(session);
      }
      after = page.at(-1);
    } while (after !== undefined);
  };
  const work = async (): Promise<void> => {
    let delay = retryMs;
    while (!stop.signal.aborted && (scan || waiting.size > 0)) {
      const session = scan ? undefined : takeNext();
      try {
        await (session === undefined ? scanIndex() : follow(session));
        delay = retryMs;
      } catch (thrown) {
        logger.error({ session, causes: causesOf(thrown) }, "the audit log is behind");
        if (session === undefined) scan = true;
        else waiting.add(session);
        await sleep(delay, undefined, { signal: stop.signal, ref: false }).catch(() => {});
        delay = Math.min(delay * 2, MAX_RETRY_MS);
      }
    }
    running = undefined;
  };
  const start = (): void => {
    if (!stop.signal.aborted) running ??= work();
  };
  start();
  return {
    stored: (session) => {
      if (waiting.size < MAX_WAITING) waiting.add(session);
      else scan = true;
      start();
    },
    idle: async () => {
      for (let now = running; now !== undefined; now = running) await now;
    },
    close: async () => {
      stop.abort();
      await running;
      for (const [session, next] of reached) await progress.reached(session, next).catch(() => {});
    },
  };
}

/** The same store, which tells the follower of each chunk that it has. */
export function followedChunks(chunks: ChunkStore, stored: AuditFollower["stored"]): ChunkStore {
  return {
    ...chunks,
    put: async (key, body, sha256) => {
      await chunks.put(key, body, sha256);
      stored(key.session);
    },
    ...(chunks.adopt !== undefined && {
      adopt: async (batch: Parameters<NonNullable<ChunkStore["adopt"]>>[0]) => {
        const adopted = (await chunks.adopt?.(batch)) === true;
        if (adopted) for (const session of new Set(batch.map((chunk) => chunk.session))) stored(session);
        return adopted;
      },
    }),
  };
}
