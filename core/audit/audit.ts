import { asSallyportError } from "../errors.ts";
import { redactPasses } from "../identity/pass.ts";
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
    await log.append({ id, events: [withoutPasses(ocsfEvent(draft, id, at))] });
  };
}

/** Whatever people write may hold a pass, in a label or where a connection's name belongs: none is kept (invariant 7). */
function withoutPasses<T>(value: T): T {
  if (typeof value === "string") return redactPasses(value) as T;
  if (Array.isArray(value)) return value.map(withoutPasses) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withoutPasses(inner)])) as T;
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
