import { beforeAll, describe, expect, test } from "vitest";
import { loadSqlParser } from "../../../core/policy/sql-parser.ts";
import { statementFacts } from "../../../core/policy/statement-facts.ts";

beforeAll(loadSqlParser);

describe("facts", () => {
  test.each(["", " \n\t", "-- nothing", "/* nothing */ ; ;"])(
    "are an empty list for %j, which holds no statement",
    (text) => {
      expect(statementFacts(text)).toEqual([]);
    },
  );

  test("come one for each statement of a simple query, in order", () => {
    const actions = statementFacts("begin; delete from orders where id = 1; commit").map((facts) => facts.actions);
    expect(actions).toEqual([["pg:transaction"], ["pg:delete"], ["pg:transaction"]]);
  });

  test.each([
    ["a syntax error", "select from where"],
    ["a NUL byte, behind which the parser would not look", "select 1\0; drop table orders"],
    ["more text than is parsed", `select '${"x".repeat(1024 * 1024)}'`],
    ["a chain of operators that overflows the parser's stack", `select 1${"+1".repeat(20_000)}`],
    ["subqueries nested too deep", `select ${"(select ".repeat(3_000)}1${")".repeat(3_000)}`],
    ["a chain that the parser manages but the walk does not", `select 1${"+1".repeat(1_800)}`],
    ["one bad statement behind a good one", "select 1; drop tabel orders"],
  ])("are parsed: false, with everything denied, for %s", (_, text) => {
    expect(statementFacts(text)).toEqual([
      expect.objectContaining({ parsed: false, actions: ["pg:unknown"], bounded: false, tables: [] }),
    ]);
  });
});
