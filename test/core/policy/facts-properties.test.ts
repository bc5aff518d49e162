import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { loadSqlParser } from "../../../core/policy/sql-parser.ts";
import { statementFacts } from "../../../core/policy/statement-facts.ts";
import { nextToken, type SqlToken } from "../../../core/sql/sql-tokens.ts";

const folder = new URL("evasions/", import.meta.url);
const corpus = readdirSync(folder)
  .flatMap((file) => parse(readFileSync(new URL(file, folder), "utf8")) as readonly { readonly sql: string }[])
  .map(({ sql }) => sql);

const GAPS = [" ", "\n", "\t\r\n", " \f\v ", "/**/", "/* ; drop table a; /* ' */ */", " -- it's a comment;\n", "--\r"];
const WORDS = [
  ...`( ) [ ] , ; . * ' " $ \\ + - < = > : % @ ! ~ ^ | & # ? 0`.split(" "),
  "\0",
  "é",
  "--",
  "/*",
  "*/",
  "$$",
  "E'",
  "U&'",
];

/** Tokens of a text in latin1, and between them whether there was a gap, or may be one. */
function tokens(text: string): { readonly token: SqlToken; readonly gap: "needed" | "possible" | "none" }[] {
  const found: SqlToken[] = [];
  for (let at = 0, token; (token = nextToken(text, at, false)) !== undefined; at = token.end)
    if (token.kind !== "comment") found.push(token);
  const alone = (token: SqlToken | undefined): boolean =>
    token?.kind === "symbol" && "(),;[]".includes(text.slice(token.start, token.end));
  return found.map((token, i) => {
    const before = found[i - 1];
    if (before === undefined || alone(token) || alone(before)) return { token, gap: "possible" };
    // Two literals with a line break between them are one.
    if (before.kind === "literal" && token.kind === "literal") return { token, gap: "none" };
    return { token, gap: before.end < token.start ? "needed" : "none" };
  });
}

beforeAll(loadSqlParser);

test("facts do not depend on letter case, comments or white space between the tokens", () => {
  const parsed = corpus.filter((sql) => statementFacts(sql).every((facts) => facts.parsed));
  fc.assert(
    fc.property(fc.constantFrom(...parsed), fc.infiniteStream(fc.nat()), (sql, numbers) => {
      const draw = (): number => numbers.next().value;
      const text = Buffer.from(sql).toString("latin1");
      let varied = "";
      let last = 0;
      for (const { token, gap } of tokens(text)) {
        if (gap === "needed" || (gap === "possible" && draw() % 2 === 0)) varied += GAPS[draw() % GAPS.length];
        else varied += text.slice(last, token.start);
        const word = text.slice(token.start, token.end);
        varied += token.kind === "word" && draw() % 2 === 0 ? word.replace(/[a-z]/g, (c) => c.toUpperCase()) : word;
        last = token.end;
      }
      expect(statementFacts(Buffer.from(varied, "latin1"))).toEqual(statementFacts(sql));
    }),
    { numRuns: 1_000 },
  );
});

test("facts of any text are facts: nothing is thrown, and no statement is without an action", () => {
  const vocabulary = [...WORDS, ...new Set(corpus.flatMap((sql) => sql.split(/\b/)))];
  const soup = fc.array(fc.constantFrom(...vocabulary), { maxLength: 30 }).map((words) => words.join(" "));
  const cut = fc.tuple(fc.constantFrom(...corpus), fc.nat(200), fc.constantFrom(...vocabulary));
  const spliced = cut.map(([sql, at, word]) => sql.slice(0, at) + word + sql.slice(at));
  const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), soup, spliced, bytes), (text) => {
      for (const facts of statementFacts(text)) {
        expect(facts.actions.length).toBeGreaterThan(0);
        if (!facts.parsed) expect(facts).toMatchObject({ actions: ["pg:unknown"], bounded: false, tables: [] });
      }
    }),
    { numRuns: 3_000 },
  );
});

test("the same bytes have the same facts, whether as text or as bytes", () => {
  for (const sql of corpus) expect(statementFacts(Buffer.from(sql))).toEqual(statementFacts(sql));
});
