import { createHash } from "node:crypto";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { Instant } from "../../core/brand.ts";
import { SallyportError } from "../../core/errors.ts";
import type {
  SessionClosing,
  SessionId,
  SessionOpening,
  SessionQuery,
  SessionRow,
  SessionStore,
} from "../../core/ports/session-store.ts";
import { ABSENT, type Item, type Key, type Write } from "./expressions.ts";
import { order, orderFrom, ORDER_END, partition } from "./keys.ts";
import { asking, type Table } from "./table.ts";
import {
  ALWAYS,
  allByTime,
  dayMark,
  dayPartition,
  forgetDayOf,
  mainItems,
  merged,
  oldestFirst,
  pageOf,
  type View,
  view,
} from "./views.ts";

/** What lives is written when it opens and when it closes: over so many partitions. */
const LIVE_SHARDS = 8;

/** May be asked more than the port demands: an operator's question. */
export interface DynamoSessionStore extends SessionStore {
  /** The live sessions of a task, newest first. */
  liveOf(task: string, limit: number): Promise<SessionRow[]>;
}

/**
 * The index of sessions on the table `sessions`. A session is one item, with one more in each view that it is listed by; all of
 * them are written by one transaction. `from` is inclusive, `to` exclusive.
 */
export function dynamoSessionStore(client: DynamoDBClient, tableName: string, deadlineMs?: number): DynamoSessionStore {
  const ask = asking(client, tableName, deadlineMs);
  const marked = new Set<string>();
  return {
    open: (row) => ask("open the session", (table) => open(table, row, marked)),
    close: (id, closing) => ask("close the session", (table) => close(table, id, closing)),
    get: (id) => ask("find the session", (table) => find(table, id)),
    list: (query) => ask("list sessions", (table) => list(table, query)),
    closedBefore: (at, limit) => ask("list old sessions", (table) => closedBefore(table, at, limit)),
    forget: (id) => ask("forget the session", (table) => forget(table, id)),
    liveOf: (task, limit) =>
      ask("list sessions", (table) =>
        pageOf(view(table, { pk: partition("task", task) }), { ...ALWAYS, limit }, loading(table, true)),
      ),
  };
}

function sessionKey(id: string): Key {
  return { pk: partition("session", id), sk: "session" };
}

function placeOf({ startedAt, id }: Pick<SessionOpening, "startedAt" | "id">): string {
  return order(startedAt, id);
}

/** The partitions that a session is listed in for good. */
function historyOf({ principalId, connection }: SessionOpening, place: string): string[] {
  const both = partition("both", JSON.stringify([principalId, connection]));
  return [dayPartition(place), partition("person", principalId), partition("connection", connection), both];
}

/** The partitions that a session is listed in while it lives. */
function liveOf({ id, task }: Pick<SessionOpening, "id" | "task">): string[] {
  const shard = createHash("sha256").update(id).digest().readUInt8() % LIVE_SHARDS;
  return [liveShard(shard), partition("task", task)];
}

function liveShard(shard: number): string {
  return `live#${shard}`;
}

async function open(table: Table, row: SessionOpening, marked: Set<string>): Promise<void> {
  const place = placeOf(row);
  const day = dayPartition(place);
  if (!marked.has(day)) await table.write(dayMark(place));
  marked.add(day);
  const { id, protocol, connection, principalId, principalName, actors, passId, client, task, startedAt } = row;
  const main = { id, protocol, connection, principalId, principalName, actors, passId, client, task, startedAt };
  const entry = (pk: string): Write => ({ put: { pk, sk: place, id, principalId, connection } });
  const opened = await table.transact([
    { put: { ...sessionKey(id), ...main }, when: ABSENT },
    ...historyOf(row, place).map(entry),
    ...liveOf(row).map(entry),
  ]);
  if (!opened) throw new SallyportError("conflict", "a session of this id is there already");
}

const CLOSE = `SET #endedAt = :endedAt, #reason = :reason, #statements = :statements, #bytesFromClient = :bytesFromClient,
  #bytesFromTarget = :bytesFromTarget, #chunks = :chunks, #head = :head`;

