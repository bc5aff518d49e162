import { setTimeout as sleep } from "node:timers/promises";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { SallyportError } from "../../core/errors.ts";
import type { PrincipalId } from "../../core/identity/principal.ts";
import { MAX_REMEMBERED_SSH_KEYS, MAX_SSH_KEYS, SSH_KEY_RESERVED_MS } from "../../core/identity/ssh-key.ts";
import type { SshFingerprint, SshKey, SshKeyStore } from "../../core/ports/ssh-key-store.ts";
import { ABSENT, type Item, type Key, type Write } from "./expressions.ts";
import { partition, ttlAt } from "./keys.ts";
import { asking, type Table } from "./table.ts";

/** As many as a person may have keys, registered at once, and as much again for those of others. */
const ATTEMPTS = 2 * MAX_SSH_KEYS;
const WAIT_MS = 15;

/** A key as kept; `seq` orders those of one millisecond. */
interface KeptKey extends SshKey {
  readonly removedAt: number | undefined;
  readonly seq: number;
}

/** All keys of a person that are theirs or reserved: MAX_REMEMBERED_SSH_KEYS at most. */
interface Roster {
  readonly revision: number;
  readonly keys: readonly KeptKey[];
}

/**
 * The port on the table `people`. A person's keys are one item, of a revision, so that the limits hold however many register at
 * once; each key is an item besides, by its fingerprint. Both are written by one transaction.
 */
export function dynamoSshKeyStore(client: DynamoDBClient, tableName: string, deadlineMs?: number): SshKeyStore {
  const ask = asking(client, tableName, deadlineMs);
  return {
    register: (key) => ask("keep a public key", (table) => decided(() => register(table, key))).then(() => undefined),
    listFor: (owner) =>
      ask("list public keys", async (table) => {
        const { keys } = await rosterOf(table, owner);
        const live = keys.filter(({ removedAt }) => removedAt === undefined);
        return live.toSorted((a, b) => b.registeredAt - a.registeredAt || b.seq - a.seq).map(toKey);
      }),
    find: (fingerprint) =>
      ask("find a public key", async (table) => {
        const found = await look(table, fingerprint);
        return found?.removedAt === undefined ? found && toKey(found) : undefined;
      }),
    remove: (owner, fingerprint, at) =>
      ask("remove a public key", (table) => decided(() => remove(table, owner, fingerprint, at))),
  };
}

/** Reads, judges and writes until nobody was in between. Undefined: somebody was. */
async function decided<T>(step: () => Promise<T | undefined>): Promise<T> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const outcome = await step();
    if (outcome !== undefined) return outcome;
    await sleep(Math.random() * WAIT_MS * attempt);
  }
  throw new SallyportError("store-unavailable", "too many change these keys at once", { hint: "Try again." });
}

async function register(table: Table, key: SshKey): Promise<true | undefined> {
  const forgotten = key.registeredAt - SSH_KEY_RESERVED_MS;
  const remembered = (kept: KeptKey): boolean => kept.removedAt === undefined || kept.removedAt > forgotten;
  const stored = await look(table, key.fingerprint);
  const found = stored && remembered(stored) ? stored : undefined;
  if (found !== undefined && found.owner !== key.owner)
    throw new SallyportError("conflict", "this key is, or was lately, somebody else's", {
      hint: "Make one of your own: ssh-keygen -t ed25519",
    });
  const roster = await rosterOf(table, key.owner);
  const keys = roster.keys.filter(remembered);
  const others = keys.filter(({ fingerprint }) => fingerprint !== key.fingerprint);
  if (found !== undefined && found.removedAt === undefined) {
    const relabelled = { ...found, label: key.label };
    return written(table, roster, [...others, relabelled], relabelled, stored);
  }
  demandRoom(keys, found);
  const next = { ...toKey(key), removedAt: undefined, seq: roster.revision };
  return written(table, roster, [...others, next], next, stored);
}

function demandRoom(keys: readonly KeptKey[], found: KeptKey | undefined): void {
  const live = keys.filter(({ removedAt }) => removedAt === undefined).length;
  if (live >= MAX_SSH_KEYS)
    throw new SallyportError("limit-exceeded", `you have ${live} keys, which is as many as one may`, {
      hint: "Remove one that you do not use.",
    });
  if (found === undefined && keys.length >= MAX_REMEMBERED_SSH_KEYS)
    throw new SallyportError("limit-exceeded", "you have removed too many keys lately", {
      hint: "Register one that you had, or come back in some days.",
    });
}

async function remove(
  table: Table,
  owner: PrincipalId,
  fingerprint: SshFingerprint,
  at: number,
): Promise<boolean | undefined> {
  const found = await look(table, fingerprint);
  if (found === undefined || found.owner !== owner || found.removedAt !== undefined) return false;
  const roster = await rosterOf(table, owner);
  const removed = { ...found, removedAt: at };
  const others = roster.keys.filter((kept) => kept.fingerprint !== fingerprint);
  return written(table, roster, [...others, removed], removed, found);
}

/** The roster of the next revision, and the one key that is another now; undefined where either has changed since it was read. */
async function written(
  table: Table,
  { revision }: Roster,
  keys: readonly KeptKey[],
  changed: KeptKey,
  before: KeptKey | undefined,
): Promise<true | undefined> {
  const owner = changed.owner;
  const roster: Write = {
    put: { ...rosterKey(owner), revision: revision + 1, keys: keys.map(keptItem) },
    ...(revision === 0 ? { when: ABSENT } : { when: "#revision = :revision", values: { revision } }),
  };
  const ttl = changed.removedAt === undefined ? undefined : ttlAt(changed.removedAt + SSH_KEY_RESERVED_MS);
  const put = { ...fingerprintKey(changed.fingerprint), ...keptItem(changed), ttl };
  const same = "#owner = :owner AND #seq = :seq AND #registeredAt = :at"; // a removal changes none of those: the roster tells
  const unchanged =
    before === undefined
      ? { when: ABSENT }
      : { when: same, values: { owner: before.owner, seq: before.seq, at: before.registeredAt } };
  return (await table.transact([roster, { put, ...unchanged }])) ? true : undefined;
}

function fingerprintKey(fingerprint: string): Key {
  return { pk: partition("ssh-key", fingerprint), sk: "ssh-key" };
}

function rosterKey(owner: string): Key {
  return { pk: partition("ssh-keys-of", owner), sk: "ssh-keys" };
}

async function look(table: Table, fingerprint: string): Promise<KeptKey | undefined> {
  const found = await table.get(fingerprintKey(fingerprint));
  return found && toKept(found);
}

async function rosterOf(table: Table, owner: PrincipalId): Promise<Roster> {
  const found = await table.get(rosterKey(owner));
  return found === undefined
    ? { revision: 0, keys: [] }
    : { revision: found["revision"], keys: found["keys"].map(toKept) };
}

function keptItem({ fingerprint, type, owner, label, registeredAt, removedAt, seq }: KeptKey): Item {
  return { fingerprint, type, owner, label, registeredAt, removedAt, seq };
}

function toKept({ fingerprint, type, owner, label, registeredAt, removedAt, seq }: Item): KeptKey {
  return { fingerprint, type, owner, label, registeredAt, removedAt, seq };
}

function toKey({ fingerprint, type, owner, label, registeredAt }: SshKey): SshKey {
  return { fingerprint, type, owner, label, registeredAt };
}
