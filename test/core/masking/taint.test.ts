import { loadModule, parseSync } from "libpg-query";
import { beforeAll, describe, expect, test } from "vitest";
import type { MaskRule } from "../../../core/masking/masking.ts";
import { statementTaint, type StatementTaint } from "../../../core/masking/taint.ts";
import type { TaintCatalog, TaintedColumn } from "../../../core/masking/tainted.ts";

const rule = (name: string): MaskRule => ({ name, style: "partial", where: "client+recording" });
const [EMAIL, CARD, UNKNOWN] = [rule("email"), rule("card"), rule("unknown")];
const table = (...names: string[]): TaintedColumn[] =>
  names.map((name) => ({ name, type: 25, rule: name === "email" ? EMAIL : name === "card" ? CARD : undefined }));
const TABLES: Record<string, TaintedColumn[]> = {
  "public.customers": table("id", "name", "email", "card"),
  "public.orders": table("id", "customer_id", "note"),
  "a.twice": table("id", "email"),
  "b.twice": table("id", "other"),
};
const CATALOG: TaintCatalog = {
  relations: (schema, name) =>
    Object.entries(TABLES).flatMap(([known, columns]) =>
      known === `${schema}.${name}` || (schema === undefined && known.endsWith(`.${name}`)) ? [columns] : [],
    ),
  functionRule: (name) => (name === "reads_customers" ? EMAIL : undefined),
  unknown: UNKNOWN,
};

beforeAll(() => loadModule());

function taintOf(sql: string): StatementTaint {
  return statementTaint(parseSync(sql).stmts?.[0]?.stmt, CATALOG);
}

/** A letter an output: the rule's, `.` for none; in capitals where the value is hidden whole; `*`: of unknown number, by its rule. */
function outputs(sql: string): string {
  const { columns, rule: all } = taintOf(sql).outputs;
  const letter = (found: MaskRule | undefined): string => {
    const first = found?.name[0] ?? ".";
    return found?.style === "full" ? first.toUpperCase() : first;
  };
  return columns === undefined ? `*${letter(all)}` : columns.map((column) => letter(column.rule)).join("");
}

describe("which outputs a masked column reaches", () => {
  test.each<[string, string]>([
    ["select * from customers", "..ec"],
    ["table customers", "..ec"],
    ["select id, email from customers", ".e"],
    ["select c.email as id, c.id as email from public.customers c", "e."],
    ["select x, y from customers as c(x, name, y)", ".e"],
    ["select *, 1 from customers", "..ec."],
    ["select c.*, o.* from orders o join customers c on c.id = o.customer_id", "..ec..."],
    ["select * from orders o join customers c using (id)", "....ec"],
    ["select * from orders natural full join customers", "....ec"],
    ["select email, note from orders, customers", "e."],
    ["select lower(email), id + 1 from customers", "E."],
    ["select email::text, email || 'x', substr(card, 1) from customers", "EEC"],
    ["select case when id = 1 then email end, coalesce(name, email) from customers", "EE"],
    ["select c from customers c", "E"],
    ["select customers from customers", "E"],
    ["select c.lower from customers c", "E"],
    ["select row(c.*), row_to_json(c), to_jsonb(c.*) from customers c", "EEE"],
    ["select (c).email, (c).id from customers c", "EE"],
    ["select (c).* from customers c", "*E"],
    ["select (select email from customers limit 1), (select count(*) from customers)", "E."],
    ["select array(select email from customers), exists (select email from customers)", "E."],
    ["select array_agg(email), string_agg(name, ',' order by email), max(card), min(id) from customers", "E.C."],
    [
      "select percentile_disc(0.5) within group (order by email), rank(1) within group (order by id) from customers",
      "E.",
    ],
    ["select count(*), count(email), count(distinct email), count(lower(email)) from customers", "...E"],
    ["select email is null, lower(email) is null from customers", ".E"],
    [
      "select first_value(name) over (order by email), lag(email) over w from customers window w as (order by id)",
      ".E",
    ],
    ["select id from customers where email = 'x' group by id, email having max(email) > 'a' order by email", "."],
    ["select email from customers union select note from orders", "e"],
    ["select note from orders union all select email from customers", "e"],
    ["(select id, note from orders) except select id, email from customers", ".e"],
    ["values (1, (select email from customers limit 1)), (2, 'x')", ".E"],
    ["with x as (select * from customers) select * from x", "..ec"],
    ["with x(a, b, c, d) as (select * from customers) select c, a from x", "e."],
    ["with customers as (select 1 as email) select email from customers", "."],
    ["with x as (with y as (select email e from customers) select e f from y) select f, 1 from x", "e."],
    ["with x as (delete from customers returning email, id) select * from x", "e."],
    [
      "with recursive t(n, e) as (select 1, 'x' union all select n + 1, (select email from customers limit 1) from t) select e, n from t",
      "E.",
    ],
    [
      "with recursive t(a, b, c) as (select email, '', '' from customers union all select '', a, b from t) select c, 1 from t",
      "e.",
    ],
    ["select s.a from (select email as a, id as b from customers) s", "e"],
    ["select s.b from (select email as a, id as b from customers) s", "."],
    ["select q.* from customers c, lateral (select c.email, 1) q", "e."],
    ["select g from customers c, generate_series(1, 3) g", "."],
    ["select u from customers c, unnest(array[c.email]) u", "E"],
    ["select (select email from generate_series(1, 1)) from customers", "E"],
    ["select value from customers c, jsonb_array_elements(to_jsonb(c)) as j(value)", "E"],
    ["select x.y from customers c, xmltable('/a' passing (c.email::xml) columns y text) x", "E"],
    ["select reads_customers(1), id from orders", "E."],
    ["select query_to_xml('select 1', true, true, ''), id from orders", "U."],
    ["select * from nowhere", "*U"],
    ["select nowhere.a, customers.id from nowhere, customers", "U."],
    ["select id from nowhere, customers", "U"],
    ["select email, other, id from twice", "e.."],
    ["select * from twice", "*E"],
    ["select * from b.twice", "*."], // nothing is touched: no closer look,
    ["select current_setting('my.kept'), current_setting('work_mem') from customers", "U."],
    ["select tableoid, ctid, xmin from customers", "..."],
    ["insert into customers (email) values ('x') returning id, email, lower(email)", ".eE"],
    ["insert into orders (note) select email from customers returning note", "."],
    ["update customers set name = 'x' returning *", "..ec"],
    ["update customers c set name = 'x' from orders o returning o.note, old.email, new.card", ".ec"],
    ["update orders set note = '' from customers c where c.id = customer_id returning *", ".....ec"],
    ["delete from orders using customers c returning c.email, orders.id", "e."],
    ["merge into orders o using customers c on true when matched then delete returning *", "..ec..."],
  ])("%s → %s", (sql, expected) => {
    expect(outputs(sql)).toBe(expected);
  });

  test.each<[string, string]>([
    ["copy customers to stdout", "..ec"],
    ["copy customers (email, id) to stdout (format csv)", "e."],
    ["copy (select lower(email), id from customers) to stdout", "E."],
    ["copy nowhere to stdout", "*U"],
    ["copy customers (nothing) to stdout", "*E"],
  ])("%s → %s", (sql, expected) => {
    const { copy } = taintOf(sql);
    const columns = copy?.outputs.columns;
    const letters = (columns ?? []).map(({ rule: found }) =>
      found === undefined ? "." : found.style === "full" ? found.name[0]?.toUpperCase() : found.name[0],
    );
    const all = copy?.outputs.rule?.name[0]?.toUpperCase() ?? ".";
    expect(columns === undefined ? `*${all}` : letters.join("")).toBe(expected);
  });
});

