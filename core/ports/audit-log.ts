import type { OcsfEvent } from "../audit/ocsf.ts";

/** Events that are written together, and once. */
export interface AuditBatch {
  /** Letters, digits and hyphens, at most 100: the same for the same events, however often they are derived. */
  readonly id: string;
  readonly events: readonly OcsfEvent[];
}

/** Where audit events go, for good: nothing reads them back but people, with Athena or DuckDB. */
export interface AuditLog {
  /**
   * Writes a batch durably: when this returns it survives the loss of power. The first batch of an id stays; the same id again
   * writes nothing, so that whoever does not know whether it succeeded tries again. A batch without events writes nothing.
   * Throws `store-unavailable`; then a part of the batch may be written, and the same batch again writes the rest.
   */
  append(batch: AuditBatch): Promise<void>;
}
