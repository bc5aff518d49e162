import type { DatabaseSync } from "node:sqlite";
import type { LeaseStore } from "../core/ports/lease-store.ts";
import { stored } from "./database.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS leases (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT;
`;

/** One statement decides and writes: two tasks that claim at once cannot both find the lease free. */
const ACQUIRE = `
  INSERT INTO leases (name, holder, expires_at) VALUES (:name, :holder, :expiresAt)
  ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
  WHERE leases.holder = excluded.holder OR leases.expires_at <= :now`;

/** Leases in SQLite. A lease ends at the instant `now + ttlMs` at which it was last acquired. */
export function sqliteLeaseStore(db: DatabaseSync): LeaseStore {
  db.exec(SCHEMA);
  const acquire = db.prepare(ACQUIRE);
  const release = db.prepare("DELETE FROM leases WHERE name = ? AND holder = ?");
  return {
    acquire: (name, holder, now, ttlMs) =>
      stored(
        "acquire the lease",
        () => acquire.run({ ":name": name, ":holder": holder, ":now": now, ":expiresAt": now + ttlMs }).changes === 1,
      ),
    release: (name, holder) =>
      stored("release the lease", () => {
        release.run(name, holder);
      }),
  };
}
