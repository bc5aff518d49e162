import { dayOf, ORDER_END } from "./keys.ts";
import type { Item, Key, Write } from "./expressions.ts";
import type { Question, Table } from "./table.ts";

/** Days that a walk through time looks up at once. */
const DAYS_AT_ONCE = 31;
/** Of what is looked through from the first on. */
const OLD_AT_ONCE = 100;
const ORDER_START = "0";
/** What is read at least, where some of what is read may not be asked for. */
const MIN_READ = 20;

/** Places in a view, which are `order`s: from one, inclusive, to below another. */
export interface Range {
  readonly from: string;
  readonly below: string;
}

/** An item that stands in a view for what it points to. */
type Entry = Item & Key;

/** The newest entries of a range, newest first. Fewer than `limit`: there are no more. */
export type View = (range: Range, limit: number) => Promise<Entry[]>;

/** A view that is one partition. */
export function view(table: Table, question: Pick<Question, "pk" | "filter" | "values">): View {
  return async ({ from, below }, limit) => {
    // BETWEEN includes its ends.
    const found = await table.query({ ...question, from, to: below, newestFirst: true, limit: limit + 1 });
    return (found as Entry[]).filter(({ sk }) => sk !== below).slice(0, limit);
  };
}

/** The newest of several views, each entry once. */
export function merged(views: readonly View[]): View {
  return async (range, limit) => {
    const found = (await Promise.all(views.map((one) => one(range, limit)))).flat();
    const byPlace = new Map(found.map((entry) => [entry.sk, entry]));
    return [...byPlace.values()].toSorted((one, other) => (one.sk < other.sk ? 1 : -1)).slice(0, limit);
  };
}

const DAYS = "days";

/** The partition of all that is of one day. */
export function dayPartition(place: string): string {
  return `day#${dayOf(place)}`;
}

/** That there is something on that day: written before the first entry of it. */
export function dayMark(place: string): Write {
  return { put: { pk: DAYS, sk: dayOf(place) } };
}

/** Everything by time: a partition a day, so that none grows without end; only days of which there is something are read. */
export function allByTime(table: Table): View {
  return async ({ from, below }, limit) => {
    const found: Entry[] = [];
    for (let to: string | undefined = dayOf(below); to !== undefined && found.length < limit;) {
      const days = await table.query({ pk: DAYS, from: dayOf(from), to, newestFirst: true, limit: DAYS_AT_ONCE });
      for (const day of days as Entry[]) {
        if (found.length >= limit) break;
        found.push(...(await view(table, { pk: `day#${day.sk}` })({ from, below }, limit - found.length)));
      }
      to = days.length < DAYS_AT_ONCE ? undefined : dayBefore(days.at(-1)?.["sk"]);
    }
    return found;
  };
}

/** Everything before a place by time, from the first on, in pieces. */
export async function* oldestFirst(table: Table, below: string): AsyncGenerator<Entry[]> {
  for (const day of await table.query({ pk: DAYS, to: dayOf(below) })) {
    for (let from: string | undefined = ORDER_START; from !== undefined;) {
      const question = { pk: `day#${String(day["sk"])}`, from, to: below, limit: OLD_AT_ONCE };
      const found = (await table.query(question)) as Entry[];
      const entries = found.filter(({ sk }) => sk !== from && sk !== below);
      if (entries.length > 0) yield entries;
      from = found.length < OLD_AT_ONCE ? undefined : found.at(-1)?.sk;
    }
  }
}

/** Takes back the mark of the day of a place where nothing is left of it: nothing new is ever of a day that is over. */
export async function forgetDayOf(table: Table, place: string): Promise<void> {
  const [left] = await table.query({ pk: dayPartition(place), limit: 1 });
  if (left === undefined) await table.write({ delete: { pk: DAYS, sk: dayOf(place) } });
}

function dayBefore(day: unknown): string {
  return String(Number(day) - 1).padStart(String(day).length, "0");
}

/**
 * A page of what a view points to.
 * @param load gives those of the entries that are (still) asked for, in their order
 */
export async function pageOf<T>(
  newest: View,
  { from, below, limit }: Range & { readonly limit: number },
  load: (entries: readonly Entry[]) => Promise<T[]>,
): Promise<T[]> {
  const rows: T[] = [];
  for (let place = below; rows.length < limit;) {
    const wanted = Math.max(limit - rows.length, MIN_READ);
    const entries = await newest({ from, below: place }, wanted);
    rows.push(...(await load(entries)));
    const last = entries.at(-1);
    if (last === undefined || entries.length < wanted) break;
    place = last.sk;
  }
  return rows.slice(0, limit);
}

/** The range of all time. */
export const ALWAYS: Range = { from: "0", below: ORDER_END };

/** The main items of these keys, in their order; without those that are gone. */
export async function mainItems(table: Table, keys: readonly Key[]): Promise<Item[]> {
  const items = await table.getAll(keys);
  const byKey = new Map(items.map((item) => [JSON.stringify([item["pk"], item["sk"]]), item]));
  return keys.flatMap(({ pk, sk }) => byKey.get(JSON.stringify([pk, sk])) ?? []);
}
