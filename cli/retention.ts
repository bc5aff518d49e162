import type { Logger } from "pino";
import { forgetEndedBefore } from "../core/recording/retention.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { LocalState } from "../local/state.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A look's share: what is left is found by the next one. */
const MOST = 10_000;

interface Retention {
  readonly days: number;
  readonly state: Pick<LocalState, "sessions" | "removeRecording">;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Removes recordings of sessions that ended so many days ago, and their rows: now, and each hour. What fails is tried again then. */
export function keepFor({ days, state, clock, logger }: Retention): { close(): Promise<void> } {
  const stopping = new AbortController();
  const look = async (): Promise<void> => {
    try {
      const deps = { sessions: state.sessions, remove: state.removeRecording };
      const removed = await forgetEndedBefore(deps, clock() - days * DAY_MS, MOST, stopping.signal);
      if (removed > 0) logger.info({ removed, days }, "recordings whose time is over were removed");
    } catch (thrown) {
      logger.error({ err: thrown }, "recordings whose time is over could not be removed");
    }
  };
  let looking = look();
  const again = (): void => {
    looking = looking.then(look);
  };
  const timer = setInterval(again, HOUR_MS).unref();
  return {
    close: async () => {
      clearInterval(timer);
      stopping.abort();
      await looking;
    },
  };
}
