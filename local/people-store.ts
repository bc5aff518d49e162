import type { DatabaseSync, StatementSync } from "node:sqlite";
import { z } from "zod";
import { foldName } from "../core/approval/same-person.ts";
import type { PrincipalId } from "../core/identity/principal.ts";
import type { KnownPerson, PeopleStore } from "../core/ports/people-store.ts";
import { addColumn, inTransaction, stored } from "./database.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS people (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT,
    folded_email TEXT,
    groups TEXT NOT NULL,
    seen_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS people_by_email ON people (folded_email) WHERE folded_email IS NOT NULL;
  CREATE TABLE IF NOT EXISTS people_groups (
    group_name TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    id TEXT NOT NULL REFERENCES people (id),
    PRIMARY KEY (group_name, seen_at, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS people_groups_of ON people_groups (id);
`;

const row = z.object({
  id: z.string().transform((id) => id as PrincipalId),
  name: z.string(),
  email: z.string().nullable(),
  groups: z.string(),
  seen_at: z.number(),
  fresh_until: z.number(),
});
const groupList = z.array(z.string());

/** The port on SQLite. Makes its tables where there are none. */
export function sqlitePeopleStore(db: DatabaseSync): PeopleStore {
  db.exec(SCHEMA);
  // Of whom nobody knows how long it holds, the provider is asked again.
  addColumn(db, "people", "fresh_until", "INTEGER NOT NULL DEFAULT 0");
  const put = db.prepare(`
    INSERT INTO people (name, email, folded_email, groups, fresh_until, id, seen_at) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, email = excluded.email, folded_email = excluded.folded_email,
      groups = excluded.groups, seen_at = excluded.seen_at, fresh_until = excluded.fresh_until`);
  const change = db.prepare(`
    UPDATE people SET name = ?, email = ?, folded_email = ?, groups = ?, fresh_until = ? WHERE id = ? AND seen_at = ?`);
  const leave = db.prepare("DELETE FROM people_groups WHERE id = ?");
  const join = db.prepare("INSERT INTO people_groups (group_name, seen_at, id) VALUES (?, ?, ?)");
  const byId = db.prepare("SELECT * FROM people WHERE id = ?");
  const byGroup = db.prepare(`
    SELECT people.* FROM people_groups AS g JOIN people USING (id)
    WHERE g.group_name = ? AND g.seen_at >= ? ORDER BY g.seen_at DESC, g.id LIMIT ?`);
  const byEmail = db.prepare("SELECT * FROM people WHERE folded_email = ? ORDER BY seen_at DESC");
  const write = (statement: StatementSync, { id, name, email, groups, seenAt, freshUntil }: KnownPerson): boolean =>
    inTransaction(db, () => {
      const folded = email === undefined ? null : foldName(email);
      const told = [name, email ?? null, folded, JSON.stringify(groups), freshUntil];
      if (statement.run(...told, id, seenAt).changes === 0) return false;
      leave.run(id);
      for (const group of new Set(groups)) join.run(group, seenAt, id);
      return true;
    });
  return {
    signedIn: (person) => stored("keep who signed in", () => void write(put, person)),
    toldAgain: (person) => stored("keep what was told of a person", () => write(change, person)),
    find: (id) =>
      stored("find a person", () => {
        const found = byId.get(id);
        return found && toPerson(found);
      }),
    inGroup: (group, since, limit) => stored("list a group", () => byGroup.all(group, since, limit).map(toPerson)),
    withEmail: (email) => stored("find a person", () => byEmail.all(foldName(email)).map(toPerson)),
  };
}

function toPerson(found: unknown): KnownPerson {
  const { id, name, email, groups, seen_at: seenAt, fresh_until: freshUntil } = row.parse(found);
  return { id, name, email: email ?? undefined, groups: groupList.parse(JSON.parse(groups)), seenAt, freshUntil };
}
