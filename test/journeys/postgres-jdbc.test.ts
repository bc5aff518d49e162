import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Jdbc, type JdbcAnswer, type JdbcDriver, type JdbcPlace, startJdbc } from "../setup/jdbc.ts";
import { postgresServers } from "../setup/postgres.ts";
import { startShop, type ShopJourney } from "../setup/shop-journey.ts";

/** How the driver can speak: each is a different conversation on the wire. */
const WAYS = {
  "simple queries": { preferQueryMode: "simple" },
  "extended queries": { prepareThreshold: "0" },
  "statements prepared after five executions": { prepareThreshold: "5" },
  "binary values from the first execution": { prepareThreshold: "-1", binaryTransferEnable: "NUMERIC" },
  "a savepoint before every statement": { autosave: "always" },
};

/** SQLSTATEs, in order; after an error in a transaction there may be 25P02. */
const MEANT_TO_FAIL = ["22012", "23505", "42P01", "22P02", "42P01", "P0042", "42703", "42601", "22P02"];

const scripts: Record<string, (db: Jdbc) => Promise<JdbcAnswer[]>> = {
  "values of every kind": async (db) => {
    const values = `select 1::int2, (-2147483648)::int4, 9223372036854775807::int8, 1.5::float8, 'NaN'::numeric, 12345.678900::numeric,
      true, 'Ä "quoted"'::text, 'x'::char(3), '2024-02-29 13:14:15.123456+02'::timestamptz, '0044-03-15 BC'::date, '13:14'::time,
      '1 mon 2 days'::interval, '\\xdeadbeef'::bytea, '{1,null,3}'::int[], '{"a":[1]}'::jsonb, 'null'::json, null::int,
      '7a0a6a4e-3c9d-4b36-8a35-0a4ac9cb2f0b'::uuid, '10.0.0.1'::inet, point(1,2), int4range(1, 5), row(1,'a'), 'infinity'::timestamptz`;
    const answers = [];
    for (let times = 0; times < 8; times++) answers.push(await db.run(values, { parameters: [] }));
    return [await db.run(values), ...answers];
  },
  "parameters, bound again and again": async (db) => {
    const answers = [];
    for (const [n, word] of [
      [1, "a"],
      [2, "ä'\\"],
      [3, null],
      [4, ""],
      [5, "x".repeat(9_000)],
      [6, "b"],
      [7, "c"],
    ] as const)
      answers.push(await db.run("select ?::int4 * 2, length(?::text), ?::bool", { parameters: [n, word, n > 3] }));
    return answers;
  },
  "several statements in one, with results, counts and an error": async (db) => [
    await db.run("create temp table t (n int)"),
    await db.run("insert into t values (1), (2); select n from t order by n; update t set n = n"),
    await db.run("insert into t values (3); select 1/0; insert into t values (4)"),
    await db.run("select count(*) from t"),
  ],
  "a batch, one that fails in the middle, and one of several statements": async (db) => {
    await db.run("create temp table b (n int primary key, w text)");
    const rows = Array.from({ length: 300 }, (_, n) => [n, `row ${n}`]);
    return [
      await db.batch("insert into b values (?, ?)", rows),
      await db.batch("insert into b values (?, ?)", [
        [1_000, "new"],
        [7, "twice"],
        [1_001, "new too"],
      ]),
      await db.run("select count(*), max(n) from b"),
      await db.batchOf(
        "delete from b where n < 10",
        "update b set w = 'x' where n < 20",
        "insert into b values (-1, null)",
      ),
      await db.run("select count(*), min(n) from b"),
    ];
  },
  "a transaction with savepoints, an error and a way back": async (db) => {
    const answers = [await db.run("create temp table s (n int)"), await db.autoCommit(false)];
    answers.push(await db.run("insert into s values (1)"), await db.savepoint("one"));
    answers.push(await db.run("insert into s values (2)"), await db.run("select * from nowhere"));
    answers.push(await db.run("select n from s"), await db.rollbackTo("one"));
    answers.push(await db.run("select n from s"), await db.commit(), await db.autoCommit(true));
    return [...answers, await db.run("select n from s")];
  },
  "cursors that fetch in portions, one of them left half-way": async (db) => {
    await db.autoCommit(false);
    const sql = "select n, repeat('x', n % 50) from generate_series(1, 1000) n";
    const answers = [
      await db.run(sql, { fetchSize: 64, parameters: [] }),
      await db.run(sql, { fetchSize: 7, take: 20 }),
    ];
    answers.push(await db.run("select 'after'"), await db.commit());
    return [...answers, await db.autoCommit(true)];
  },
  "COPY in and out, text and CSV and binary, and one that fails": async (db) => {
    await db.run("create temp table c (n int, w text)");
    const csv = Buffer.from(Array.from({ length: 5_000 }, (_, n) => `${n},"Wörter, ""quoted"" ${n}"\n`).join(""));
    const answers = [await db.copyIn("copy c from stdin csv", csv), await db.copyOut("copy c to stdout")];
    const binary = await db.copyOut("copy c to stdout (format binary)");
    answers.push(binary, await db.copyIn("copy c from stdin (format binary)", binary.bytes));
    answers.push(
      await db.copyIn("copy c from stdin", Buffer.from("no number\n")),
      await db.copyOut("copy nowhere to stdout"),
    );
    return [...answers, await db.run("select count(*), sum(n) from c")];
  },
  "notices, warnings and errors with detail and hint": async (db) => [
    await db.run("do $$ begin raise notice 'mind the gap'; raise warning 'beware' using errcode = '01234'; end $$"),
    await db.run("do $$ begin raise exception 'no' using errcode = 'P0042', detail = 'why', hint = 'ask'; end $$"),
    await db.run("select nonsense"),
    await db.run("selec"),
    await db.run("select ?::int", { parameters: ["x"] }),
    await db.run(""),
  ],
};

