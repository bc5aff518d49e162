import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { SallyportError } from "../core/errors.ts";
import type { PrincipalId } from "../core/identity/principal.ts";
import { MAX_REMEMBERED_SSH_KEYS, MAX_SSH_KEYS, SSH_KEY_RESERVED_MS } from "../core/identity/ssh-key.ts";
import type { SshFingerprint, SshKey, SshKeyStore } from "../core/ports/ssh-key-store.ts";
import { inTransaction, stored } from "./database.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS ssh_keys (
    fingerprint TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    owner TEXT NOT NULL,
    label TEXT NOT NULL,
    registered_at INTEGER NOT NULL,
    removed_at INTEGER
  ) STRICT;
  CREATE INDEX IF NOT EXISTS ssh_keys_of ON ssh_keys (owner, registered_at);
  CREATE INDEX IF NOT EXISTS ssh_keys_removed ON ssh_keys (removed_at) WHERE removed_at IS NOT NULL;
`;

const row = z.object({
  fingerprint: z.string(),
  type: z.string(),
  owner: z.string(),
  label: z.string(),
  registered_at: z.number(),
  removed_at: z.number().nullable(),
});
const counts = z.object({ live: z.number(), remembered: z.number() });

/** The port on SQLite. Makes its table where there is none. */
export function sqliteSshKeyStore(db: DatabaseSync): SshKeyStore {
  db.exec(SCHEMA);
  const live = db.prepare("SELECT * FROM ssh_keys WHERE fingerprint = ? AND removed_at IS NULL");
  const byOwner = db.prepare(
    "SELECT * FROM ssh_keys WHERE owner = ? AND removed_at IS NULL ORDER BY registered_at DESC, rowid DESC",
  );
  const remove = db.prepare(
    "UPDATE ssh_keys SET removed_at = ? WHERE fingerprint = ? AND owner = ? AND removed_at IS NULL",
  );
  const register = registering(db);
  return {
    register: (key) => stored("keep a public key", () => inTransaction(db, () => register(key))),
    listFor: (owner) => stored("list public keys", () => byOwner.all(owner).map(toKey)),
    find: (fingerprint) =>
      stored("find a public key", () => {
        const found = live.get(fingerprint);
        return found && toKey(found);
      }),
    remove: (owner, fingerprint, at) =>
      stored("remove a public key", () => remove.run(at, fingerprint, owner).changes > 0),
  };
}

function registering(db: DatabaseSync): (key: SshKey) => void {
  const forget = db.prepare("DELETE FROM ssh_keys WHERE removed_at <= ?");
  const any = db.prepare("SELECT * FROM ssh_keys WHERE fingerprint = ?");
  const relabel = db.prepare("UPDATE ssh_keys SET label = ? WHERE fingerprint = ?");
  const count = db.prepare(`
    SELECT count(*) AS remembered, count(*) FILTER (WHERE removed_at IS NULL) AS live FROM ssh_keys WHERE owner = ?`);
  const put = db.prepare(`
    INSERT OR REPLACE INTO ssh_keys (fingerprint, type, owner, label, registered_at) VALUES (?, ?, ?, ?, ?)`);
  return ({ fingerprint, type, owner, label, registeredAt }) => {
    forget.run(registeredAt - SSH_KEY_RESERVED_MS);
    const found = row.optional().parse(any.get(fingerprint));
    if (found !== undefined && found.owner !== owner)
      throw new SallyportError("conflict", "this key is, or was lately, somebody else's", {
        hint: "Make one of your own: ssh-keygen -t ed25519",
      });
    if (found !== undefined && found.removed_at === null) return void relabel.run(label, fingerprint);
    const { live, remembered } = counts.parse(count.get(owner));
    if (live >= MAX_SSH_KEYS)
      throw new SallyportError("limit-exceeded", `you have ${live} keys, which is as many as one may`, {
        hint: "Remove one that you do not use.",
      });
    if (found === undefined && remembered >= MAX_REMEMBERED_SSH_KEYS)
      throw new SallyportError("limit-exceeded", "you have removed too many keys lately", {
        hint: "Register one that you had, or come back in some days.",
      });
    put.run(fingerprint, type, owner, label, registeredAt);
  };
}

function toKey(found: unknown): SshKey {
  const { fingerprint, type, owner, label, registered_at } = row.parse(found);
  return {
    fingerprint: fingerprint as SshFingerprint,
    type,
    owner: owner as PrincipalId,
    label,
    registeredAt: registered_at,
  };
}
