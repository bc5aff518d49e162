import { randomUUID } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { SallyportError } from "../core/errors.ts";
import type { Principal, PrincipalId } from "../core/identity/principal.ts";
import type { NewPass, Pass, PassId, PassStore } from "../core/ports/pass-store.ts";
import { stored } from "./database.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS passes (
    id TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    principal_id TEXT NOT NULL,
    principal TEXT NOT NULL,
    connection TEXT,
    label TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER
  ) STRICT;
  CREATE INDEX IF NOT EXISTS passes_of_principal ON passes (principal_id, issued_at);
  CREATE INDEX IF NOT EXISTS passes_revoked ON passes (revoked_at) WHERE revoked_at IS NOT NULL;
`;

const COLUMNS = "id, principal, connection, label, issued_at, expires_at, revoked_at";

const row = z.object({
  id: z.string(),
  principal: z.string(),
  connection: z.string().nullable(),
  label: z.string(),
  issued_at: z.number(),
  expires_at: z.number(),
  revoked_at: z.number().nullable(),
});

/** A principal as the stores keep it: JSON. */
const storedPrincipal = z.object({
  kind: z.enum(["user", "service"]),
  id: z.string(),
  name: z.string(),
  groups: z.array(z.string()),
  actors: z.array(z.string()).optional(),
  actorNames: z.array(z.string()).optional(),
});

export function principalToText({ kind, id, name, groups, actors, actorNames }: Principal): string {
  return JSON.stringify({ kind, id, name, groups, actors, actorNames });
}

export function principalFromText(text: string): Principal {
  const { id, actors, actorNames, ...rest } = storedPrincipal.parse(JSON.parse(text));
  return {
    ...rest,
    id: id as PrincipalId,
    ...(actors === undefined ? {} : { actors: actors as PrincipalId[] }),
    ...(actorNames === undefined ? {} : { actorNames }),
  };
}

/** The port on SQLite. Makes its table where there is none. */
export function sqlitePassStore(db: DatabaseSync): PassStore {
  db.exec(SCHEMA);
  const insert = db.prepare(`
    INSERT INTO passes (id, hash, principal_id, principal, connection, label, issued_at, expires_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`);
  const byHash = db.prepare(`SELECT ${COLUMNS} FROM passes WHERE hash = ?`);
  const byId = db.prepare(`SELECT ${COLUMNS} FROM passes WHERE id = ?`);
  const byPrincipal = db.prepare(
    `SELECT ${COLUMNS} FROM passes WHERE principal_id = ? ORDER BY issued_at DESC, rowid DESC LIMIT ?`,
  );
  const revoke = db.prepare("UPDATE passes SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?");
  const revoked = db.prepare("SELECT id FROM passes WHERE revoked_at >= ? ORDER BY revoked_at");
  const one = (found: unknown): Pass | undefined => (found === undefined ? undefined : toPass(found));

  return {
    find: (hash) => stored("look up a pass", () => one(byHash.get(hash))),
    get: (id) => stored("look up a pass", () => one(byId.get(id))),
    issue: (pass) =>
      stored("issue a pass", () => {
        const id = randomUUID() as PassId;
        if (insert.run(...values(id, pass)).changes === 0)
          throw new SallyportError("conflict", "this pass was issued before");
        const { hash: _hash, ...kept } = pass;
        return { ...kept, id, revokedAt: undefined };
      }),
    revoke: (id, at) =>
      stored("revoke a pass", () => {
        revoke.run(at, id);
        return one(byId.get(id));
      }),
    listFor: (principal, limit) => stored("list passes", () => byPrincipal.all(principal, limit).map(toPass)),
    revokedSince: (since) =>
      stored("list revoked passes", () => revoked.all(since).map(({ id }) => z.string().parse(id) as PassId)),
  };
}

function values(id: PassId, pass: NewPass): (string | number | null)[] {
  const { hash, principal, connection, label, issuedAt, expiresAt } = pass;
  return [id, hash, principal.id, principalToText(principal), connection ?? null, label, issuedAt, expiresAt];
}

function toPass(found: unknown): Pass {
  const { id, principal, connection, label, issued_at, expires_at, revoked_at } = row.parse(found);
  return {
    id: id as PassId,
    principal: principalFromText(principal),
    connection: connection ?? undefined,
    label,
    issuedAt: issued_at,
    expiresAt: expires_at,
    revokedAt: revoked_at ?? undefined,
  };
}
