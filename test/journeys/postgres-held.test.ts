import { serialize } from "pg-protocol/dist/serializer.js";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Policies } from "../../core/policy/verdict.ts";
import { type Approver, approver } from "../setup/approver.ts";
import { BLOCKING, HOLDING, policiesOf } from "../setup/policies.ts";
import { postgresServers } from "../setup/postgres.ts";
import { startShop, type ShopJourney } from "../setup/shop-journey.ts";
import { terminal } from "../setup/terminal.ts";
import { cancelRequest, connectWire, errorText, logIn, type Message, type WireClient } from "../setup/wire-client.ts";

const { query, parse, bind, execute, sync, end } = serialize;
const text = ({ body }: Message): string => body.toString().replaceAll("\0", "|");

describe.each(postgresServers())("held statements at PostgreSQL $version", (which) => {
  let shop: ShopJourney;
  let bob: Approver;
  const before = policiesOf(BLOCKING + HOLDING);
  let policies: Policies = before;
  beforeAll(async () => {
    shop = await startShop(which, { policies: () => policies, plaintextOnLoopback: true });
    bob = approver(shop.gateway.state.approvalStore);
  });
  afterAll(() => shop.stop());
  beforeEach(async () => {
    policies = before;
    await shop.admin.query("drop table if exists kept; create table kept (id int); insert into kept values (1), (2)");
    await shop.admin.query("alter table kept owner to shop_owner");
    await shop.mark();
  });

  let clients: WireClient[] = [];
  /** Whatever waits is given up, and no table stays locked. */
  afterEach(async () => {
    for (const client of clients) client.close();
    clients = [];
    await expect.poll(() => shop.gateway.gateway.liveSessions).toBe(0);
  });
  const wire = async (): Promise<WireClient> => {
    const client = await connectWire({ port: shop.gateway.port });
    clients.push(client);
    await logIn(client, await shop.gateway.pass());
    return client;
  };
  const deletes = async (): Promise<string[]> => (await shop.logged()).filter((each) => each.startsWith("delete"));
  const kept = async (): Promise<number> => (await shop.admin.query("select from kept")).rowCount ?? -1;

  test("psql is told at once who is asked, why, where and until when; consent lets it run once, and is in the record before it", async () => {
    const screen = terminal("psql -X", await shop.through());
    await screen.shows(/=> /);
    screen.type("delete from kept;\r");
    const notice = await screen.shows(/Ctrl-C gives up\./);
    expect(notice).toContain("NOTICE:  sallyport: held for consent: it changes every row");
    expect(notice).toMatch(/Asked of 1 of dba, until 20.*Z\. Policy: all-rows\./);
    expect(notice).toContain(`https://sallyport.test/approvals/${(await bob.asked()).id}`);
    expect(await bob.asked()).toMatchObject({
      shown: "delete from kept;",
      requester: { name: "Ana" },
      connection: "shop",
    });
    expect(await deletes()).toEqual([]);
    await bob.decide(true, "go on");
    await screen.shows(/DELETE 2/);
    screen.type("\\q\r");
    await screen.ended();
    expect(await deletes()).toEqual(["delete from kept;"]);
    const { events } = await shop.gateway.lastClosed();
    expect(events.filter(({ type }) => ["verdict", "approval", "statement"].includes(type))).toMatchObject([
      { type: "verdict", kind: "hold", policies: ["all-rows"], shown: "delete from kept;" },
      { type: "approval", outcome: "granted", by: [{ id: "test|Bob", name: "Bob", words: "go on" }] },
      { type: "statement", text: "delete from kept;", outcome: "completed", tag: "DELETE 2" },
    ]);
  });

  test("a denial is an error with the approver's words, in the state that any error leaves", async () => {
    const client = await wire();
    client.send(query("begin"));
    await client.until("Z");
    client.send(query("delete from kept"), query("select 1"), query("rollback"));
    const notice = await client.message();
    expect([notice.tag, text(notice)]).toEqual(["N", expect.stringContaining("keeps its locks")]);
    await bob.decide(false, "not on a Monday");
    const denied = await client.until("Z");
    expect(denied.map(({ tag }) => tag)).toEqual(["E", "Z"]);
    expect(text(denied[0] as Message)).toContain("C42501|Msallyport: denied by Bob: not on a Monday|");
    expect(errorText((await client.until("Z"))[0] as Message)).toMatch(/^25P02/);
    await client.until("Z");
    client.send(end());
    expect([await deletes(), await kept()]).toEqual([[], 2]);
    const { statements, events } = await shop.gateway.lastClosed();
    expect(statements.map(({ outcome }) => outcome)).toEqual(["completed", "refused", "failed", "completed"]);
    expect(events.find(({ type }) => type === "approval")).toMatchObject({ outcome: "denied" });
  });

  test("Ctrl-C in psql gives the request up, and the session goes on", async () => {
    const screen = terminal("psql -X", await shop.through());
    await screen.shows(/=> /);
    screen.type("delete from kept;\r");
    await screen.shows(/Ctrl-C gives up\./);
    const request = await bob.asked();
    screen.type("\x03");
    await screen.shows(/ERROR:\s+sallyport: cancelled while it was held/);
    screen.type("select 40 + 2;\r");
    await screen.shows(/42/);
    screen.type("\\q\r");
    await screen.ended();
    expect([await bob.became(request), await deletes()]).toEqual(["cancelled", []]);
    await expect(bob.decide(true)).rejects.toThrow();
  });

  test("a cancel request fails it with SQLSTATE 57014, wherever in a pipeline it stands", async () => {
    const client = await connectWire({ port: shop.gateway.port });
    clients.push(client);
    const { processId, secret } = await logIn(client, await shop.gateway.pass());
    client.send(
      parse({ text: "delete from kept" }),
      bind({}),
      execute({}),
      parse({ text: "select 1" }),
      sync(),
      query("select 2"),
    );
    await client.until("N");
    const canceller = await connectWire({ port: shop.gateway.port });
    canceller.send(cancelRequest(processId, secret));
    const answers = [...(await client.until("Z")), ...(await client.until("Z"))];
    expect(answers.map(({ tag }) => tag).join("")).toMatch(/^1?EZTDCZ$/);
    expect(errorText(answers.find(({ tag }) => tag === "E") as Message)).toMatch(/^57014/);
    client.send(end());
    expect(await deletes()).toEqual([]);
  });

  test("a client that vanishes gives the request up, and nothing runs", async () => {
    for (const more of [[], [query("select 1")]]) {
      const client = await wire();
      client.send(query("delete from kept"), ...more);
      await client.until("N");
      const request = await bob.asked();
      client.close();
      await expect.poll(async () => bob.became(request)).toBe("cancelled");
      const { events, row } = await shop.gateway.lastClosed();
      expect(row.closing.reason).toBe("client-lost");
      expect(events.find(({ type }) => type === "approval")).toMatchObject({ outcome: "cancelled" });
    }
    expect([await deletes(), await kept()]).toEqual([[], 2]);
  });

  test("a target that dies meanwhile ends the session, and the request", async () => {
    const client = await wire();
    client.send(query("select pg_backend_pid()"));
    const [, row] = await client.until("Z");
    client.send(query("delete from kept"));
    await client.until("N");
    const request = await bob.asked();
    await shop.admin.query("select pg_terminate_backend($1)", [Number(row?.body.toString("latin1", 6))]);
    expect((await client.until("E")).map(({ tag }) => tag)).toEqual(["E"]);
    await expect.poll(async () => bob.became(request)).toBe("cancelled");
    expect(await kept()).toBe(2);
  });

  test("what was granted under policies that have changed since does not run", async () => {
    const client = await wire();
    client.send(query("delete from kept"));
    await client.until("N");
    policies = policiesOf(
      `${BLOCKING}${HOLDING}@id("more") @reason("other") forbid (principal, action == Action::"pg:notify", resource);`,
    );
    await bob.decide(true);
    expect(text((await client.until("Z"))[0] as Message)).toContain("policies have changed");
    client.send(end());
    expect([await deletes(), await kept()]).toEqual([[], 2]);
  });

  test("other sessions, of the same person and of others, go on while one waits", async () => {
    const client = await wire();
    client.send(query("delete from kept"));
    await client.until("N");
    const others = await Promise.all(Array.from({ length: 8 }, wire));
    for (const other of others) {
      other.send(query("select 1"));
      expect((await other.until("Z")).map(({ tag }) => tag).join("")).toBe("TDCZ");
    }
    await bob.decide(true);
    expect((await client.until("Z")).map(({ tag }) => tag).join("")).toBe("CZ");
    for (const each of [client, ...others]) each.send(end());
  });

  test("what consent is asked for is shown whole; what is too long for that is refused, and does not run", async () => {
    const client = await wire();
    const long = `delete from kept where '${"x".repeat(60_000)}' <> ''; delete from kept`;
    client.send(query(long));
    await client.until("N");
    expect((await bob.asked()).shown).toBe(long);
    await bob.decide(false);
    expect((await client.until("Z")).map(({ tag }) => tag).join("")).toBe("EZ");
    client.send(query(`delete from kept /* ${"x".repeat(70_000)} */`));
    expect(text((await client.until("Z"))[0] as Message)).toMatch(/C42501\|M.*too long for those who give it/);
    client.send(parse({ name: "p", text: `delete from kept where '${"x".repeat(9_000)}' <> ''` }), sync());
    expect((await client.until("Z")).map(({ tag }) => tag).join("")).toBe("1Z");
    client.send(bind({ statement: "p" }), execute({}), sync());
    expect((await client.until("Z")).map(({ tag }) => tag).join("")).toBe("EZ");
    expect([await deletes(), await kept()]).toEqual([[], 2]);
  });

  test("each execution of a prepared statement is held with its own parameters, and its digest is theirs", async () => {
    const client = await wire();
    const update = "update kept set id = $1";
    const digests: string[] = [];
    client.send(parse({ name: "u", text: update }), sync());
    expect((await client.until("Z")).map(({ tag }) => tag).join("")).toBe("1Z");
    for (const value of ["7", "8"]) {
      client.send(bind({ statement: "u", values: [value] }), execute({}), sync());
      await client.until("N");
      const request = await bob.asked();
      expect(request.shown).toBe(`${update}\n$1 = '${value}'`);
      digests.push(request.digest);
      await bob.decide(true);
      expect((await client.until("Z")).map(({ tag }) => tag).join("")).toBe("2CZ");
    }
    expect(new Set(digests).size).toBe(2);
    client.send(bind({ statement: "u", values: ["9"] }), execute({}), sync());
    await client.until("N");
    await bob.decide(false);
    expect((await client.until("Z")).map(({ tag }) => tag).join("")).toBe("EZ");
    client.send(end());
    expect((await shop.admin.query("select distinct id from kept")).rows).toEqual([{ id: 8 }]);
    const { statements } = await shop.gateway.lastClosed();
    expect(statements.map(({ outcome, parameters }) => [outcome, parameters?.[0]?.value])).toEqual([
      ["completed", "7"],
      ["completed", "8"],
      ["refused", "9"],
    ]);
  });

  test("node-postgres waits for consent as for any slow statement, named or not", async () => {
    const client = await shop.client();
    await client.connect();
    for (const name of [undefined, "all", "all"]) {
      const updated = client.query({ text: "update kept set id = id + $1", values: [1], ...(name ? { name } : {}) });
      await bob.decide(true);
      expect((await updated).rowCount).toBe(2);
      expect((await client.query("select $1::int n", [1])).rows).toEqual([{ n: 1 }]);
    }
    await client.end();
  });

  const LONG = "n".repeat(63);
  /** Messages by which a statement that is held might run without: what it stands for is never a weaker one. */
  const EVASIONS: Record<string, Buffer[][]> = {
    "a second Parse of its name fails at the server": [
      [parse({ name: "s", text: "delete from kept" }), sync()],
      [parse({ name: "s", text: "select 1" }), sync()],
      [bind({ statement: "s" }), execute({}), sync()],
    ],
    "a second Parse of its name is skipped": [
      [parse({ text: "delete from kept" }), sync()],
      [parse({ name: "x", text: "select nonsense" }), parse({ text: "select 1" }), sync()],
      [bind({}), execute({}), sync()],
    ],
    "its Close is skipped": [
      [parse({ name: "s", text: "delete from kept" }), sync()],
      [
        parse({ name: "x", text: "select nonsense" }),
        serialize.close({ type: "S", name: "s" }),
        parse({ name: "s", text: "select 1" }),
        sync(),
      ],
      [bind({ statement: "s" }), execute({}), sync()],
    ],
    "its name differs only behind the bytes that the server compares": [
      [parse({ name: `${LONG}a`, text: "delete from kept" }), sync()],
      [parse({ name: "other", text: "select 1" }), sync(), bind({ statement: `${LONG}b` }), execute({}), sync()],
    ],
    "SQL executes what the protocol prepared": [
      [parse({ name: "s", text: "delete from kept" }), sync()],
      [query("execute s")],
    ],
    "the protocol binds what SQL prepared": [
      [query("prepare s as delete from kept")],
      [bind({ statement: "s" }), execute({}), sync()],
    ],
    "one query prepares and executes": [[query("prepare s as delete from kept; execute s")]],
    "EXPLAIN ANALYZE executes it": [[query("prepare s as delete from kept"), query("explain analyze execute s")]],
    "an EXECUTE is parsed before the name is taken": [
      [query("prepare s as select 1"), parse({ name: "e", text: "execute s" }), sync()],
      [
        query("begin"),
        bind({ statement: "e", portal: "p" }),
        sync(),
        query("deallocate s"),
        query("prepare s as delete from kept"),
      ],
      [execute({ portal: "p" }), sync(), query("commit")],
    ],
    "the name comes cut in the middle of a message": [
      [
        parse({ name: "s", text: "delete from kept" }),
        Buffer.concat([bind({ statement: "s" }), execute({}), sync()]).subarray(0, 2),
      ],
      [Buffer.concat([bind({ statement: "s" }), execute({}), sync()]).subarray(2)],
    ],
  };
  test.each(Object.entries(EVASIONS))("is not run without consent where %s", async (_, turns) => {
    const client = await wire();
    for (const turn of turns) {
      client.send(...turn);
      const readies = turn.filter((each) => "QS".includes(each.toString("latin1", 0, 1))).length;
      for (let ready = 0; ready < readies; ready++) {
        const seen = await client.until("ZN");
        if (seen.at(-1)?.tag !== "N") continue;
        await bob.decide(false);
        await client.until("Z");
      }
    }
    client.close();
    expect(await kept()).toBe(2);
  });
});
