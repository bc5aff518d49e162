import pg from "pg";
import { to as copyTo } from "pg-copy-streams";
import QueryStream from "pg-query-stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Jdbc, type JdbcAnswer, type JdbcDriver, startJdbc } from "../setup/jdbc.ts";
import { postgresServers } from "../setup/postgres.ts";
import { startShop, type ShopJourney } from "../setup/shop-journey.ts";

/** No value of a masked column is anything else, and nothing else is like them. */
const CANARY = /canary|7700\d\d/i;
const MASKING = {
  columns: [
    { name: "emails", columns: ["customers.email"], style: "partial" },
    { name: "secrets", columns: ["customers.secret"], style: "full" },
    { name: "scores", columns: ["customers.score"], style: "null" },
  ],
};
const ROWS = 300;
const TABLE = `create table customers (id int primary key, name text, email text unique, secret text[], score int);
  insert into customers select g, 'name ' || g, 'canary' || g || '@canary.example', array['canary-' || g], 770000 + g
  from generate_series(1, ${ROWS}) g; alter table customers owner to shop_owner`;
const MASKED = ["****mple", "{****}", null];
const QUERY = "select email, secret, score, id, name from customers order by id";
const rowOf = (n: number): (string | null)[] => [...MASKED, String(n), `name ${n}`];
const ALL = Array.from({ length: ROWS }, (_, n) => rowOf(n + 1));

const WAYS = {
  "simple queries": { preferQueryMode: "simple" },
  "extended queries": { prepareThreshold: "0" },
  "statements prepared at the second execution": { prepareThreshold: "2" },
  "binary values from the first execution": { prepareThreshold: "-1" },
  "a savepoint before every statement": { autosave: "always" },
};

describe.each(postgresServers())("masked columns of PostgreSQL $version", (which) => {
  let shop: ShopJourney;
  let driver: JdbcDriver;
  beforeAll(async () => {
    driver = startJdbc();
    shop = await startShop(which, { masking: MASKING });
    await shop.admin.query(TABLE);
  });
  afterAll(async () => {
    await driver.stop();
    await shop.stop();
  });

  /** The driver quotes every element of an array that came in binary. */
  const rows = ({ results }: JdbcAnswer): unknown[] =>
    results.flatMap((result) =>
      "rows" in result ? result.rows.map((row) => row.map((value) => value?.replaceAll('"', "") ?? null)) : [],
    );

  test.each(Object.entries(WAYS))(
    "JDBC, by %s, meets masks alone, of the right types, and so does the record",
    async (_, how) => {
      const db = await driver.connect(await shop.jdbcThrough(how));
      for (let times = 0; times < 4; times++) expect(rows(await db.run(QUERY, { parameters: [] }))).toEqual(ALL);
      expect(rows(await db.run(`${QUERY}; select max(upper(email)) from customers`))).toHaveLength(ROWS + 1);
      await inTransaction(db);
      for (const [format, last] of Object.entries({ text: "\\N\t1\tname 1\n", csv: ",,1,name 1\n" })) {
        const copied = await db.copyOut(`copy (${QUERY}) to stdout (format ${format})`);
        expect([copied.count, copied.bytes.toString().slice(0, 60)]).toEqual([
          ROWS,
          expect.stringContaining(last.slice(-9)),
        ]);
        expect(copied.bytes.toString()).not.toMatch(CANARY);
      }
      const binary = await db.copyOut("copy customers to stdout (format binary)");
      expect(binary.count).toBe(ROWS);
      expect(binary.bytes.toString("latin1")).not.toMatch(CANARY);
      await db.close();
      await expectRecordMasked();
    },
  );

  async function inTransaction(db: Jdbc): Promise<void> {
    await db.autoCommit(false);
    expect(rows(await db.run(QUERY, { parameters: [], fetchSize: 7 }))).toEqual(ALL);
    await db.savepoint("before");
    const clash = await db.run("insert into customers (id, email) select -1, email from customers where id = 1");
    expect(clash.error?.state).toBe("23505");
    expect(`${clash.error?.message} ${clash.error?.detail}`).not.toMatch(CANARY);
    await db.rollbackTo("before");
    const changed = await db.run("update customers set name = name where id < ? returning email, score", {
      parameters: [3],
    });
    expect(rows(changed)).toEqual([
      ["****mple", null],
      ["****mple", null],
    ]);
    await db.rollback();
    await db.autoCommit(true);
  }

  async function expectRecordMasked(): Promise<void> {
    const { events } = await shop.gateway.lastClosed();
    const counted = events.flatMap((event) => (event.type === "masked" ? [event.values["emails"] ?? 0] : []));
    expect(counted.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(5 * ROWS);
    expect((await shop.gateway.everythingKept()).toString("latin1")).not.toMatch(CANARY);
  }

  test("node-postgres' streams of queries and of COPY, named statements and pipelines meet masks alone, and so does the record", async () => {
    const own = await shop.client();
    await own.connect();
    const expected = ALL.map(([email, , , id, name]) => ({
      email,
      secret: ["****"],
      score: null,
      id: Number(id),
      name,
    }));
    expect(await own.query(new QueryStream(QUERY, [], { batchSize: 10 })).toArray()).toEqual(expected);
    for (let times = 0; times < 4; times++)
      expect((await own.query({ name: "all", text: QUERY })).rows).toEqual(expected);
    for (const format of ["text", "csv", "binary"]) {
      const copied = Buffer.concat(await own.query(copyTo(`copy customers to stdout (format ${format})`)).toArray());
      expect(copied.toString("latin1")).toContain(`name ${ROWS}`);
      expect(copied.toString("latin1")).not.toMatch(CANARY);
    }
    await own.end();
    await expectRecordMasked();
    const piped = new pg.Client({ ...(await shop.config()), pipeline: true });
    await piped.connect();
    const asked = [1, 2, 3, 4, 5, 6].map(
      async () => (await piped.query({ text: QUERY, values: [] })).rows as unknown[],
    );
    for (const answer of await Promise.all(asked)) expect(answer).toEqual(expected);
    await piped.end();
    await expectRecordMasked();
  });
});
