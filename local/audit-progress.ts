import type { DatabaseSync } from "node:sqlite";
import type { AuditProgress } from "../core/ports/audit-progress.ts";
import type { SessionId } from "../core/ports/session-store.ts";
import { stored } from "./database.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS audit_progress (
    session TEXT PRIMARY KEY,
    next INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

const REACHED = `
  INSERT INTO audit_progress (session, next) VALUES (?, ?)
  ON CONFLICT (session) DO UPDATE SET next = excluded.next WHERE excluded.next > audit_progress.next`;

/** Ids of version 7 sort by their sessions' start. A session without an end may have chunks that the index does not know. */
const BEHIND = `
  SELECT sessions.id AS id FROM sessions LEFT JOIN audit_progress ON audit_progress.session = sessions.id
  WHERE sessions.id > ? AND (sessions.chunks IS NULL OR sessions.chunks > coalesce(audit_progress.next, 0))
  ORDER BY sessions.id LIMIT ?`;

/** The port on SQLite, beside the table of sessions, which must be there. */
export function sqliteAuditProgress(db: DatabaseSync): AuditProgress {
  db.exec(SCHEMA);
  const next = db.prepare("SELECT next FROM audit_progress WHERE session = ?");
  const reached = db.prepare(REACHED);
  const behind = db.prepare(BEHIND);
  return {
    next: (session) => stored("read how far the audit log is", () => Number(next.get(session)?.["next"] ?? 0)),
    reached: (session, at) =>
      stored("write how far the audit log is", () => {
        reached.run(session, at);
      }),
    behind: (after, limit) =>
      stored("read how far the audit log is", () =>
        behind.all(after ?? "", limit).map(({ id }) => String(id) as SessionId),
      ),
  };
}
