import type { SessionId } from "./session-store.ts";

/**
 * How far the audit log has followed each session's recording, where nothing but our own process tells of new chunks. It may lag
 * behind what is written, never be ahead of it: what is derived again is written once. Throws `store-unavailable`.
 */
export interface AuditProgress {
  /** The first chunk of a session whose events may not be written; 0 where nothing is known of it. */
  next(session: SessionId): Promise<number>;
  /** All chunks before this one are written. A smaller number than is there changes nothing. */
  reached(session: SessionId, next: number): Promise<void>;
  /** Sessions of the index that have chunks which may not be written, oldest first, behind this one; at most `limit`. */
  behind(after: SessionId | undefined, limit: number): Promise<SessionId[]>;
}
