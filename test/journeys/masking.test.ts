import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SHOP_OWNER } from "../../cli/shop.ts";
import { postgresServers } from "../setup/postgres.ts";
import { UNGUARDED } from "../../core/policy/unguarded.ts";
import { startTestGateway } from "../setup/gateway.ts";
import { run, throughGateway } from "../setup/programs.ts";
import { startShop, type ShopJourney } from "../setup/shop-journey.ts";

/** No value of a masked column is anything else, and nothing else is like them. */
const CANARY = /canary/i;
const MASKING = {
  columns: [
    { name: "emails", columns: ["customers.email"], style: "partial" },
    { name: "secrets", columns: ["*.secret", "customers.mood_secret"], style: "full" },
    { name: "scores", columns: ["customers.score"], style: "null" },
  ],
};
const TABLES = `
create type mood as enum ('fine', 'canary_mood');
create table customers (
  id int primary key, name text not null, email varchar(80) not null unique, secret text[], score int,
  feeling mood, note text);
insert into customers
  select g, 'name ' || g, 'canary' || g || '@canary.example', array['canary-a' || g, 'canary-b' || g], 770000 + g,
         'canary_mood', 'note ' || g from generate_series(1, 20) g;
alter table customers rename column feeling to mood_secret;
create table orders (id int primary key, customer_id int references customers (id), note text);
insert into orders select g, g, 'order ' || g from generate_series(1, 20) g;
create table events (id int, secret text) partition by range (id);
create table events_1 partition of events for values from (0) to (100);
insert into events select g, 'canary event ' || g from generate_series(1, 20) g;
create view people as select id, email as contact, lower(email) as lowered, note from customers;
create view vips as select contact as c, id from people where id < 3;
create materialized view kept as select id, email as address from customers;
create function first_email() returns text language sql stable as 'select email from customers order by id limit 1';
create function calls_it() returns text language sql stable as 'select upper(first_email())';
create function tells() returns void language plpgsql as $$
  begin raise notice 'it is %', (select email from customers limit 1); end $$;
create domain address as varchar(80);
create table typed (id int, secret address);
insert into typed values (1, 'canary domain');
analyze;
`;

