import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { foldName } from "../../core/approval/same-person.ts";
import type { PrincipalId } from "../../core/identity/principal.ts";
import type { KnownPerson, PeopleStore } from "../../core/ports/people-store.ts";
import type { Item, Key } from "./expressions.ts";
import { order, orderFrom, ORDER_END, partition } from "./keys.ts";
import { asking, type Table } from "./table.ts";
import { mainItems, pageOf, view } from "./views.ts";

/** One sign-in may tell of a thousand groups: so many of its entries are written at a time. */
const AT_A_TIME = 25;

/**
 * The port on the table `people`. A person is one item, and that is the truth; groups and addresses have entries that point to it.
 * A person may be in more groups than a transaction has room for, so that entries are written before the person and removed after:
 * one that the person does not bear out, by time and group, counts for nothing.
 */
export function dynamoPeopleStore(client: DynamoDBClient, tableName: string, deadlineMs?: number): PeopleStore {
  const ask = asking(client, tableName, deadlineMs);
  return {
    signedIn: (person) => ask("keep who signed in", async (table) => void (await write(table, person))),
    toldAgain: (person) => ask("keep what was told of a person", (table) => write(table, person, "#seenAt = :seenAt")),
    find: (id) =>
      ask("find a person", async (table) => {
        const found = await table.get(personKey(id));
        return found && toPerson(found);
      }),
    inGroup: (group, since, limit) =>
      ask("list a group", (table) => {
        const members = view(table, { pk: partition("group", group) });
        return pageOf(members, { from: orderFrom(since), below: ORDER_END, limit }, async (entries) => {
          const people = await peopleOf(table, entries);
          const borne = new Set(entries.map(({ sk }) => sk));
          return people.filter((one) => one.groups.includes(group) && borne.has(order(one.seenAt, one.id)));
        });
      }),
    withEmail: (email) =>
      ask("find a person", async (table) => {
        const people = await peopleOf(table, await table.query({ pk: emailPartition(email) }));
        return people.filter((one) => isWith(one, email)).toSorted((one, other) => other.seenAt - one.seenAt);
      }),
  };
}

function personKey(id: string): Key {
  return { pk: partition("person", id), sk: "person" };
}

function emailPartition(email: string): string {
  return partition("email", foldName(email));
}

function isWith(person: KnownPerson, email: string): boolean {
  return person.email !== undefined && foldName(person.email) === foldName(email);
}

/** What points to a person. */
function entriesOf({ id, email, groups, seenAt }: KnownPerson): Key[] {
  const sk = order(seenAt, id);
  const memberships = [...new Set(groups)].map((group) => ({ pk: partition("group", group), sk }));
  return email === undefined ? memberships : [...memberships, { pk: emailPartition(email), sk: personKey(id).pk }];
}

/** @returns whether the condition held. Where it did not, it is the new entries that go again. */
async function write(table: Table, person: KnownPerson, when?: string): Promise<boolean> {
  const { id, name, email, groups, seenAt, freshUntil } = person;
  await each(entriesOf(person), (entry) => table.write({ put: { ...entry, id } }));
  const put = { ...personKey(id), id, name, email, groups: [...groups], seenAt, freshUntil };
  const { done, before } = await table.write(when === undefined ? { put } : { put, when, values: { seenAt } });
  const other = before && toPerson(before);
  const [truth, past] = done ? [person, other] : [other, person];
  const kept = new Set(truth && entriesOf(truth).map(({ pk, sk }) => JSON.stringify([pk, sk])));
  const lost = past === undefined ? [] : entriesOf(past).filter(({ pk, sk }) => !kept.has(JSON.stringify([pk, sk])));
  await each(lost, (entry) => table.write({ delete: entry }));
  return done;
}

async function each(entries: readonly Key[], work: (entry: Key) => Promise<unknown>): Promise<void> {
  for (let start = 0; start < entries.length; start += AT_A_TIME)
    await Promise.all(entries.slice(start, start + AT_A_TIME).map(work));
}

async function peopleOf(table: Table, entries: readonly Item[]): Promise<KnownPerson[]> {
  const ids = new Set(entries.map(({ id }) => String(id)));
  return (await mainItems(table, [...ids].map(personKey))).map(toPerson);
}

/** Of whom nobody has written how long it holds, the provider is asked again. */
function toPerson({ id, name, email, groups, seenAt, freshUntil = 0 }: Item): KnownPerson {
  return { id: id as PrincipalId, name: String(name), email, groups, seenAt, freshUntil };
}
