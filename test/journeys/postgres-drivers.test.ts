import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import pg from "pg";
import { from as copyFrom, to as copyTo } from "pg-copy-streams";
import { serialize } from "pg-protocol/dist/serializer.js";
import QueryStream from "pg-query-stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { postgresServers } from "../setup/postgres.ts";
import { psql } from "../setup/programs.ts";
import { startShop, type ShopJourney } from "../setup/shop-journey.ts";
import { connectWire, logIn, SSL_REQUEST, upgrade } from "../setup/wire-client.ts";

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "sallyport-test-drivers-"));
});
afterAll(() => rm(scratch, { recursive: true }));

describe.each(postgresServers())("node-postgres through the gateway to PostgreSQL $version", (which) => {
  let shop: ShopJourney;
  let client: pg.Client;
  beforeAll(async () => {
    shop = await startShop(which);
    client = await shop.client();
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    await shop.stop();
  });

  /** What a client does in a session of its own, and what its record says of it. */
  async function session(act: (own: pg.Client) => Promise<unknown>) {
    const own = await shop.client();
    await own.connect();
    try {
      await act(own);
    } finally {
      await own.end();
    }
    return shop.gateway.lastClosed();
  }

  test("a pool of ten does the work of two hundred askers, in as many sessions as it has clients", async () => {
    const before = (await shop.gateway.sessions()).length;
    const pool = new pg.Pool({ ...(await shop.config()), max: 10 });
    const sums = await Promise.all(
      Array.from(
        { length: 200 },
        async (_, n) => (await pool.query("select $1::int * 2 as twice", [n])).rows[0].twice as number,
      ),
    );
    expect(sums).toEqual(Array.from({ length: 200 }, (_, n) => 2 * n));
    await pool.end();
    const opened = (await shop.gateway.sessions()).slice(0, -before || undefined);
    expect(opened.length).toBeGreaterThan(0);
    expect(opened.length).toBeLessThanOrEqual(10);
    const statements = await Promise.all(opened.map(async ({ id }) => (await shop.gateway.closed(id)).statements));
    const parameters = statements.flat().map((statement) => Number(statement.parameters?.[0]?.value));
    expect(parameters.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, n) => n));
  });

  test("a query stream's rows arrive in batches, all of them, and stopping early leaves the session usable", async () => {
    let rows = 0;
    for await (const row of client.query(
      new QueryStream("select n from generate_series(1, $1::int) n", [100_000], { batchSize: 1_000 }),
    )) {
      rows++;
      expect((row as { n: number }).n).toBe(rows);
    }
    expect(rows).toBe(100_000);
    for await (const row of client.query(
      new QueryStream("select n from generate_series(1, 100000) n", [], { batchSize: 10 }),
    ))
      if ((row as { n: number }).n === 15) break;
    expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  });

  test("a thousand queries that are sent without waiting are answered in order, an error failing only its own", async () => {
    const { port, caFile } = shop.gateway;
    const plain = await connectWire({ port });
    plain.send(SSL_REQUEST);
    await plain.bytes(1);
    const raw = await upgrade(plain, { ca: await readFile(caFile, "utf8") });
    await logIn(raw, await shop.gateway.pass());
    const one = (n: number): Buffer[] => [
      serialize.parse({ text: n === 500 ? "select 1/0" : "select $1::int" }),
      serialize.bind({ values: n === 500 ? [] : [String(n)] }),
      serialize.execute(),
      serialize.sync(),
    ];
    raw.send(...Array.from({ length: 1_000 }, (_, n) => one(n)).flat(), serialize.end());
    for (let n = 0; n < 1_000; n++) {
      const answer = await raw.until("Z");
      const [row] = answer.filter(({ tag }) => tag === "D" || tag === "E");
      expect(row?.tag === "D" ? row.body.toString("utf8", 6) : row?.tag).toBe(n === 500 ? "E" : String(n));
    }
    const { statements } = await shop.gateway.lastClosed();
    expect(statements.map(({ sqlstate, parameters }) => sqlstate ?? Number(parameters?.[0]?.value))).toEqual(
      Array.from({ length: 1_000 }, (_, n) => (n === 500 ? "22012" : n)),
    );
  });

  test("COPY both ways is byte-equal, text and binary, twenty megabytes of it", async () => {
    await client.query("create table copied (id int, noise bytea, words text)");
    const line = (n: number): string =>
      `${n}\t\\\\x${randomBytes(100).toString("hex")}\tWörter, "quoted"\\n und ${"x".repeat(n % 200)}\n`;
    const text = Buffer.from(Array.from({ length: 60_000 }, (_, n) => line(n)).join(""));
    const collect = async (sql: string): Promise<Buffer> => Buffer.concat(await client.query(copyTo(sql)).toArray());
    const { row, statements } = await session(async (own) => {
      await pipeline(Readable.from([text]), own.query(copyFrom("copy copied from stdin")));
    });
    expect((await collect("copy (select * from copied order by id) to stdout")).equals(text)).toBe(true);
    expect(statements).toMatchObject([
      { tag: "COPY 60000", rows: 60_000, copied: { direction: "in", bytes: text.length } },
    ]);
    expect(row.closing.bytesFromClient).toBeGreaterThan(text.length);
    const binary = await collect("copy (select * from copied order by id) to stdout (format binary)");
    await client.query("truncate copied");
    await pipeline(Readable.from([binary]), client.query(copyFrom("copy copied from stdin (format binary)")));
    expect((await collect("copy (select * from copied order by id) to stdout")).equals(text)).toBe(true);
  });

  test("a COPY that fails, from either side, says so and leaves the session usable", async () => {
    const bad = client.query(copyFrom("copy copied from stdin"));
    await expect(pipeline(Readable.from(["no number\n"]), bad)).rejects.toMatchObject({ code: "22P02" });
    const broken = client.query(copyFrom("copy copied from stdin"));
    const source = Readable.from(
      (function* () {
        yield "1\t\\N\tx\n";
        throw new Error("the source broke");
      })(),
    );
    await expect(pipeline(source, broken)).rejects.toThrow("the source broke");
    expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  });

  test("LISTEN and NOTIFY, notices and settings that change on the way reach the client, and the record", async () => {
    const heard: pg.Notification[] = [];
    const noticed: string[] = [];
    const { events } = await session(async (own) => {
      own.on("notification", (message) => heard.push(message));
      own.on("notice", (notice) => noticed.push(String(notice.message)));
      await own.query("listen news");
      await client.query("notify news, 'from another session'");
      await own.query("do $$ begin raise notice 'mind the gap'; end $$; set application_name = 'renamed'");
      await expect.poll(() => heard.length).toBe(1);
    });
    expect(heard[0]).toMatchObject({ channel: "news", payload: "from another session" });
    expect(noticed).toEqual(["mind the gap"]);
    expect(events).toContainEqual(
      expect.objectContaining({ type: "notification", channel: "news", payload: "from another session" }),
    );
    expect(events).toContainEqual(expect.objectContaining({ type: "notice", message: "mind the gap" }));
  });

  test("large objects go in and out by psql, byte-equal (they are read and written by function calls)", async () => {
    const [into, out] = [join(scratch, "in.bin"), join(scratch, "out.bin")];
    const bytes = randomBytes(3_000_000);
    await writeFile(into, bytes);
    const env = await shop.through();
    const oid = await psql(env, "-c", `\\lo_import ${into}`, "-c", "\\echo :LASTOID");
    await psql(env, "-c", `\\lo_export ${/(\d+)\s*$/.exec(oid)?.[1] ?? ""} ${out}`);
    expect((await readFile(out)).equals(bytes)).toBe(true);
    const calls = (await shop.gateway.lastClosed()).statements.filter(({ via }) => via === "function-call");
    expect(calls.length).toBeGreaterThan(100);
  });

  test("a cursor is fetched forward and back", async () => {
    await client.query("begin; declare c scroll cursor for select n from generate_series(1, 10) n");
    const numbers = async (sql: string): Promise<number[]> =>
      (await client.query<{ n: number }>(sql)).rows.map(({ n }) => n);
    expect(await numbers("fetch 3 c")).toEqual([1, 2, 3]);
    expect(await numbers("fetch last c")).toEqual([10]);
    expect(await numbers("fetch backward 2 c")).toEqual([9, 8]);
    await client.query("commit");
  });

  test("a value of 50 MB goes in as a parameter and comes back", async () => {
    const value = randomBytes(50_000_000);
    const md5 = createHash("md5").update(value).digest("hex");
    const { rows } = await client.query("select md5($1::bytea) as md5, $1::bytea as value", [value]);
    expect(rows[0].md5).toBe(md5);
    expect((rows[0].value as Buffer).equals(value)).toBe(true);
  });

  test("60,000 parameters are bound by one Bind, and the record says how many there were", async () => {
    const numbers = Array.from({ length: 60_000 }, (_, n) => n);
    const list = numbers.map((n) => `$${n + 1}::int`).join();
    const { statements } = await session(async (own) => {
      const { rows } = await own.query(`select sum(n)::text as sum from unnest(array[${list}]) n`, numbers);
      expect(rows).toEqual([{ sum: String((60_000 * 59_999) / 2) }]);
    });
    expect(statements).toMatchObject([{ parameterCount: 60_000, outcome: "completed", rows: 1 }]);
    expect(statements[0]?.parameters?.slice(0, 3).map(({ value }) => value)).toEqual(["0", "1", "2"]);
  });

  test("a query of several statements gives several results, and stops at its error", async () => {
    const { statements } = await session(async (own) => {
      const results: unknown = await own.query(
        "select 1 as a; select 2 as b, 3 as c; create temp table t as select 4 as d",
      );
      expect((results as pg.QueryResult[]).map(({ rows, command }) => [command, rows])).toEqual([
        ["SELECT", [{ a: 1 }]],
        ["SELECT", [{ b: 2, c: 3 }]],
        ["SELECT", []],
      ]);
      await expect(own.query("select 5; select 1/0; select 6")).rejects.toMatchObject({ code: "22012" });
    });
    expect(statements.map(({ outcome, rows }) => [outcome, rows])).toEqual([
      ["completed", 1],
      ["completed", 1],
      ["completed", 0],
      ["completed", 1],
      ["failed", 0],
    ]);
  });

  test("a statement over the bound is refused with a hint, and the session ends as over its limit", async () => {
    const { row } = await session(async (own) => {
      await expect(own.query(`select '${"x".repeat(33 << 20)}'`)).rejects.toMatchObject({
        code: "54000",
        hint: /COPY/,
      });
    });
    expect(row.closing.reason).toBe("limit-exceeded");
  });
});
