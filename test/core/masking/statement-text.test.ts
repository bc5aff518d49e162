import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import type { Relations } from "../../../core/masking/column-names.ts";
import { maskStatement } from "../../../core/masking/statement-text.ts";
import { loadSqlParser, parseSql } from "../../../core/policy/sql-parser.ts";
import { maskingOf } from "./kit.ts";

beforeAll(loadSqlParser);

const masking = maskingOf({
  columns: [
    { name: "mail", columns: ["customers.email", "order_overview.email"], style: "full" },
    { name: "card", columns: ["*.card_number"], style: "partial" },
    { name: "pay", columns: ["employees.salary"], style: "null" },
  ],
  detectors: [{ name: "ibans", detect: "iban", style: "full" }],
});
const rule = (schema: string, table: string, column: string) => masking.columnRule({ schema, table, column });
const TABLES: Readonly<Record<string, readonly string[]>> = {
  customers: ["id", "name", "email", "card_number"],
  products: ["id", "name", "email"],
};
const relations: Relations = (schema, name) => {
  const columns = TABLES[name];
  return columns === undefined
    ? []
    : [columns.map((column) => ({ name: column, rule: rule(schema ?? "public", name, column) }))];
};

function mask(text: string, known?: Relations) {
  const counted: string[] = [];
  const masked = maskStatement(Buffer.from(text), masking, ({ name }) => counted.push(name), known);
  return { text: masked.text.toString(), counted, parameter: (n: number) => masked.parameter(n)?.name };
}

/** SECRET stands where the value of a masked column does, 77 for a number there; what is `plain` stays to be read. */
const STATEMENTS: readonly string[] = [
  "select * from customers where email = 'SECRET' and name = 'plain' limit 5",
  "select * from customers where lower(email) like '%SECRET%' or id = 5",
  "select * from customers c where c.email in ('SECRET', 'SECRET2') and c.id in (1, 2)",
  "select id from customers where email between 'SECRET' and 'SECRET' order by 1 limit 10 offset 20",
  "select id from customers where 'SECRET' = any (array[email])",
  "select id from customers where (id, email) = (77, 'SECRET')",
  "select id from customers where email = E'SECRET\\n' or email = U&'SECRET' or email = N'SECRET' or email = $$SECRET$$",
  "select id from customers where email = 'SE'\n'SECRET' and name = 'plain'",
  "insert into customers (id, name, email) values (5, 'plain', 'SECRET'), (6, 'it''s plain', 'o''SECRET')",
  "insert into customers (name, email) select 'plain', 'SECRET' union all select 'plain', 'SECRET'",
  "insert into customers (id, email) values (5, 'SECRET') on conflict (id) do update set email = 'SECRET', name = 'plain'",
  "update customers set email = 'SECRET', name = 'plain' where id = 5",
  "update customers set (name, email) = ('SECRETish', 'SECRET') where id = 5",
  "delete from customers where email = 'SECRET' and id = 5",
  "merge into customers c using products p on c.id = p.id when not matched then insert (name, email) values ('plain', 'SECRET')",
  "select e from (select email as e, name from customers) s where s.e = 'SECRET' and s.name = 'plain'",
  "select 5 from (select lower(email) from customers) s where s.lower = 'SECRET'".replace("5", "id"),
  "with q(a, b) as (select id, email from customers) select id from q where q.b = 'SECRET'",
  "select id from customers as t (a, b, c) where t.c = 'SECRET'",
  "select id from customers c where c::text like '%SECRET%'",
  "select id from customers c where row_to_json(c)->>'SECRET' = 'SECRET'",
  "select id from customers c where (c).email = 'SECRET'",
  "select id from customers c where email(c) = 'SECRET'",
  "select id from customers c join (values ('SECRET')) v (x) on v.x = c.email",
  "select id from products where exists (select 1 from customers c where c.email = 'SECRET' and c.name = 'plain')",
  "select id from customers where id in (select id from customers where email = 'SECRET')",
  "select case email when 'SECRET' then 77 end from customers where name = 'plain'",
  "prepare p as select id from customers where email = 'SECRET' and name = 'plain'",
  "declare c cursor for select id from customers where email = 'SECRET'",
  "explain select id from customers where email = 'SECRET'",
  "create table t as select id from customers where email = 'SECRET'",
  "do $$ begin update customers set email = 'SECRET' where id = 77; end $$",
  "create function f() returns void language sql as $f$ update customers set email = 'SECRET' $f$",
  "select dblink('db', 'select id from customers where email = ''SECRET''')",
  "execute p ('SECRET', 77)",
  "select id from customers where card_number = '4242SECRET'; update products set name = 'plain' where id = 5",
  "select 'SECRET', * from customers",
  "select id from employees where salary = 77 and id = 5",
  "select id from employees where salary > -77 and salary < 77.77 and salary <> 77e1",
  "select id from customers where email = 'SECRET' -- the end",
  "this does not parse 'SECRET' and 77",
  "select id from customers where email = 'SECRET' and it is 'broken",
  "select id from customers where email = 'SECRET",
];

