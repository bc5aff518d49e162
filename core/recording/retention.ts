import type { Instant } from "../brand.ts";
import type { SessionId, SessionStore } from "../ports/session-store.ts";

export interface RetentionDeps {
  readonly sessions: Pick<SessionStore, "closedBefore" | "forget">;
  /** Removes what is kept of a session beside its row, where nothing else does; removing it twice is fine. */
  readonly remove: (session: SessionId) => Promise<void>;
}

/** At a time, so that whatever is asked meanwhile has its turn. */
const AT_ONCE = 100;

/**
 * Forgets sessions that ended before this, those first that began longest ago. A recording goes before its row: what is cut short in
 * between leaves a row that says that its recording is gone, and goes with the next look.
 * @param most how many at most
 * @returns how many. Throws as the store does, and `remove`.
 */
export async function forgetEndedBefore(
  { sessions, remove }: RetentionDeps,
  before: Instant,
  most: number,
): Promise<number> {
  let forgotten = 0;
  while (forgotten < most) {
    const wanted = Math.min(AT_ONCE, most - forgotten);
    const rows = await sessions.closedBefore(before, wanted);
    for (const { id } of rows) {
      await remove(id);
      await sessions.forget(id);
      forgotten++;
    }
    if (rows.length < wanted) break;
  }
  return forgotten;
}