describe.each(postgresServers())("JDBC through the gateway to PostgreSQL $version", (which) => {
  let shop: ShopJourney;
  let driver: JdbcDriver;
  beforeAll(async () => {
    driver = startJdbc();
    shop = await startShop(which);
  });
  afterAll(async () => {
    await driver.stop();
    await shop.stop();
  });

  test.each(Object.entries(WAYS))(
    "by %s, everything is as it is past the gateway, and the record holds every statement that the server logged",
    async (_, properties) => {
      const past = await answersOf(shop.jdbcPast(properties));
      await shop.mark();
      const through = await answersOf(await shop.jdbcThrough(properties));
      for (const [name, answers] of Object.entries(through)) expect(answers, name).toEqual(past[name]);
      const failed = Object.values(past).flatMap((answers) => answers.flatMap(({ error }) => error?.state ?? []));
      expect(failed.filter((state) => state !== "25P02")).toEqual(MEANT_TO_FAIL);
      const recorded = await shop.recorded();
      const logged = await shop.logged();
      expect(logged.length).toBeGreaterThan(40);
      for (const text of logged) expect(recorded.splice(recorded.indexOf(text), 1), text).toEqual([text]);
    },
  );

  test("a statement is cancelled, by the driver's own time-out and by cancel(), and the connection goes on", async () => {
    const db = await driver.connect(await shop.jdbcThrough());
    const timedOut = await db.run("select pg_sleep(600)", { timeoutSeconds: 1 });
    expect(timedOut.error).toMatchObject({ state: "57014", message: "canceling statement due to user request" });
    const asked = db.run("do $$ begin raise notice 'it runs'; perform pg_sleep(600); end $$", { parameters: [] });
    await expect.poll(async () => db.warned()).toEqual(["it runs"]);
    await db.cancel();
    expect(await asked).toMatchObject({ error: { state: "57014" }, transaction: "IDLE" });
    expect((await db.run("select 'still here'")).results).toEqual([
      { columns: ["?column?:VARCHAR"], rows: [["still here"]] },
    ]);
    await db.close();
    const { events } = await shop.gateway.lastClosed();
    expect(events.filter(({ type }) => type === "cancel-requested")).toHaveLength(2);
  });

  test("binary values cross in binary, named statements are prepared after five executions: the record tells both", async () => {
    const db = await driver.connect(await shop.jdbcThrough({ prepareThreshold: "5" }));
    for (let times = 0; times < 7; times++) await db.run("select ?::int8 as big", { parameters: [times] });
    await db.close();
    const { statements } = await shop.gateway.lastClosed();
    const asked = statements.filter(({ text }) => text.includes("as big"));
    expect(asked.map(({ prepared }) => prepared)).toEqual(
      ["", "", "", "", "S_1", "S_1", "S_1"].map((name) => name || undefined),
    );
    expect(asked.map(({ columns }) => columns?.[0]?.format)).toEqual([0, 0, 0, 0, 0, 1, 1]);
    expect(asked.map(({ parameters }) => parameters?.[0]?.value)).toEqual(["0", "1", "2", "3", "4", "5", "6"]);
  });

  test("a pass that is none is refused by the driver's own exception, with SQLSTATE 28P01", async () => {
    const place = await shop.jdbcThrough();
    const refused = await driver.attempt({ ...place, properties: { ...place.properties, password: "sp_none" } });
    expect(refused.error).toMatchObject({ state: "28P01" });
  });

  async function answersOf(place: JdbcPlace): Promise<Record<string, JdbcAnswer[]>> {
    const answers: Record<string, JdbcAnswer[]> = {};
    for (const [name, script] of Object.entries(scripts)) {
      const db = await driver.connect(place);
      answers[name] = (await script(db)).map((answer) => ({ ...answer, id: 0 }));
      await db.close();
    }
    return answers;
  }
});