describe.each(postgresServers())("masked columns of PostgreSQL $version", (which) => {
  let shop: ShopJourney;
  beforeAll(async () => {
    shop = await startShop(which, { masking: MASKING });
    await shop.admin.query(`set role ${SHOP_OWNER}; create schema if not exists public; ${TABLES}`);
    await shop.admin.query(`reset role; grant pg_read_all_stats to ${SHOP_OWNER}`);
  });
  afterAll(() => shop.stop());

  /** What psql shows of a script, with errors and notices. */
  async function psql(script: string): Promise<string> {
    const { stdout, stderr } = await run("psql", ["-X", "-A", "-q"], { env: await shop.through(), input: script });
    return stdout.toString() + stderr;
  }

  const LEAKING = [
    "select * from customers",
    "table customers",
    "select email as id, secret as name from customers c",
    "select c.* from orders o join customers c on c.id = o.customer_id",
    "select * from orders join customers on customers.id = customer_id order by email",
    "select * from people; select * from vips; select * from kept",
    "select upper(c) from vips; select contact || '!' from people",
    "with x as (select * from customers), y as (select email e from x) select * from y",
    "with x as (update customers set note = 'new' returning *) select * from x",
    "insert into customers values (100, 'n', 'canary100@canary.example') returning *, upper(email)",
    "delete from customers where id = 100 returning email, secret",
    "select email from customers union select 'nothing'",
    "select lower(email), substr(email, 1, 9), md5('x') || email, reverse(reverse(email)) from customers",
    "select email::text, email::bytea, encode(email::bytea, 'escape') from customers",
    "select row_to_json(c), to_jsonb(c), to_jsonb(c.*), c, row(c.*) from customers c",
    "select (c).email, (c).*, c.upper from customers c",
    "select (c).email from customers c",
    "select array_agg(email), string_agg(email, ','), json_agg(c), max(email), min(secret) from customers c",
    "select array(select email from customers), (select email from customers limit 1)",
    "select case when id > 0 then email end, coalesce(null, email), nullif(email, '') from customers",
    "select unnest(secret) from customers; select u from customers, unnest(secret) u",
    "select * from customers full join (select 1 as id) x using (id, id)",
    "select email from customers a full join customers b using (email)",
    "select * from events; select * from events_1; select upper(secret) from events_1; select * from typed",
    "select mood_secret from customers; select mood_secret::text from customers",
    "select first_email(); select calls_it(); select * from first_email(); select tells()",
    "values ((select email from customers limit 1), 2)",
    "begin; declare c cursor for select email, lower(email) from customers; fetch 3 from c; fetch all c; commit",
    "prepare p as select lower(email), email from customers; execute p; execute p",
    "begin; create temp table t as select email as e from customers; select * from t; select upper(e) from t; commit",
    "begin; alter table customers rename email to harmless; select harmless, upper(harmless) from customers; rollback",
    "begin; create view v as select upper(email) as u from customers; select * from v; select lower(u) from v; rollback",
    "select query_to_xml('select email from customers', true, true, '')",
    "select table_to_xml('customers', true, true, '')",
    "select most_common_vals, histogram_bounds from pg_stats where tablename = 'customers'",
    "select * from pg_stats where tablename = 'customers'",
    "insert into customers values (200, 'n', (select email from customers where id = 1))",
    "insert into customers (id, name, email, score) select 201, null, email || 'x', 5 from customers limit 1",
    "insert into orders values (300, 4711)",
    "delete from customers where id = 1",
    "select email::int from customers",
    "select (email || 'x')::date from customers",
    "do $$ begin raise notice '%', (select email from customers limit 1); end $$",
    "do $$ begin raise exception '%', (select email from customers limit 1); end $$",
    "do $$ declare x int; begin select email into x from customers; end $$",
    "do $$ begin execute (select 'select ' || email from customers limit 1); end $$",
    "select set_config('my.kept', (select email from customers limit 1), false); show my.kept; select current_setting('my.kept')",
    "explain (analyze, costs off, timing off) select email from customers",
    "select * from customers c, lateral (select c.email, upper(c.email)) l",
    "select first_value(email) over (order by id), lag(email) over (order by id) from customers",
    "select percentile_disc(0.5) within group (order by email) from customers",
    "select xmlforest(email), xmlelement(name a, email), json_build_object('a', email), format('%s', email) from customers",
    "select * from json_each_text((select to_json(c) from customers c limit 1))",
    "select jsonb_path_query(to_jsonb(c), '$.email') from customers c",
    ...["", " (format csv, header, force_quote *)", " (format binary)", " (delimiter ';', null 'x')"].flatMap((how) => [
      `copy customers to stdout${how}`,
      `copy public.customers (note, email, id) to stdout${how}`,
      `copy (select upper(email), email, secret, 'a,"b' || E'\\n' || id from customers) to stdout${how}`,
      `copy events_1 to stdout${how}`,
      `copy (select * from people) to stdout${how}`,
    ]),
  ];

  test.each(LEAKING)("%s", async (sql) => {
    const said = await psql(`\\set VERBOSITY verbose\n${sql};`);
    expect(said).not.toMatch(CANARY);
  });

  test("the record holds none either, says which rules were in force, and counts what each has masked", async () => {
    await psql("select email, secret from customers where id < 4; select lower(email) from customers where id < 3;");
    const { events } = await shop.gateway.lastClosed();
    expect(events[0]).toMatchObject({
      type: "session-opened",
      masking: { version: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    expect(events.filter(({ type }) => type === "masked")).toEqual([
      { type: "masked", values: { emails: 5, secrets: 3 } },
    ]);
    const kept = (await shop.gateway.everythingKept()).toString("latin1");
    expect(kept).toContain("****mple");
    // What the tests above themselves wrote in their statements.
    expect(kept.replaceAll(/'canary100@canary\.example'/g, "")).not.toMatch(CANARY);
  });

  test("literals and parameters of masked columns reach the target as they are, and the record masked", async () => {
    const own = await shop.client();
    await own.connect();
    await own.query("insert into customers (id, name, email) values (500, 'kept', 'canary-literal@x.example')");
    const insert = "insert into customers (id, name, email) values ($1, $2, $3)";
    await own.query({ name: "ins", text: insert, values: [501, "kept", "canary-bound-1@x.example"] });
    await own.query({ name: "ins", text: insert, values: [502, "kept", "canary-bound-2@x.example"] });
    await own.query("prepare p as select id from customers where email = $1; execute p ('canary-executed')");
    await own.end();
    const { rows } = await shop.admin.query("select email from customers where id >= 500 order by id");
    expect(rows.map(({ email }) => email as string)).toEqual([
      "canary-literal@x.example",
      "canary-bound-1@x.example",
      "canary-bound-2@x.example",
    ]);
    const { statements } = await shop.gateway.lastClosed();
    expect(JSON.stringify(statements)).not.toMatch(CANARY);
    expect(statements[1]?.parameters?.map(({ value }) => value)).toEqual([
      "501",
      "kept",
      expect.stringContaining("****"),
    ]);
    await shop.admin.query("delete from customers where id >= 500");
    expect((await shop.gateway.everythingKept()).toString("latin1")).not.toMatch(/canary-(?:literal|bound|executed)/);
  });

  test.each(["recording-only", "exempt"])(
    "%s: the client sees the values, the record does not hold them",
    async (how) => {
      const where = how === "exempt" ? "client+recording" : "recording-only";
      const masking = { columns: MASKING.columns.map((rule) => ({ ...rule, where })) };
      const policies = { ...UNGUARDED, exempts: () => (how === "exempt" ? "trusted" : undefined) };
      const { host, port } = shop.server;
      const target = { host, port, database: "shop", user: SHOP_OWNER, password: "owner-secret" };
      const gateway = await startTestGateway({ target, masking, policies: () => policies });
      const env = throughGateway(gateway, await gateway.pass());
      const sql =
        "select email, lower(email) from customers where id < 4; copy customers (email) to stdout; select 1/0";
      const { stdout } = await run("psql", ["-X", "-c", sql, "-c", "select 'behind'"], { env });
      expect(stdout.toString().match(/canary2@canary/g)).toHaveLength(3);
      const { events } = await gateway.lastClosed();
      expect(events[0]).toMatchObject({ masking: how === "exempt" ? { unmaskedBy: "trusted" } : {} });
      expect((await gateway.everythingKept()).toString("latin1")).not.toMatch(CANARY);
      await gateway.close();
    },
  );

  test("what is not masked is as it was, types and counts stay right", async () => {
    const own = await shop.client();
    await own.connect();
    const result = await own.query("select id, name, email, score, note, count(*) over () from customers where id = 2");
    expect(result.rows).toEqual([
      { id: 2, name: "name 2", email: expect.stringMatching(/@|\*/), score: null, note: "new", count: "1" },
    ]);
    await own.end();
  });

  test("node-postgres meets none in text or binary, prepared, re-executed, pipelined", async () => {
    const seen: unknown[] = [];
    for (const binary of [false, true]) {
      const own = await shop.client({ binary } as pg.ClientConfig);
      await own.connect();
      for (const sql of LEAKING.filter((text) => !text.includes(";") && !text.includes("$$")))
        seen.push(await own.query({ text: sql, values: [] }).then(({ rows }) => rows as unknown, String));
      const named = { name: "again", text: "select *, lower(email) from customers where id = $1" };
      for (let n = 1; n < 4; n++) seen.push((await own.query({ ...named, values: [n] })).rows);
      seen.push(...(await Promise.all([1, 2, 3].map(async (n) => (await own.query({ ...named, values: [n] })).rows))));
      await own.end();
    }
    expect(JSON.stringify(seen)).not.toMatch(CANARY);
  });
});
