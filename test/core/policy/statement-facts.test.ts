import { beforeEach, describe, expect, test } from "vitest";
import { loadSqlParser, parseSql, SHORT_SQL_BYTES } from "../../../core/policy/sql-parser.ts";
import { statementFacts } from "../../../core/policy/statement-facts.ts";

beforeEach(loadSqlParser);

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
    [
      "more tables by columns than can be told apart",
      `select 1 from ${"a,".repeat(3_000)}b where ${"c and ".repeat(3_000)}d`,
    ],
    ["one bad statement behind a good one", "select 1; drop tabel orders"],
  ])("are parsed: false, with everything denied, for %s", (_, text) => {
    expect(statementFacts(text)).toEqual([
      expect.objectContaining({ parsed: false, actions: ["pg:unknown"], bounded: false, tables: [] }),
    ]);
  });

  test("stay few where stars over stars double the columns at each of 50 levels", () => {
    const levels = Array.from({ length: 50 }, (_, i) => `, c${i + 1} as (select * from c${i} x, c${i} y)`);
    const text = `with c0 as (select a, email as e from t)${levels.join("")} select 1 from c50 where e = 'x'`;
    expect(statementFacts(text)).toEqual([expect.objectContaining({ parsed: true, predicates: ["t.a", "t.email"] })]);
  });

  test("of others are there at once when one text has overflowed the parser's stack", () => {
    expect(statementFacts(`select 1${"+1".repeat(20_000)}`)).toEqual([expect.objectContaining({ parsed: false })]);
    expect(statementFacts("select 1")).toEqual([expect.objectContaining({ parsed: true })]);
  });

  test("do not cost the parser its stack on any text of SHORT_SQL_BYTES, however deep it nests", () => {
    for (const piece of ["+1", "::a", " collate a", " isnull"]) {
      const text = `select 1${piece.repeat((SHORT_SQL_BYTES - 8) / piece.length)}`;
      expect(parseSql(text), piece).toHaveLength(1);
    }
  });
});
