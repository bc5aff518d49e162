import type { Instant } from "../brand.ts";
import type { SessionId, SessionRow, SessionStore } from "../ports/session-store.ts";

export interface RetentionDeps {
  readonly sessions: Pick<SessionStore, "closedBefore" | "forget">;
  /** Removes what is kept of a session beside its row, where nothing else does; removing it twice is fine. */
  readonly remove: (session: SessionId) => Promise<void>;
}

/** At a time, so that whatever is asked meanwhile has its turn. */
const AT_ONCE = 100;
/** Then it is not the sessions that are at fault. */
const MOST_FAILURES = 20;

/**
 * Forgets sessions that ended before this, those first that began longest ago. A recording goes before its row: what is cut short in
 * between leaves a row that says that its recording is gone, and goes with the next look. One that cannot be removed does not keep
 * the others.
 * @param most how many at most
 * @param signal ends it behind the session at hand
 * @returns how many. Throws as `closedBefore` does, and an AggregateError at the end where some could not be forgotten.
 */
export async function forgetEndedBefore(
  { sessions, remove }: RetentionDeps,
  before: Instant,
  most: number,
  signal?: AbortSignal,
): Promise<number> {
  const failures = new Map<SessionId, unknown>();
  let forgotten = 0;
  const goesOn = (): boolean => forgotten < most && failures.size < MOST_FAILURES && signal?.aborted !== true;
  const others = async (): Promise<SessionRow[]> =>
    (await sessions.closedBefore(before, AT_ONCE + failures.size)).filter(({ id }) => !failures.has(id));
  for (let rows = await others(); rows.length > 0 && goesOn(); rows = await others())
    for (const { id } of rows) {
      if (!goesOn()) break;
      try {
        await remove(id);
        await sessions.forget(id);
        forgotten++;
      } catch (thrown) {
        failures.set(id, thrown);
      }
    }
  if (failures.size > 0)
    throw new AggregateError(failures.values(), `${failures.size} sessions could not be forgotten, ${forgotten} were`);
  return forgotten;
}
