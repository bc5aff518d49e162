import { randomUUID } from "node:crypto";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { SallyportError } from "../../core/errors.ts";
import type { NewPass, Pass, PassHash, PassId, PassStore } from "../../core/ports/pass-store.ts";
import { ABSENT, type Item, type Key } from "./expressions.ts";
import { order, orderFrom, partition, ttlAt } from "./keys.ts";
import { principalItem, principalOf } from "./principal.ts";
import { asking, type Table } from "./table.ts";
import { mainItems } from "./views.ts";

/** So long its owner can still be told what was wrong with a pass, and see it in the list. */
const PASS_MEMORY_MS = 30 * 24 * 60 * 60 * 1000;

/**
 * Revocations are people's acts, some in a second at the very most, and a partition takes a thousand: one partition keeps them, so
 * that every task gets the new ones by one strongly consistent query.
 */
const REVOKED = "revoked";

/** The port on the table `passes`: a pass is found by one read of its hash; its id and its owner point there. */
export function dynamoPassStore(client: DynamoDBClient, tableName: string, deadlineMs?: number): PassStore {
  const ask = asking(client, tableName, deadlineMs);
  return {
    find: (hash) => ask("look up a pass", (table) => byHash(table, hash)),
    get: (id) => ask("look up a pass", (table) => byId(table, id)),
    issue: (pass) => ask("issue a pass", (table) => issue(table, pass)),
    revoke: (id, at) => ask("revoke a pass", (table) => revoke(table, id, at)),
    listFor: (principal, limit) =>
      ask("list passes", async (table) => {
        const pk = partition("person", principal);
        const entries = await table.query({ pk, newestFirst: true, limit });
        return (await mainItems(table, entries.map(({ hash }) => hashKey(String(hash))))).map(toPass); // prettier-ignore
      }),
    revokedSince: (since) =>
      ask("list revoked passes", async (table) => {
        const found = await table.query({ pk: REVOKED, from: orderFrom(since) });
        return found.map(({ id }) => id as PassId);
      }),
  };
}

function hashKey(hash: string): Key {
  return { pk: partition("pass", hash), sk: "pass" };
}

function idKey(id: string): Key {
  return { pk: partition("id", id), sk: "id" };
}

async function issue(table: Table, pass: NewPass): Promise<Pass> {
  const id = randomUUID() as PassId;
  const { hash, principal, connection, label, issuedAt, expiresAt } = pass;
  const ttl = ttlAt(expiresAt + PASS_MEMORY_MS);
  const main = { id, hash, principal: principalItem(principal), connection, label, issuedAt, expiresAt, ttl };
  const issued = await table.transact([
    { put: { ...hashKey(hash), ...main }, when: ABSENT },
    { put: { ...idKey(id), hash, ttl }, when: ABSENT },
    { put: { pk: partition("person", principal.id), sk: order(issuedAt, id), hash, ttl } },
  ]);
  if (!issued) throw new SallyportError("conflict", "this pass was issued before");
  return { id, principal, connection, label, issuedAt, expiresAt, revokedAt: undefined };
}

async function revoke(table: Table, id: PassId, at: number): Promise<Pass | undefined> {
  const pass = await byId(table, id);
  if (pass === undefined || pass.revokedAt !== undefined) return pass;
  const hash = String((await table.get(idKey(id)))?.["hash"]);
  const ttl = ttlAt(pass.expiresAt + PASS_MEMORY_MS);
  // Lost to another who revokes: theirs was first, and stays.
  await table.transact([
    {
      update: hashKey(hash),
      as: "SET #revokedAt = :at",
      when: "attribute_exists(#pk) AND attribute_not_exists(#revokedAt)",
      values: { at },
    },
    { put: { pk: REVOKED, sk: order(at, id), id, ttl } },
  ]);
  return byHash(table, hash as PassHash);
}

async function byHash(table: Table, hash: PassHash): Promise<Pass | undefined> {
  const found = await table.get(hashKey(hash));
  return found && toPass(found);
}

async function byId(table: Table, id: PassId): Promise<Pass | undefined> {
  const found = await table.get(idKey(id));
  return found && byHash(table, String(found["hash"]) as PassHash);
}

function toPass({ id, principal, connection, label, issuedAt, expiresAt, revokedAt }: Item): Pass {
  const kept = { id, connection, label, issuedAt, expiresAt, revokedAt } as Omit<Pass, "principal">;
  return { ...kept, principal: principalOf(principal) };
}
