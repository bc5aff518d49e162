import { asSallyportError } from "../errors.ts";
import type { AuditLog } from "../ports/audit-log.ts";
import type { AuditRecord } from "./account-events.ts";
import { ocsfEvent } from "./ocsf.ts";

/** Writes one event down for good. Throws `store-unavailable`: whoever asked is told so (ADR 0022). */
export type Audit = (record: AuditRecord) => Promise<void>;

/**
 * The way to the audit log for what happens one by one.
 * @param newId a new id for each event: letters, digits and hyphens, such as a UUID's
 */
export function auditTo(log: AuditLog, newId: () => string): Audit {
  return async ({ draft, at }) => {
    const id = newId();
    await log.append({ id, events: [ocsfEvent(draft, id, at)] });
  };
}

/**
 * Grants something by `change`. It is written before it takes effect, so that nothing is granted that is not written; should the
 * change fail, that is written too, where it can be.
 */
export async function grantWritten<T>(
  audit: Audit,
  record: (failed?: { code: string; message: string }) => AuditRecord,
  change: () => Promise<T>,
): Promise<T> {
  await audit(record());
  try {
    return await change();
  } catch (thrown) {
    const { code, message } = asSallyportError(thrown, "internal", "it failed");
    await audit(record({ code, message })).catch(() => {}); // what failed is told all the same
    throw thrown;
  }
}