describe("what a statement is for its messages and for what follows it", () => {
  test("a statement that names nothing masked and calls nothing that reads it touches nothing", () => {
    for (const sql of [
      "select note, upper(note) from orders",
      "with nowhere as (select 1) select * from nowhere",
      "begin",
      "set work_mem = '1MB'",
      "show work_mem",
      "create index on orders (note)",
    ]) {
      const taint = taintOf(sql);
      expect([sql, taint.touched, taint.outputs.rule]).toEqual([sql, undefined, undefined]);
    }
  });

  test("any mention of a masked table, an unknown one or a function that reads one counts, wherever it stands", () => {
    for (const sql of [
      "select 1 from orders where exists (select 1 from customers)",
      "insert into customers (email) values ('x')",
      "select 1 from nowhere",
      "select reads_customers(1)",
      "create index on customers (email)",
      "do $$ begin end $$",
      "call reads_customers(1)",
      "show my.kept",
    ])
      expect([sql, taintOf(sql).touched]).not.toEqual([sql, undefined]);
  });

  test("PREPARE and DECLARE keep what their query yields; EXECUTE and FETCH say whose results they show", () => {
    expect(taintOf("prepare p as select lower(email) from customers").names).toMatchObject({
      name: "p",
      taint: { outputs: { columns: [{ rule: { name: "email", style: "full" } }] } },
    });
    expect(taintOf("declare c cursor for table customers").names).toMatchObject({ name: "c" });
    expect([taintOf("execute p").shows, taintOf("fetch all from c").shows, taintOf("move 1 in c").shows]).toEqual([
      { kind: "statement", name: "p" },
      { kind: "cursor", name: "c" },
      undefined,
    ]);
  });

  test("a recording-only rule stays one, and the client's wins where both are met", () => {
    const only: MaskRule = { ...CARD, where: "recording-only" };
    const columns = TABLES["public.customers"]?.map((column) =>
      column.name === "card" ? { ...column, rule: only } : column,
    );
    const catalog: TaintCatalog = { ...CATALOG, relations: () => [columns ?? []] };
    const found = statementTaint(
      parseSync("select lower(card), email || card from customers").stmts?.[0]?.stmt,
      catalog,
    );
    expect(found.outputs.columns?.map(({ rule: masks }) => masks?.where)).toEqual([
      "recording-only",
      "client+recording",
    ]);
  });
});
