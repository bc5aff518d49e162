import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import {
  BatchGetItemCommand,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  DeleteItemCommand,
  QueryCommand,
  type QueryCommandOutput,
  TransactionCanceledException,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import { marshall, type NativeAttributeValue, unmarshall } from "@aws-sdk/util-dynamodb";
import { SallyportError } from "../../core/errors.ts";
import { answered } from "../answered.ts";
import { bound, isTooLarge, type Write, writeItem, writeParts } from "./expressions.ts";
import type { Item, Key } from "./expressions.ts";

/** BatchGetItem takes so many keys. */
const MAX_BATCH = 100;
/** Twenty who write to one item at once, and each round one of them wins; the deadline of `answered` is the other bound. */
const CONFLICT_ATTEMPTS = 40;
const CONFLICT_WAIT_MS = 20;

export interface Question {
  readonly pk: string;
  /** Sort keys from here, inclusive. */
  readonly from?: string;
  /** Sort keys to here, inclusive. */
  readonly to?: string;
  readonly newestFirst?: boolean;
  /** A filter expression, as in `Write`. */
  readonly filter?: string;
  readonly values?: Item;
  readonly limit?: number;
}

/** What a conditional write has come to, and the item that was there before. */
interface Written {
  readonly done: boolean;
  readonly before: Item | undefined;
}

/** One table, within one answer to a port's method. Every read is strongly consistent. */
export interface Table {
  get(key: Key): Promise<Item | undefined>;
  /** Those that are there, in no order. */
  getAll(keys: readonly Key[]): Promise<Item[]>;
  query(question: Question): Promise<Item[]>;
  count(question: Omit<Question, "limit">): Promise<number>;
  /** One item. Not done: its condition did not hold. */
  write(write: Write): Promise<Written>;
  /** All or nothing. False: a condition did not hold. */
  transact(writes: readonly Write[]): Promise<boolean>;
}

/** How an adapter asks: `what` completes "the store could not …". */
export type Ask = <T>(what: string, work: (table: Table) => Promise<T>) => Promise<T>;

/**
 * A table of `aws/tables.ts` by its name in the account. Failures of DynamoDB become SallyportErrors here, once.
 * @param deadlineMs how long an answer may take where that is not what `answered` says
 */
export function asking(client: DynamoDBClient, name: string, deadlineMs?: number): Ask {
  const options = deadlineMs === undefined ? {} : { deadlineMs };
  return (what, work) =>
    answered(what, (signal) => work(table(client, name, signal)).catch((thrown) => refuse(what, thrown)), options);
}

function refuse(what: string, thrown: unknown): never {
  if (!isTooLarge(thrown)) throw thrown;
  const message = `what is to be kept is too large: the store could not ${what}`;
  throw new SallyportError("too-large", message, { cause: thrown });
}

function table(client: DynamoDBClient, name: string, abortSignal: AbortSignal): Table {
  const options = { abortSignal };
  return {
    get: async (key) => {
      const command = new GetItemCommand({ TableName: name, Key: marshall(key), ConsistentRead: true });
      const { Item: found } = await client.send(command, options);
      return found && unmarshall(found);
    },
    getAll: (keys) => getAll(client, name, keys, abortSignal),
    query: (question) => query(client, name, question, abortSignal),
    count: async (question) => {
      let total = 0;
      for await (const page of pages(client, name, question, abortSignal)) total += page.Count ?? 0;
      return total;
    },
    write: (write) => undisturbed(abortSignal, () => writeOne(client, name, write, abortSignal)),
    transact: (writes) => undisturbed(abortSignal, () => transact(client, name, writes, abortSignal)),
  };
}

async function getAll(
  client: DynamoDBClient,
  name: string,
  keys: readonly Key[],
  abortSignal: AbortSignal,
): Promise<Item[]> {
  const found: Item[] = [];
  for (let start = 0; start < keys.length; start += MAX_BATCH) {
    let Keys: Record<string, NativeAttributeValue>[] = keys.slice(start, start + MAX_BATCH).map((key) => marshall(key));
    // An answer has 16 MB at most, and under load fewer: what was left out is asked for again, within the deadline.
    for (let round = 0; Keys.length > 0; round++) {
      if (round > 0) await sleep(Math.random() * CONFLICT_WAIT_MS * round, undefined, { signal: abortSignal });
      const command = new BatchGetItemCommand({ RequestItems: { [name]: { Keys, ConsistentRead: true } } });
      const { Responses, UnprocessedKeys } = await client.send(command, { abortSignal });
      found.push(...(Responses?.[name] ?? []).map((item) => unmarshall(item)));
      Keys = UnprocessedKeys?.[name]?.Keys ?? [];
    }
  }
  return found;
}

async function query(
  client: DynamoDBClient,
  name: string,
  question: Question,
  abortSignal: AbortSignal,
): Promise<Item[]> {
  const { limit = Number.POSITIVE_INFINITY } = question;
  const found: Item[] = [];
  if (limit <= 0) return found;
  for await (const { Items = [] } of pages(client, name, question, abortSignal)) {
    found.push(...Items.map((item) => unmarshall(item)));
    if (found.length >= limit) return found.slice(0, limit);
  }
  return found;
}

/** The pages of an answer, one after the other; none where the range is empty. */
async function* pages(
  client: DynamoDBClient,
  name: string,
  { pk, from, to, newestFirst = false, filter, values = {}, limit }: Question,
  abortSignal: AbortSignal,
): AsyncGenerator<QueryCommandOutput> {
  if (from !== undefined && to !== undefined && from > to) return; // BETWEEN refuses that
  const range = rangeOf(from, to);
  const condition = range === undefined ? "#pk = :pk" : `#pk = :pk AND ${range}`;
  let ExclusiveStartKey: QueryCommandOutput["LastEvaluatedKey"];
  do {
    const command = new QueryCommand({
      TableName: name,
      ConsistentRead: true,
      KeyConditionExpression: condition,
      FilterExpression: filter,
      ScanIndexForward: !newestFirst,
      // DynamoDB counts before it filters: whoever filters reads whole pages.
      Limit: filter === undefined ? limit : undefined,
      ExclusiveStartKey,
      ...bound([condition, filter], { ...values, pk, from, to }),
    });
    const page = await client.send(command, { abortSignal });
    yield page;
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey !== undefined);
}

function rangeOf(from: string | undefined, to: string | undefined): string | undefined {
  if (from !== undefined && to !== undefined) return "#sk BETWEEN :from AND :to";
  if (from !== undefined) return "#sk >= :from";
  return to === undefined ? undefined : "#sk <= :to";
}

async function writeOne(
  client: DynamoDBClient,
  name: string,
  write: Write,
  abortSignal: AbortSignal,
): Promise<Written> {
  try {
    const { Attributes } = await sendOne(client, name, write, abortSignal);
    return { done: true, before: Attributes && unmarshall(Attributes) };
  } catch (thrown) {
    if (!(thrown instanceof ConditionalCheckFailedException)) throw thrown;
    return { done: false, before: thrown.Item && unmarshall(thrown.Item) };
  }
}

function sendOne(client: DynamoDBClient, name: string, write: Write, abortSignal: AbortSignal) {
  const common = { ReturnValues: "ALL_OLD", ReturnValuesOnConditionCheckFailure: "ALL_OLD" } as const;
  const parts = writeParts(name, write);
  const options = { abortSignal };
  switch (parts.kind) {
    case "put":
      return client.send(new PutItemCommand({ ...parts.input, ...common }), options);
    case "update":
      return client.send(new UpdateItemCommand({ ...parts.input, ...common }), options);
    case "delete":
      return client.send(new DeleteItemCommand({ ...parts.input, ...common }), options);
  }
}

/** The token makes a retry of the SDK, after an answer that was lost, the same request: it is not refused for what it did itself. */
async function transact(
  client: DynamoDBClient,
  name: string,
  writes: readonly Write[],
  abortSignal: AbortSignal,
): Promise<boolean> {
  const TransactItems = writes.map((write) => writeItem(name, write));
  try {
    const command = new TransactWriteItemsCommand({ TransactItems, ClientRequestToken: randomUUID() });
    await client.send(command, { abortSignal });
    return true;
  } catch (thrown) {
    if (reasonsOf(thrown).includes("ConditionalCheckFailed")) return false;
    throw thrown;
  }
}

/** Again while another's write to the same items is under way, or a part of a transaction was throttled: the SDK retries neither. */
async function undisturbed<T>(abortSignal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (thrown) {
      if (attempt >= CONFLICT_ATTEMPTS || !isPassing(thrown)) throw thrown;
      await sleep(Math.random() * CONFLICT_WAIT_MS * attempt, undefined, { signal: abortSignal });
    }
  }
}

const PASSING = new Set(["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]);

function isPassing(thrown: unknown): boolean {
  if (thrown instanceof Error && thrown.name === "TransactionConflictException") return true;
  return reasonsOf(thrown).some((reason) => PASSING.has(reason));
}

function reasonsOf(thrown: unknown): string[] {
  if (!(thrown instanceof TransactionCanceledException)) return [];
  return (thrown.CancellationReasons ?? []).flatMap(({ Code }) => (Code === undefined ? [] : [Code]));
}
