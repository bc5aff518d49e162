import { randomUUID } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import type { Lease, LeaseStore } from "../core/ports/lease-store.ts";
import { stored } from "./database.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS leases (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    version TEXT NOT NULL
  ) STRICT;
`;

/** One statement decides and writes: two tasks that claim at once cannot both find the lease free. */
const ACQUIRE = `
  INSERT INTO leases (name, holder, version) VALUES (?, ?, ?)
  ON CONFLICT (name) DO UPDATE SET version = excluded.version
  WHERE leases.holder = excluded.holder`;
const TAKE_OVER = "UPDATE leases SET holder = ?, version = ? WHERE name = ? AND version = ?";

/** Leases in SQLite. */
export function sqliteLeaseStore(db: DatabaseSync): LeaseStore {
  db.exec(SCHEMA);
  const acquire = db.prepare(ACQUIRE);
  const look = db.prepare("SELECT holder, version FROM leases WHERE name = ?");
  const takeOver = db.prepare(TAKE_OVER);
  const release = db.prepare("DELETE FROM leases WHERE name = ? AND holder = ?");
  return {
    acquire: (name, holder) => stored("acquire the lease", () => acquire.run(name, holder, randomUUID()).changes === 1),
    look: (name) => stored("read the lease", () => look.get(name) as Lease | undefined),
    takeOver: (name, holder, version) =>
      stored("take over the lease", () => takeOver.run(holder, randomUUID(), name, version).changes === 1),
    release: (name, holder) =>
      stored("release the lease", () => {
        release.run(name, holder);
      }),
  };
}
