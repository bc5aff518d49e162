import type { StatementEvent } from "../recording/events.ts";

/** Activities of class 6005, by the first word of a command tag (PostgreSQL 18 §54.7, CommandComplete) or of a statement. */
const ACTIVITIES: Readonly<Record<string, number>> = {
  SELECT: 4,
  VALUES: 4,
  TABLE: 4,
  SHOW: 4,
  EXPLAIN: 4,
  FETCH: 1,
  UPDATE: 2,
  MERGE: 2,
  ALTER: 2,
  INSERT: 5,
  CREATE: 6,
  DELETE: 7,
  TRUNCATE: 7,
  DROP: 7,
};
const READ = 1;
const WRITE = 5;

/**
 * What a statement did, by its tag; of one that has none, what it asked for by its first word, which is a description and
 * no judgement: comments and WITH are not looked through.
 * @returns an id of the class's activities, or a name
 */
export function activityOf({ tag, text, copied }: StatementEvent): number | string {
  if (copied !== undefined) return copied.direction === "out" ? READ : WRITE;
  const word = /^\s*([A-Za-z]+)/.exec(tag ?? text)?.[1]?.toUpperCase();
  return (word === undefined ? undefined : ACTIVITIES[word]) ?? "Statement";
}
