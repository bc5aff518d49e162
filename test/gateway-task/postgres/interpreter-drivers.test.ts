import { once } from "node:events";
import { connect } from "node:net";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { Readable, Writable } from "node:stream";
import pg from "pg";
import { from as copyFrom, to as copyTo } from "pg-copy-streams";
import { serialize } from "pg-protocol/dist/serializer.js";
import QueryStream from "pg-query-stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunningPostgres } from "../../../local/embedded-postgres.ts";
import { postgresServers } from "../../setup/postgres.ts";
import { direct, psql, run, succeed } from "../../setup/programs.ts";
import { capture, type Capture } from "./capture.ts";
import { functionCall, interpret, recut, statements, timeless } from "./interpreter-kit.ts";

describe.each(postgresServers())("postgresInterpreter on sessions with PostgreSQL $version", (postgres) => {
  let server: RunningPostgres;
  let proxy: Capture;
  let scratch: string;

  beforeAll(async () => {
    server = await postgres.start({ auth: "trust" });
    scratch = await mkdtemp(path.join(tmpdir(), "sallyport-interpreter-"));
  });
  afterAll(async () => {
    await server.stop();
    await rm(scratch, { recursive: true, force: true });
  });

  const config = () => ({ host: "127.0.0.1", port: proxy.port, user: "postgres", database: "postgres" });
  const environment = () => direct({ host: "127.0.0.1", port: proxy.port }, "postgres", "");

  /** What is told of the sessions that `drive` holds; told the same if their bytes come in other pieces. */
  async function told(drive: () => Promise<unknown>) {
    proxy = await capture(server);
    try {
      await drive();
    } finally {
      await proxy.close();
    }
    return proxy.sessions.flatMap((steps) => {
      const events = interpret(steps);
      for (const cuts of [
        [1, 2, 3, 5, 8, 13, 21, 34],
        [100, 1000, 4096, 9999],
      ])
        expect(timeless(interpret(recut(steps, cuts)))).toEqual(timeless(events));
      return events;
    });
  }

  async function withClient<T>(options: object, use: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = new pg.Client({ ...config(), ...options });
    client.on("error", () => {});
    await client.connect();
    try {
      return await use(client);
    } finally {
      await client.end().catch(() => {});
    }
  }

  test("node-postgres: simple, bound and prepared statements, errors", async () => {
    const events = await told(() =>
      withClient({}, async (client) => {
        await client.query("create table if not exists people (id int primary key, name text, at timestamptz)");
        await client.query("insert into people values ($1, $2, $3)", [1, "Zoë", new Date(0)]);
        for (const id of [1, 2])
          await client.query({ name: "by-id", text: "select name from people where id = $1", values: [id] });
        await client.query("select 1/0").catch(() => {});
        await client.query("selec $1", [1]).catch(() => {});
        await client.query("select $1::int", ["x"]).catch(() => {});
        await client
          .query({ name: "by-id", text: "select name from people where id = $1", values: ["no"] })
          .catch(() => {});
        await client.query("drop table people; select 'é' as a, 2::int8 as b");
      }),
    );
    expect(events).toMatchObject([
      { number: 1, via: "simple", tag: "CREATE TABLE", rows: 0 },
      { number: 2, via: "extended", tag: "INSERT 0 1", rows: 0, parameters: [{ value: "1" }, { value: "Zoë" }, {}] },
      { number: 3, prepared: "by-id", rows: 1, parameters: [{ value: "1" }], columns: [{ name: "name", type: 25 }] },
      { number: 4, prepared: "by-id", rows: 0, tag: "SELECT 0", text: "select name from people where id = $1" },
      { number: 5, outcome: "failed", sqlstate: "22012", message: "division by zero" },
      { number: 6, outcome: "failed", sqlstate: "42601", text: "selec $1" },
      { number: 7, outcome: "failed", sqlstate: "22P02", text: "select $1::int" },
      { number: 8, outcome: "failed", sqlstate: "22P02", prepared: "by-id" },
      { number: 9, tag: "DROP TABLE" },
      {
        number: 10,
        tag: "SELECT 1",
        columns: [
          { name: "a", type: 25 },
          { name: "b", type: 20 },
        ],
      },
    ]);
  });

  test("node-postgres in pipeline mode: each statement has its own answer", async () => {
    const events = await told(() =>
      withClient({ pipeline: true }, async (client) => {
        const asked = Array.from({ length: 50 }, (_, i) =>
          client.query(i === 20 ? "select 1/$1::int" : "select $1::int as n", [i === 20 ? 0 : i]).catch(() => {}),
        );
        await Promise.all(asked);
      }),
    );
    expect(
      statements(events).map(({ number, outcome, parameters }) => [number, outcome, parameters?.[0]?.value]),
    ).toEqual(
      Array.from({ length: 50 }, (_, i) => [i + 1, i === 20 ? "failed" : "completed", String(i === 20 ? 0 : i)]),
    );
  });

  test("pg-query-stream: a portal that is read in parts", async () => {
    const events = await told(() =>
      withClient({}, async (client) => {
        const stream = client.query(
          new QueryStream("select g from generate_series(1, $1::int) g", [25], { batchSize: 10 }),
        );
        for await (const row of stream) expect(row).toBeDefined();
      }),
    );
    const text = "select g from generate_series(1, $1::int) g";
    expect(events).toMatchObject([
      { outcome: "suspended", rows: 10, text, columns: [{ name: "g" }] },
      { outcome: "suspended", rows: 10, text, parameters: [{ value: "25" }] },
      { outcome: "completed", rows: 5, text, tag: "SELECT 5" },
    ]);
  });

  test("pg-copy-streams: COPY in and out, and one that fails midway", async () => {
    const data = Array.from({ length: 20_000 }, (_, i) => `${i}\tsome text ${i}\n`).join("");
    const events = await told(() =>
      withClient({}, async (client) => {
        await client.query("create temp table t (id int, name text)");
        await pipeline(Readable.from(data.match(/[^]{1,7777}/g) ?? []), client.query(copyFrom("copy t from stdin")));
        await pipeline(
          client.query(copyTo("copy t to stdout")),
          new Writable({ write: (_chunk, _encoding, done) => done() }),
        );
        await pipeline(Readable.from(["1\ta\nx\tb\n"]), client.query(copyFrom("copy t from stdin"))).catch(() => {});
        await client.query("select count(*) from t");
      }),
    );
    expect(events).toMatchObject([
      { tag: "CREATE TABLE" },
      { rows: 20_000, tag: "COPY 20000", copied: { direction: "in", bytes: data.length } },
      { rows: 20_000, tag: "COPY 20000", copied: { direction: "out", bytes: data.length } },
      { outcome: "failed", sqlstate: "22P02", rows: 0, copied: { direction: "in", bytes: 8 } },
      { tag: "SELECT 1", rows: 1 },
    ]);
  });

  test("psql: several statements, cursors, notices, notifications, \\copy, \\d and variables", async () => {
    const file = path.join(scratch, "rows.csv");
    await writeFile(file, "1,a\n2,b\n3,c\n");
    const script = [
      "begin",
      "create temp table t (id int primary key, name text)",
      "declare c cursor for select generate_series(1, 7)",
      "fetch 5 c",
      "close c",
      "commit",
      `\\copy t from '${file}' csv`,
      "\\copy (select * from t) to stdout",
      "do $$ begin raise notice 'look: %', 7; end $$",
      "listen ch; notify ch, 'hello'",
      "insert into t values (1, 'again')",
      "select 1 \\; select 2 \\; select 3",
    ]
      .map((line) => (line.startsWith("\\") ? line : `${line};`))
      .join("\n");
    const events = await told(async () => {
      await run("psql", ["-XqAt"], { env: environment(), input: script });
      await psql(environment(), "-c", "\\d pg_class");
    });
    const count = statements(events).length;
    expect(events.slice(0, 16)).toMatchObject([
      { text: "begin;", tag: "BEGIN" },
      { tag: "CREATE TABLE" },
      { tag: "DECLARE CURSOR" },
      { text: "fetch 5 c;", tag: "FETCH 5", rows: 5, columns: [{ name: "generate_series" }] },
      { tag: "CLOSE CURSOR" },
      { tag: "COMMIT" },
      { tag: "COPY 3", rows: 3, copied: { direction: "in", bytes: 12 } },
      { tag: "COPY 3", rows: 3, copied: { direction: "out", bytes: 12 } },
      { type: "notice", sqlstate: "00000", message: "look: 7" },
      { tag: "DO" },
      { tag: "LISTEN" },
      { tag: "NOTIFY" },
      { type: "notification", channel: "ch", payload: "hello" },
      { outcome: "failed", sqlstate: "23505" },
      { text: "select 1 ; select 2 ; select 3;", tag: "SELECT 1" },
      { text: "select 1 ; select 2 ; select 3;", tag: "SELECT 1" },
    ]);
    expect(count).toBeGreaterThan(18);
    expect(statements(events).every((event) => event.outcome === (event.sqlstate ? "failed" : "completed"))).toBe(true);
  });

  test("pgbench: simple, extended, prepared and pipelined scripts", async () => {
    await succeed("pgbench", ["-i", "-q", "-s", "1"], { env: direct(server, "postgres", "") });
    const script = path.join(scratch, "pipeline.sql");
    await writeFile(
      script,
      "\\startpipeline\nselect 1;\nselect abalance from pgbench_accounts where aid = 5;\n\\endpipeline\n",
    );
    for (const mode of ["simple", "extended", "prepared"]) {
      const events = await told(() => succeed("pgbench", ["-n", "-S", "-M", mode, "-t", "30"], { env: environment() }));
      const selects = statements(events).filter((event) => event.text.includes("pgbench_accounts WHERE"));
      expect(selects).toHaveLength(30);
      for (const event of selects)
        expect(event).toMatchObject({ outcome: "completed", rows: 1, columns: [{ name: "abalance", type: 23 }] });
      if (mode !== "simple")
        expect(selects.every((event) => /^\d+$/.test(event.parameters?.[0]?.value ?? ""))).toBe(true);
    }
    const events = await told(() =>
      succeed("pgbench", ["-n", "-M", "prepared", "-f", script, "-t", "20"], { env: environment() }),
    );
    const selects = statements(events).filter((event) => event.text.startsWith("select"));
    expect(selects).toHaveLength(40);
    expect(selects.every((event) => event.outcome === "completed" && event.rows === 1)).toBe(true);
  });

  test("a connection ended by an administrator, idle and at work", async () => {
    const kill = async (idle: boolean): Promise<void> => {
      await withClient({}, async (victim) => {
        const { rows } = await victim.query<{ pid: number }>("select pg_backend_pid() as pid");
        const ended = new Promise((resolve) => victim.once("end", resolve));
        const working = idle ? undefined : victim.query("select pg_sleep(60)").catch(() => {});
        const administrator = new pg.Client({ ...config(), port: server.port });
        await administrator.connect();
        const busy = "select 1 from pg_stat_activity where pid = $1 and state = $2";
        while ((await administrator.query(busy, [rows[0]?.pid, idle ? "idle" : "active"])).rowCount === 0);
        await administrator.query("select pg_terminate_backend($1)", [rows[0]?.pid]);
        await administrator.end();
        await working;
        await ended;
      });
    };
    expect(await told(() => kill(true))).toMatchObject([
      { outcome: "completed" },
      { type: "error", severity: "FATAL", sqlstate: "57P01" },
    ]);
    expect(await told(() => kill(false))).toMatchObject([
      { outcome: "completed" },
      { text: "select pg_sleep(60)", outcome: "failed", sqlstate: "57P01" },
    ]);
  });

  test("a client that sends everything at once: pipelines with errors, COPY with and without its data, a function call", async () => {
    const { parse, bind, execute, sync, query, copyData, copyDone, describe: ask } = serialize;
    const copy = (table: string) => [parse({ text: `copy ${table} from stdin` }), bind({}), execute({}), sync()];
    const bytes = Buffer.concat([
      parse({ name: "s", text: "select $1::int / $2::int" }),
      ...["2", "0", "1"].flatMap((n) => [bind({ statement: "s", values: ["4", n] }), ask({ type: "P" }), execute({})]),
      sync(),
      query("create temp table t (id int)"),
      ...copy("t").concat(copyData(Buffer.from("1\n2\n")), copyDone(), sync()),
      ...copy("none").concat(copyData(Buffer.from("1\n")), copyDone(), sync()),
      functionCall(1598),
      query("select count(*) from t; select 'last'"),
      serialize.end(),
    ]);
    const events = await told(async () => {
      const socket = connect(proxy.port, "127.0.0.1");
      socket.write(serialize.startup({ user: "postgres", database: "postgres" }));
      socket.on("data", () => {});
      await once(socket, "data");
      socket.write(bytes);
      await once(socket, "close");
    });
    const copies = statements(events).filter((event) => event.text.startsWith("copy"));
    expect(statements(events).slice(0, 4)).toMatchObject([
      { number: 1, outcome: "completed", rows: 1, parameters: [{ value: "4" }, { value: "2" }] },
      { number: 2, outcome: "failed", sqlstate: "22012", parameters: [{ value: "4" }, { value: "0" }] },
      { number: 3, outcome: "skipped", parameters: [{ value: "4" }, { value: "1" }] },
      { text: "create temp table t (id int)" },
    ]);
    expect(copies).toMatchObject([
      { outcome: "completed", rows: 2, copied: { direction: "in", bytes: 4 } },
      { outcome: "failed", sqlstate: "42P01" },
    ]);
    expect(statements(events).slice(-3)).toMatchObject([
      { text: "function 1598", via: "function-call", outcome: "completed" },
      { tag: "SELECT 1", rows: 1 },
      { text: "select count(*) from t; select 'last'", tag: "SELECT 1", rows: 1 },
    ]);
  });
});
