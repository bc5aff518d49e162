import type { OcsfEvent } from "../../core/audit/ocsf.ts";
import { auditObjects } from "../../core/audit/batch.ts";
import { SallyportError } from "../../core/errors.ts";
import type { AuditLog } from "../../core/ports/audit-log.ts";

/** An audit log that a test looks into, and can make fail. */
export interface MemoryAudit extends AuditLog {
  readonly events: OcsfEvent[];
  readonly batches: string[];
  down: boolean;
  codes(): string[];
}

export function memoryAudit(): MemoryAudit {
  const audit: MemoryAudit = {
    events: [],
    batches: [],
    down: false,
    append: async (batch) => {
      if (audit.down) throw new SallyportError("store-unavailable", "the audit log could not be written");
      if (auditObjects(batch).length === 0 || audit.batches.includes(batch.id)) return;
      audit.batches.push(batch.id);
      audit.events.push(...batch.events);
    },
    codes: () => audit.events.map(({ metadata }) => metadata.event_code),
  };
  return audit;
}
