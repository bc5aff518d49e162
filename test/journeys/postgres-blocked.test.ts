import { serialize } from "pg-protocol/dist/serializer.js";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { postgresServers } from "../setup/postgres.ts";
import { BLOCKING, policiesOf } from "../setup/policies.ts";
import { run } from "../setup/programs.ts";
import { startShop, type ShopJourney } from "../setup/shop-journey.ts";
import { connectWire, logIn } from "../setup/wire-client.ts";

describe.each(postgresServers())("blocked statements at PostgreSQL $version", (which) => {
  let shop: ShopJourney;
  const policies = policiesOf(BLOCKING);
  beforeAll(async () => {
    shop = await startShop(which, { policies: () => policies, plaintextOnLoopback: true });
    await shop.admin.query("create table salaries (id int); alter table salaries owner to shop_owner");
  });
  afterAll(() => shop.stop());
  beforeEach(async () => {
    await shop.admin.query("drop table if exists kept; create table kept (id int); insert into kept values (1), (2)");
    await shop.admin.query("alter table kept owner to shop_owner");
    await shop.mark();
  });

  /** What psql shows of a script, errors in their place. */
  const script = async (text: string): Promise<string[]> => {
    const env = await shop.through();
    const { stdout } = await run("sh", ["-c", "psql -XqAt 2>&1"], { env, input: text });
    return stdout.toString().trimEnd().split("\n");
  };

  test("a client is told the reason, the policy and what it can do, as SQLSTATE 42501, and goes on", async () => {
    const shown = await script("\\set VERBOSITY verbose\ndrop table kept;\nselect count(*) from kept;\n");
    expect(shown).toEqual([
      "ERROR:  42501: sallyport: tables are not dropped here",
      "DETAIL:  Policy: no-drop.",
      "HINT:  No consent can be asked for it here: who keeps the policies can say how else it is done.",
      "2",
    ]);
    expect((await shop.logged()).filter((text) => text.includes("drop"))).toEqual([]);
    const { statements, events } = await shop.gateway.lastClosed();
    expect(statements.map(({ text, outcome, sqlstate }) => [text, outcome, sqlstate])).toEqual([
      ["drop table kept;", "refused", "42501"],
      ["select count(*) from kept;", "completed", undefined],
    ]);
    expect(events.find(({ type }) => type === "verdict")).toMatchObject({ kind: "block", policies: ["no-drop"] });
  });

  /** Tags and transaction states of the answers to these messages; the row values of each DataRow. */
  const converse = async (messages: readonly Buffer[], atOnce: boolean): Promise<string[]> => {
    const client = await connectWire({ port: shop.gateway.port });
    await logIn(client, await shop.gateway.pass());
    if (atOnce) client.send(...messages);
    else for (const each of messages) client.send(each);
    const asked = messages.filter((each) => "QSF".includes(each.toString("latin1", 0, 1))).length;
    const seen: string[] = [];
    for (let ready = 0; ready < asked; ready++)
      for (const { tag, body } of await client.until("Z"))
        seen.push(tag === "Z" || tag === "C" ? `${tag} ${body.toString("latin1").replace("\0", "")}` : tag);
    client.send(serialize.end());
    return seen;
  };

  const { query, parse, bind, execute, sync, describe: describes, flush, copyData, copyDone, close } = serialize;
  const extended = (text: string, name = ""): Buffer[] => [
    parse({ name, text }),
    bind({ statement: name }),
    describes({ type: "P", name: "" }),
    execute({ portal: "" }),
  ];
  const twice = [bind({ statement: "s1" }), execute({ portal: "" }), sync()];
  /** By what they are; each around a statement that fails. */
  const CONVERSATIONS: Record<string, (failing: string) => Buffer[]> = {
    "a simple query": (failing) => [query(failing), query("select 1")],
    "one in a transaction": (failing) => [query("begin"), query(failing), query("select 1"), query("commit")],
    "one in a failed transaction": (failing) => [
      query("begin"),
      query("select 1/0"),
      query(failing),
      query("rollback"),
      query("select 1"),
    ],
    "one behind a savepoint": (failing) =>
      ["begin", "savepoint a", failing, "rollback to a", "select 1", "commit"].map((text) => query(text)),
    "the extended protocol": (failing) => [...extended(failing), sync(), ...extended("select 1"), sync()],
    "a named statement that is run again": (failing) => [...extended(failing, "s1"), sync(), ...twice, ...twice],
    "a name that is used again for another statement": (failing) => [
      ...extended(failing, "s1"),
      sync(),
      ...extended("select 1", "s1"),
      sync(),
      close({ type: "S", name: "s1" }),
      sync(),
    ],
    "a pipeline": (failing) => [
      ...extended("select 1"),
      ...extended(failing),
      ...extended("select 2"),
      sync(),
      query("select 3"),
    ],
    "a pipeline in an explicit transaction": (failing) => [
      query("begin"),
      ...extended("select 1"),
      sync(),
      ...extended(failing),
      sync(),
      ...extended("select 2"),
      sync(),
      query("rollback"),
    ],
    "a pipeline with flushes, of which all but the last message has been skipped": (failing) => [
      ...extended(failing),
      flush(),
      ...extended(failing),
      flush(),
      ...extended("select 2"),
      flush(),
      sync(),
    ],
    "several in one go": (failing) => [query(failing), query(failing), ...extended(failing), sync(), query("select 1")],
    "the simple protocol between pipelines": (failing) => [
      ...extended("select 1"),
      sync(),
      query(failing),
      ...extended("select 2"),
      sync(),
    ],
  };
  const COPIES: Record<string, (failing: string) => Buffer[]> = {
    "COPY IN by a simple query": (failing) => [
      query(failing),
      copyData(Buffer.from("1\n")),
      copyDone(),
      query("select 1"),
    ],
    "COPY IN by the extended protocol": (failing) => [
      ...extended(failing),
      sync(),
      copyData(Buffer.from("1\n")),
      copyDone(),
      sync(),
      query("select 1"),
    ],
    "COPY IN in a transaction": (failing) => [
      query("begin"),
      query(failing),
      copyData(Buffer.from("1\n")),
      copyDone(),
      query("commit"),
      query("select 1"),
    ],
  };
  /** A COPY of no table fails only when it is executed; what is refused fails when it is parsed. */
  const failingCopy = (name: string): string =>
    name.includes("extended") ? "select * from nowhere" : "copy nowhere from stdin";
  const SAME = [
    ...Object.entries(CONVERSATIONS).map(
      ([name, make]) => [name, make, "select * from salaries", "select * from nowhere"] as const,
    ),
    ...Object.entries(COPIES).map(
      ([name, make]) => [name, make, "copy salaries from stdin", failingCopy(name)] as const,
    ),
  ];
  test.each(SAME)("%s is answered as if the server itself had refused it", async (_, make, refused, failing) => {
    const expected = await converse(make(failing), true);
    for (const atOnce of [true, false]) {
      await shop.mark();
      expect(await converse(make(refused), atOnce)).toEqual(expected);
      expect((await shop.logged()).filter((text) => text.includes("salaries"))).toEqual([]);
      const { statements } = await shop.gateway.lastClosed();
      expect(statements.filter(({ outcome }) => outcome === "refused").length).toBeGreaterThan(0);
    }
  });

  test("nothing of a query runs of which one statement is blocked, wherever it stands", async () => {
    const others = "insert into kept values (3); insert into kept values (4)";
    const env = await shop.through();
    const texts = [
      `drop table kept; ${others}`,
      `${others}; drop table kept`,
      `begin; ${others}; drop table kept; commit`,
    ];
    for (const text of texts) {
      const { status, stderr } = await run("psql", ["-XqAtc", text], { env });
      expect([status, stderr.split("\n")[0]]).toEqual([1, "ERROR:  sallyport: tables are not dropped here"]);
    }
    expect(await script("select count(*) from kept")).toEqual(["2"]);
    expect((await shop.logged()).filter((text) => /drop|insert/.test(text))).toEqual([]);
  });

  test("a function called by its OID is refused, and the session goes on", async () => {
    const call = Buffer.from("F\0\0\0\x0e\0\0\x05\x18\0\0\0\0\0\0", "latin1");
    expect(await converse([call, query("begin"), call, query("rollback")], true)).toEqual([
      "E",
      "Z I",
      "C BEGIN",
      "Z T",
      "E",
      "Z E",
      "C ROLLBACK",
      "Z I",
    ]);
  });

  test("node-postgres gets the error of each query, and all others their rows, named or not", async () => {
    const client = await shop.client();
    await client.connect();
    for (const name of [undefined, "again"]) {
      const blocked = { text: "select $1::int, * from salaries", values: [1], ...(name === undefined ? {} : { name }) };
      for (let time = 0; time < 3; time++) {
        await expect(client.query(blocked)).rejects.toMatchObject({ code: "42501", detail: "Policy: no-secrets." });
        expect((await client.query({ text: "select $1::int n", values: [time] })).rows).toEqual([{ n: time }]);
      }
    }
    await client.end();
  });
});