describe("the record of a statement", () => {
  test.each(STATEMENTS)("has no literal of a masked column: %s", (text) => {
    for (const known of [undefined, relations]) {
      const masked = mask(text, known);
      expect(masked.text).not.toContain("SECRET");
      expect(masked.text).not.toContain("77");
      expect(masked.counted.length).toBeGreaterThan(0);
      if (parseSql(text) === undefined) continue;
      expect(parseSql(masked.text)).toBeDefined();
      expect(masked.text.match(/plain|= 5|\(5|limit 5|limit 10 offset 20|in \(1, 2\)/g)).toEqual(
        text.match(/plain|= 5|\(5|limit 5|limit 10 offset 20|in \(1, 2\)/g),
      );
    }
  });

  test.each([
    "select * from customers where id = 5 and name = 'Anna' and created_at > now() - interval '1 day' limit 10",
    "select name, count(*) from customers group by 1 having count(*) > 5 order by 2",
    "update customers set name = 'Anna' where id = 5",
    "insert into customers (id, name) values (1, 'Anna')",
    "select 1 as email",
    "select extract(year from created_at) from customers where id = 7",
    "begin; commit",
    "",
    "set statement_timeout = '5s'",
  ])("keeps what is of other columns, as the identical Buffer: %s", (text) => {
    const bytes = Buffer.from(text);
    const counted = () => expect.unreachable();
    expect(maskStatement(bytes, masking, counted, relations).text).toBe(bytes);
  });

  test("tells tables apart where the catalog is known, and masks by the column's name where it is not", () => {
    const text = "select id from products where email = 'SECRET'";
    expect(mask(text, relations).text).toBe(text);
    expect(mask(text).text).not.toContain("SECRET");
    const view = "select * from order_overview where email = 'SECRET'";
    expect(mask(view, relations).text).not.toContain("SECRET");
  });

  test("masks an INSERT without a list of columns by their places, or whole where those are not known", () => {
    const text = "insert into customers values (5, 'plain', 'SECRET', '4242SECRETxy')";
    expect(mask(text, relations).text).toBe("insert into customers values (5, 'plain', '****', '****ETxy')");
    expect(mask(text).text).toBe("insert into customers values ('****', '****', '****', '****')");
  });

  test("says what masks a bound parameter", () => {
    const update = mask("update customers set name = $1, email = $2 where id = $3", relations);
    expect([1, 2, 3].map(update.parameter)).toEqual([undefined, "mail", undefined]);
    const insert = mask("insert into customers values ($1, $2, $3, $4)", relations);
    expect([1, 2, 3, 4, 5].map(insert.parameter)).toEqual([undefined, undefined, "mail", "card", "mail"]);
    const joined = mask(
      "select id from customers c join unnest($1::text[]) u on u = c.email where c.id = $2",
      relations,
    );
    expect([1, 2].map(joined.parameter)).toEqual(["mail", undefined]);
    expect(mask("not sql $1", relations).parameter(1)).toBe("mail");
    expect(mask("select $1", relations).parameter(1)).toBeUndefined();
  });

  test("is looked through by the detectors, in escapes and comments, too", () => {
    const iban = "DE89370400440532013000";
    expect(mask(`select '${iban}' -- ${iban}`, relations)).toMatchObject({
      text: "select '****' -- ****",
      counted: ["ibans"],
    });
    expect(mask("select E'DE8937040044053201300\\060'", relations)).toMatchObject({
      text: "select '****'",
      counted: ["ibans"],
    });
    expect(mask("select 'DE89370400'\n'440532013000'", relations).text).not.toContain("4405");
  });

  test("of more than can be read ends where reading ends", () => {
    const text = `insert into customers (email) values ('SECRET')${" ".repeat(5 << 20)}('SECRET')`;
    expect(mask(text).text).not.toContain("SECRET");
  });

  test("never lets a masked column's value through, whatever is around it", () => {
    const value = fc.constantFrom(
      "'SECRET'",
      "E'SE\\x43RET SECRET'",
      "$q$SECRET$q$",
      "'it''s SECRET'",
      "N'SECRET'",
      "U&'SECRET'",
      "'a'\n 'SECRET'",
    );
    const column = fc.constantFrom(
      "email",
      "c.email",
      "lower(c.email)",
      '"email"',
      "EMAIL",
      "public.c.email",
      "(c).email",
      "c.email::text",
    );
    const condition = fc.tuple(
      column,
      fc.constantFrom("=", "<>", "~*", "like", "is distinct from", "||"),
      value,
      fc.boolean(),
    );
    const noise = fc.constantFrom(
      "",
      " and c.id = 5",
      " or c.name = 'it''s'",
      " /* 'x' */",
      " and $$a'b$$ = c.name",
      " -- '\n",
    );
    fc.assert(
      fc.property(condition, noise, noise, ([col, operator, literal, turned], a, b) => {
        const expression =
          turned && operator !== "||" ? `${literal} ${operator} ${col}` : `${col} ${operator} ${literal}`;
        const text = `select c.id from customers c where (${expression})${operator === "||" ? " = ''" : ""}${a}${b}`;
        for (const known of [undefined, relations]) expect(mask(text, known).text).not.toContain("SECRET");
      }),
      { numRuns: 500 },
    );
  });

  test("never throws, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        maskStatement(Buffer.from(bytes), masking, () => undefined);
      }),
    );
    const deep = `select ${"(".repeat(3000)}email = 'SECRET'${")".repeat(3000)} from customers`;
    expect(mask(deep).text).not.toContain("SECRET");
  });
});
