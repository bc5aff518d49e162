import { SallyportError } from "../errors.ts";
import type { AuditBatch } from "../ports/audit-log.ts";
import type { OcsfEvent } from "./ocsf.ts";

const BATCH_ID = /^[A-Za-z0-9][A-Za-z0-9-]{0,99}$/;
/** Years of four digits: what a partition can be called. */
const MAX_TIME = Date.UTC(9999, 11, 31);

/** One object of the audit log: events of one day. */
export interface AuditObject {
  /** `audit/date=YYYY-MM-DD/<batch>.ndjson.gz`, the day in UTC: Hive's way to name a partition, which Athena and DuckDB know. */
  readonly key: string;
  readonly events: readonly OcsfEvent[];
}

function dayOf({ time }: OcsfEvent): string {
  if (!(time >= 0 && time <= MAX_TIME)) throw new SallyportError("recording-corrupt", "an event is of no day");
  return new Date(time).toISOString().slice(0, 10);
}

/**
 * A batch as objects: one, or one for each day where midnight lies in it, so that a day's partition holds that day's events and
 * no others. Keys follow from the batch's id and its events' times alone.
 */
export function auditObjects({ id, events }: AuditBatch): AuditObject[] {
  if (!BATCH_ID.test(id)) throw new SallyportError("bad-request", "a batch's id has letters, digits and hyphens");
  const days = Map.groupBy(events, dayOf);
  return [...days].map(([day, of]) => ({ key: `audit/date=${day}/${id}.ndjson.gz`, events: of }));
}

/** Newline-delimited JSON: an event a line, in UTF-8, with a newline after the last. */
export function ndjson(events: readonly OcsfEvent[]): string {
  return events.map((event) => `${JSON.stringify(event)}\n`).join("");
}