async function close(table: Table, id: SessionId, closing: SessionClosing): Promise<void> {
  const found = await find(table, id);
  if (found === undefined) throw new SallyportError("not-found", "there is no such session");
  if (found.closing !== undefined) return;
  const { endedAt, reason, statements, bytesFromClient, bytesFromTarget, chunks, head } = closing;
  // Lost to another who closes: theirs was first, and stays.
  await table.transact([
    {
      update: sessionKey(id),
      as: CLOSE,
      when: "attribute_exists(#pk) AND attribute_not_exists(#endedAt)",
      values: { endedAt, reason, statements, bytesFromClient, bytesFromTarget, chunks, head },
    },
    ...liveOf(found).map((pk): Write => ({ delete: { pk, sk: placeOf(found) } })),
  ]);
}

async function find(table: Table, id: SessionId): Promise<SessionRow | undefined> {
  const found = await table.get(sessionKey(id));
  return found && toRow(found);
}

async function list(table: Table, query: SessionQuery): Promise<SessionRow[]> {
  const { from = 0, limit, live } = query;
  const range = { from: orderFrom(from), below: await belowOf(table, query) };
  return pageOf(viewOf(table, query), { ...range, limit }, loading(table, live));
}

async function belowOf(table: Table, { to, after }: SessionQuery): Promise<string> {
  const end = to === undefined ? ORDER_END : orderFrom(to);
  if (after === undefined) return end;
  const last = await find(table, after);
  if (!last) throw new SallyportError("not-found", "the session to continue after is not there");
  const place = placeOf(last);
  return place < end ? place : end;
}

/** Who ended before this began before it. Days are read from the first on; what lives on of an old day is passed over. */
async function closedBefore(table: Table, at: Instant, limit: number): Promise<SessionRow[]> {
  const rows: SessionRow[] = [];
  for await (const entries of oldestFirst(table, orderFrom(at))) {
    const closed = await loading(table, false)(entries);
    rows.push(...closed.filter(({ closing }) => closing !== undefined && closing.endedAt < at));
    if (rows.length >= limit) break;
  }
  return rows.slice(0, limit);
}

async function forget(table: Table, id: SessionId): Promise<void> {
  const found = await find(table, id);
  if (found?.closing === undefined) return;
  const place = placeOf(found);
  // All or nothing: a row that its day does not list any more would be found by nobody who looks for old ones.
  const entries = historyOf(found, place).map((pk): Write => ({ delete: { pk, sk: place } }));
  await table.transact([...entries, { delete: sessionKey(id) }]);
  await forgetDayOf(table, place);
}

/** Live sessions are few, whosever they are; of closed ones the view leaves nothing to skip but the state. */
function viewOf(table: Table, { principalId, connection, live }: SessionQuery): View {
  if (live) {
    const filters = [principalId !== undefined && "#principalId = :principalId", connection !== undefined && "#connection = :connection"]; // prettier-ignore
    const filter = filters.filter((one) => one !== false).join(" AND ");
    const only = filter === "" ? {} : { filter, values: { principalId, connection } };
    return merged(Array.from({ length: LIVE_SHARDS }, (_, shard) => view(table, { pk: liveShard(shard), ...only })));
  }
  if (principalId !== undefined && connection !== undefined)
    return view(table, { pk: partition("both", JSON.stringify([principalId, connection])) });
  if (principalId !== undefined) return view(table, { pk: partition("person", principalId) });
  return connection === undefined ? allByTime(table) : view(table, { pk: partition("connection", connection) });
}

/** An entry is read before what it points to, which may have ended meanwhile. */
function loading(table: Table, live: boolean | undefined): (entries: readonly Item[]) => Promise<SessionRow[]> {
  return async (entries) => {
    const keys = entries.map(({ id }) => sessionKey(String(id)));
    const rows = (await mainItems(table, keys)).map(toRow);
    return live === undefined ? rows : rows.filter(({ closing }) => (closing === undefined) === live);
  };
}

function toRow(item: Item): SessionRow {
  const { id, protocol, connection, principalId, principalName, actors, passId, client, task, startedAt } = item;
  const opening = { id, protocol, connection, principalId, principalName, passId, client, task, startedAt };
  return { ...(opening as SessionOpening), ...(actors !== undefined && { actors }), closing: closingOf(item) };
}

function closingOf(item: Item): SessionClosing | undefined {
  const { endedAt, reason, statements, bytesFromClient, bytesFromTarget, chunks, head } = item;
  if (endedAt === undefined) return undefined;
  return { endedAt, reason, statements, bytesFromClient, bytesFromTarget, chunks, head };
}
