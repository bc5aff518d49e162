import type { AuditRecord } from "../../core/audit/account-events.ts";
import { causesOf } from "../shared/problem.ts";
import type { AuthDeps } from "./deps.ts";

/** Writes down what came to nothing. Its own error is what the caller is told, whether it could be written or not. */
export async function attempted(
  { audit, logger }: Pick<AuthDeps, "audit" | "logger">,
  record: AuditRecord,
): Promise<void> {
  try {
    await audit(record);
  } catch (thrown) {
    logger.error({ causes: causesOf(thrown), event: record.draft.code }, "a refusal is in no audit log");
  }
}
