import type { Logger } from "pino";
import { SallyportError } from "../core/errors.ts";
import type { SessionEvent } from "../core/recording/events.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { PassId, PassStore } from "../core/ports/pass-store.ts";
import type { CloseReason, SessionId } from "../core/ports/session-store.ts";

/** How often the store is asked which passes were revoked: one question for all sessions. */
const REVOCATION_POLL_MS = 1_000;
/** Invariant 5: revoking access ends live sessions within 5 s. Who cannot know for so long whether it was revoked ends them too. */
const REVOCATION_BLIND_MS = 4_500;
/** A pass is judged up to 30 s before its session is live, and clocks of tasks differ: ask that much further back. */
const OVERLAP_MS = 60_000;

/** A session as seen by what may have to end it. */
export interface LiveSession {
  readonly id: SessionId;
  readonly pass: PassId;
  end(reason: CloseReason, error: SallyportError): void;
  /** Its client asks that what it runs be cancelled: answers whether that was held here, and never at the target. */
  cancel(): boolean;
  /** Adds to its recording what its own connection does not say. */
  record(event: SessionEvent): void;
}

export interface LiveSessions {
  add(session: LiveSession): void;
  remove(session: LiveSession): void;
  get(id: SessionId): LiveSession | undefined;
  readonly size: number;
  endAll(reason: CloseReason, error: SallyportError): void;
  /** Stops asking for revocations. A session that is added after that ends at once. */
  close(): void;
}

/** The sessions of this task. Those whose pass is revoked end; if that cannot be known for too long, all of them do. */
export function watchSessions(passes: PassStore, clock: Clock, logger: Logger): LiveSessions {
  const byId = new Map<SessionId, LiveSession>();
  let since = clock();
  let answeredAt = performance.now();
  let asking = false;
  let closed = false;

  const endAll = (reason: CloseReason, error: SallyportError): void => {
    for (const session of byId.values()) session.end(reason, error);
  };

  const endRevoked = (revoked: ReadonlySet<PassId>): void => {
    for (const session of byId.values())
      if (revoked.has(session.pass))
        session.end("pass-revoked", new SallyportError("pass-revoked", "your pass was revoked; the session has ended"));
  };

  const endIfBlind = (): void => {
    if (performance.now() - answeredAt < REVOCATION_BLIND_MS) return;
    const message = "the gateway cannot tell whether your pass is still good";
    endAll("recording-failed", new SallyportError("store-unavailable", message));
  };

  async function poll(): Promise<void> {
    if (asking) return endIfBlind(); // a store that does not answer is no better than one that fails
    const asked = clock();
    asking = true;
    try {
      endRevoked(new Set(await passes.revokedSince(since - OVERLAP_MS)));
      since = asked;
      answeredAt = performance.now();
    } catch (error) {
      logger.error({ err: error }, "the store does not say which passes were revoked");
      endIfBlind();
    } finally {
      asking = false;
    }
  }

  const timer = setInterval(() => void poll(), REVOCATION_POLL_MS);
  return {
    add(session) {
      byId.set(session.id, session);
      if (closed) session.end("shutting-down", new SallyportError("shutting-down", "the gateway is being shut down"));
    },
    remove: (session) => void byId.delete(session.id),
    get: (id) => byId.get(id),
    get size() {
      return byId.size;
    },
    endAll,
    close() {
      closed = true;
      clearInterval(timer);
    },
  };
}
