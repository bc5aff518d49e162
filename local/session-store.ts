import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Digest } from "../core/brand.ts";
import { SallyportError } from "../core/errors.ts";
import type { PrincipalId } from "../core/identity/principal.ts";
import type { PassId } from "../core/ports/pass-store.ts";
import type {
  CloseReason,
  Protocol,
  SessionClosing,
  SessionId,
  SessionQuery,
  SessionRow,
  SessionStore,
} from "../core/ports/session-store.ts";
import { addColumn, stored } from "./database.ts";

/** Each question that `list` answers has an index that ends in its order, so that a page costs a page. */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY,
    protocol TEXT NOT NULL,
    connection TEXT NOT NULL,
    principal_id TEXT NOT NULL,
    principal_name TEXT NOT NULL,
    pass_id TEXT NOT NULL,
    client TEXT NOT NULL,
    task TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    reason TEXT,
    statements INTEGER,
    bytes_from_client INTEGER,
    bytes_from_target INTEGER,
    chunks INTEGER,
    head TEXT
  ) STRICT;
  CREATE INDEX IF NOT EXISTS sessions_by_time ON sessions (started_at, id);
  CREATE INDEX IF NOT EXISTS sessions_by_principal ON sessions (principal_id, started_at, id);
  CREATE INDEX IF NOT EXISTS sessions_by_connection ON sessions (connection, started_at, id);
  CREATE INDEX IF NOT EXISTS sessions_by_both ON sessions (principal_id, connection, started_at, id);
  CREATE INDEX IF NOT EXISTS sessions_live ON sessions (started_at, id) WHERE ended_at IS NULL;
`;

const OPEN = `
  INSERT INTO sessions (id, protocol, connection, principal_id, principal_name, pass_id, client, task, started_at, actors)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`;

const CLOSE = `
  UPDATE sessions SET ended_at = ?, reason = ?, statements = ?, bytes_from_client = ?, bytes_from_target = ?,
    chunks = ?, head = ?
  WHERE id = ? AND ended_at IS NULL`;

interface Stored {
  readonly id: string;
  readonly protocol: string;
  readonly connection: string;
  readonly principal_id: string;
  readonly principal_name: string;
  readonly pass_id: string;
  readonly client: string;
  readonly task: string;
  readonly started_at: number;
  /** JSON. */
  readonly actors: string | null;
  readonly ended_at: number | null;
  readonly reason: string;
  readonly statements: number;
  readonly bytes_from_client: number;
  readonly bytes_from_target: number;
  readonly chunks: number;
  readonly head: string;
}

function closingOf(row: Stored): SessionClosing | undefined {
  if (row.ended_at === null) return undefined;
  return {
    endedAt: row.ended_at,
    reason: row.reason as CloseReason,
    statements: row.statements,
    bytesFromClient: row.bytes_from_client,
    bytesFromTarget: row.bytes_from_target,
    chunks: row.chunks,
    head: row.head as Digest,
  };
}

function toRow(row: Stored): SessionRow {
  return {
    id: row.id as SessionId,
    protocol: row.protocol as Protocol,
    connection: row.connection,
    principalId: row.principal_id as PrincipalId,
    principalName: row.principal_name,
    ...(row.actors === null ? {} : { actors: JSON.parse(row.actors) as PrincipalId[] }),
    passId: row.pass_id as PassId,
    client: row.client,
    task: row.task,
    startedAt: row.started_at,
    closing: closingOf(row),
  };
}

/** Live sessions are few, whosever they are; of closed ones the index leaves nothing to skip but the state. */
function indexFor({ principalId, connection, live }: SessionQuery): string {
  if (live) return "sessions_live";
  if (principalId !== undefined) return connection === undefined ? "sessions_by_principal" : "sessions_by_both";
  return connection === undefined ? "sessions_by_time" : "sessions_by_connection";
}

/**
 * The statement that lists sessions under these filters; its parameters stand in this order, the limit last.
 * It names its index: without statistics SQLite takes the connection's for a question about person and connection.
 */
function listing(query: SessionQuery): string {
  const conditions = ["(started_at, id) < (?, ?)", "started_at >= ?"];
  if (query.principalId !== undefined) conditions.push("principal_id = ?");
  if (query.connection !== undefined) conditions.push("connection = ?");
  if (query.live !== undefined) conditions.push(query.live ? "ended_at IS NULL" : "ended_at IS NOT NULL");
  return `SELECT * FROM sessions INDEXED BY ${indexFor(query)} WHERE ${conditions.join(" AND ")}
    ORDER BY started_at DESC, id DESC LIMIT ?`;
}

/** The place in (started_at, id) below which a page starts. */
type Below = readonly [number, string];

/** The index of sessions in SQLite. `from` is inclusive, `to` exclusive. */
export function sqliteSessionStore(db: DatabaseSync): SessionStore {
  db.exec(SCHEMA);
  addColumn(db, "sessions", "actors", "TEXT");
  const open = db.prepare(OPEN);
  const close = db.prepare(CLOSE);
  const get = db.prepare("SELECT * FROM sessions WHERE id = ?");
  // Who ended before this began before it: the index stops there.
  const old = db.prepare(`SELECT * FROM sessions INDEXED BY sessions_by_time
    WHERE started_at < ? AND ended_at < ? ORDER BY started_at, id LIMIT ?`);
  const forget = db.prepare("DELETE FROM sessions WHERE id = ? AND ended_at IS NOT NULL");
  const lists = new Map<string, StatementSync>();

  const find = (id: SessionId): SessionRow | undefined => {
    const row = get.get(id) as Stored | undefined;
    return row && toRow(row);
  };

  const start = (query: SessionQuery): Below => {
    const to: Below = [query.to ?? Number.MAX_SAFE_INTEGER, ""];
    if (query.after === undefined) return to;
    const last = find(query.after);
    if (!last) throw new SallyportError("not-found", "the session to continue after is not there");
    return last.startedAt < to[0] ? [last.startedAt, last.id] : to;
  };

  const list = (query: SessionQuery): SessionRow[] => {
    const sql = listing(query);
    const statement = lists.get(sql) ?? db.prepare(sql);
    lists.set(sql, statement);
    const filters = [query.principalId, query.connection].filter((value) => value !== undefined);
    const rows = statement.all(...start(query), query.from ?? 0, ...filters, query.limit) as unknown as Stored[];
    return rows.map(toRow);
  };

  return {
    open: (row) =>
      stored("open the session", () => {
        const { id, protocol, connection, principalId, principalName, passId, client, task, startedAt, actors } = row;
        const inserted = open.run(
          id,
          protocol,
          connection,
          principalId,
          principalName,
          passId,
          client,
          task,
          startedAt,
          actors === undefined ? null : JSON.stringify(actors),
        );
        if (inserted.changes === 0) throw new SallyportError("conflict", "a session of this id is there already");
      }),
    close: (id, closing) =>
      stored("close the session", () => {
        const { endedAt, reason, statements, bytesFromClient, bytesFromTarget, chunks, head } = closing;
        const updated = close.run(endedAt, reason, statements, bytesFromClient, bytesFromTarget, chunks, head, id);
        if (updated.changes === 0 && !find(id)) throw new SallyportError("not-found", "there is no such session");
      }),
    get: (id) => stored("find the session", () => find(id)),
    list: (query) => stored("list sessions", () => list(query)),
    closedBefore: (at, limit) =>
      stored("list old sessions", () => (old.all(at, at, limit) as unknown as Stored[]).map(toRow)),
    forget: (id) => stored("forget the session", () => void forget.run(id)),
  };
}
