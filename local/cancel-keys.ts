import { createHash } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { SallyportError } from "../core/errors.ts";
import type { CancelKeys, CancelTarget } from "../core/ports/cancel-keys.ts";
import type { SessionId } from "../core/ports/session-store.ts";
import { stored } from "./database.ts";

/** PostgreSQL 18 §54.7 BackendKeyData: "The minimum and maximum key length are 4 and 256 bytes". */
const MIN_SECRET_BYTES = 4;
const MAX_SECRET_BYTES = 256;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS cancel_keys (
    process_id INTEGER NOT NULL,
    secret_hash BLOB NOT NULL,
    session TEXT NOT NULL,
    connection TEXT NOT NULL,
    target_process_id INTEGER NOT NULL,
    target_secret BLOB NOT NULL,
    PRIMARY KEY (process_id, secret_hash)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS cancel_keys_by_session ON cancel_keys (session);
`;

const PUT = `
  INSERT INTO cancel_keys (process_id, secret_hash, session, connection, target_process_id, target_secret)
  VALUES (?, ?, ?, ?, ?, ?)
  ON CONFLICT (process_id, secret_hash) DO UPDATE SET
    connection = excluded.connection, target_process_id = excluded.target_process_id,
    target_secret = excluded.target_secret
  WHERE cancel_keys.session = excluded.session`;

interface Stored {
  readonly session: string;
  readonly connection: string;
  readonly target_process_id: number;
  readonly target_secret: Uint8Array;
}

function toTarget(row: Stored): CancelTarget {
  return {
    session: row.session as SessionId,
    connection: row.connection,
    processId: row.target_process_id,
    secret: row.target_secret,
  };
}

const isSecret = (secret: Uint8Array): boolean =>
  secret.length >= MIN_SECRET_BYTES && secret.length <= MAX_SECRET_BYTES;

const hash = (secret: Uint8Array): Buffer => createHash("sha256").update(secret).digest();

/** Cancel keys in SQLite. A key that another session holds is a `conflict`: give that client another secret. */
export function sqliteCancelKeys(db: DatabaseSync): CancelKeys {
  db.exec(SCHEMA);
  const put = db.prepare(PUT);
  const find = db.prepare("SELECT * FROM cancel_keys WHERE process_id = ? AND secret_hash = ?");
  const remove = db.prepare("DELETE FROM cancel_keys WHERE session = ?");
  return {
    put: (processId, clientSecret, target) =>
      stored("keep the cancel key", () => {
        if (!isSecret(clientSecret)) throw new SallyportError("bad-request", "a cancel key has 4 to 256 bytes");
        const { session, connection, processId: targetProcessId, secret } = target;
        const { changes } = put.run(processId, hash(clientSecret), session, connection, targetProcessId, secret);
        if (changes === 0) throw new SallyportError("conflict", "another session holds this cancel key");
      }),
    find: (processId, clientSecret) =>
      stored("find the cancel key", () => {
        if (!isSecret(clientSecret)) return undefined;
        const row = find.get(processId, hash(clientSecret)) as Stored | undefined;
        return row && toTarget(row);
      }),
    remove: (session) =>
      stored("remove the cancel keys", () => {
        remove.run(session);
      }),
  };
}
