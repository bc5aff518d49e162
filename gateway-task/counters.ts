import type { SessionEvent } from "../core/recording/events.ts";

/** What judging came to: what was refused or held, and what became of what was held. */
type CountedVerdict = "block" | "hold" | "granted" | "denied" | "expired" | "cancelled";

/** What has happened since these were last read: sums only, so that counting costs the data path an addition. */
export interface Counters {
  readonly verdicts: Record<CountedVerdict, number>;
  maskedValues: number;
  /** Calls to the chunk store that failed; each is made again. */
  uploadFailures: number;
  /** Lines of the log that are errors. */
  errors: number;
}

export function newCounters(): Counters {
  return {
    verdicts: { block: 0, hold: 0, granted: 0, denied: 0, expired: 0, cancelled: 0 },
    maskedValues: 0,
    uploadFailures: 0,
    errors: 0,
  };
}

/** Counts what a recording is told: a few events a session, and none for what is simply allowed. */
export function countEvent(counters: Counters, event: SessionEvent): void {
  if (event.type === "verdict") counters.verdicts[event.kind]++;
  else if (event.type === "approval") counters.verdicts[event.outcome]++;
  else if (event.type === "masked") for (const count of Object.values(event.values)) counters.maskedValues += count;
}

/** What was counted, which begins at nothing again. */
export function takeCounts(counters: Counters): Counters {
  const taken = { ...counters, verdicts: { ...counters.verdicts } };
  Object.assign(counters, { ...newCounters(), verdicts: counters.verdicts });
  Object.assign(counters.verdicts, newCounters().verdicts);
  return taken;
}
