import { readdirSync, readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { StatementFacts } from "../../../core/policy/facts.ts";
import { loadSqlParser } from "../../../core/policy/sql-parser.ts";
import { statementFacts } from "../../../core/policy/statement-facts.ts";

type Expected = Partial<StatementFacts>;

/** What is expected of one text: of its only statement, or of each. What a `note` says is the honest limit of a text. */
interface Evasion {
  readonly name: string;
  readonly sql: string;
  readonly facts?: Expected;
  readonly statements?: readonly Expected[];
  readonly prepares?: Expected & { readonly name: string };
  readonly note?: string;
}

const folder = new URL("evasions/", import.meta.url);
const corpus = readdirSync(folder).map((file) => ({
  file,
  evasions: parse(readFileSync(new URL(file, folder), "utf8")) as readonly Evasion[],
}));

/** Of the facts, those that the corpus says something about. */
function told(facts: StatementFacts | undefined, expected: Expected | undefined): Record<string, unknown> {
  return Object.fromEntries(Object.keys(expected ?? {}).map((key) => [key, facts?.[key as keyof StatementFacts]]));
}

beforeAll(loadSqlParser);

describe.each(corpus)("$file: the facts tell", ({ evasions }) => {
  test.each(evasions)("$name", ({ sql, facts, statements, prepares }) => {
    const found = statementFacts(sql);
    const expected = statements ?? [facts ?? {}];
    expect(found.map((one, i) => told(one, expected[i]))).toEqual(expected);
    if (prepares === undefined) return;
    const { name, ...inner } = prepares;
    expect(found[0]?.prepares?.name).toBe(name);
    expect(told(found[0]?.prepares?.facts, inner)).toEqual(inner);
  });
});

test("the corpus holds at least 110 evasions, none of them twice", () => {
  const texts = corpus.flatMap(({ evasions }) => evasions.map(({ sql }) => sql));
  expect(texts.length).toBeGreaterThanOrEqual(110);
  expect(new Set(texts).size).toBe(texts.length);
});
