import { readFile } from "node:fs/promises";
import type pg from "pg";
import { serialize } from "pg-protocol/dist/serializer.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../../local/embedded-postgres.ts";
import { startTestGateway, type TestGateway } from "../setup/gateway.ts";
import { postgresServers } from "../setup/postgres.ts";
import { run, throughGateway } from "../setup/programs.ts";
import { startShop, type ShopJourney } from "../setup/shop-journey.ts";
import {
  connectWire,
  errorText,
  logIn,
  SSL_REQUEST,
  startupMessage,
  upgrade,
  type WireClient,
} from "../setup/wire-client.ts";

/** A raw client inside TLS, not yet logged in. */
async function secure({ port, caFile }: TestGateway): Promise<WireClient> {
  const plain = await connectWire({ port });
  plain.send(SSL_REQUEST);
  await plain.bytes(1);
  return upgrade(plain, { ca: await readFile(caFile, "utf8") });
}

/** A TLS socket cannot be reset by Node; its peer sees the same as of a plain one. */
const WAYS_TO_VANISH = [
  ["tls", "end"],
  ["tls", "destroy"],
  ["plain", "destroy"],
  ["plain", "resetAndDestroy"],
] as const;

describe.each(postgresServers())("how sessions end, PostgreSQL $version", (which) => {
  let shop: ShopJourney;
  let plain: TestGateway;
  beforeAll(async () => {
    shop = await startShop(which);
    const { host, port } = shop.server;
    const target = { host, port, database: "shop", user: "shop_owner", password: "owner-secret" };
    plain = await startTestGateway({ target, beside: shop.gateway, plaintextOnLoopback: true });
    await shop.admin.query(
      "create table stock (item text primary key, pieces int); alter table stock owner to shop_owner",
    );
  });
  afterAll(async () => {
    await plain.close();
    await shop.stop();
  });

  const open = async (how: "tls" | "plain"): Promise<WireClient> =>
    how === "tls" ? secure(shop.gateway) : connectWire({ port: plain.port });
  const pidOf = async (client: pg.Client): Promise<number> =>
    ((await client.query("select pg_backend_pid() as pid")).rows[0] as { pid: number }).pid;
  const alive = (pid: number) => async (): Promise<number | null> =>
    (await shop.admin.query("select from pg_stat_activity where pid = $1", [pid])).rowCount;
  const gone = async (pid: number): Promise<void> => expect.poll(alive(pid), { timeout: 10_000 }).toBe(0);

  test("an administrator's pg_terminate_backend reaches the client as 57P01, and the record as the target's close", async () => {
    const client = await shop.client();
    await client.connect();
    const pid = await pidOf(client);
    const working = client.query("select pg_sleep(600)");
    const refused = expect(working).rejects.toMatchObject({ code: "57P01", severity: "FATAL" });
    await shop.admin.query("select pg_terminate_backend($1)", [pid]);
    await refused;
    const { row, statements } = await shop.gateway.lastClosed();
    expect(row.closing.reason).toBe("target-closed");
    expect(statements.at(-1)).toMatchObject({ text: "select pg_sleep(600)", outcome: "failed", sqlstate: "57P01" });
    await gone(pid);
  });

  test("an idle session that is terminated says so in its record, outside any statement", async () => {
    const client = await shop.client();
    await client.connect();
    const ended = new Promise<Error>((done) => void client.on("error", done));
    await shop.admin.query("select pg_terminate_backend($1)", [await pidOf(client)]);
    expect(await ended).toMatchObject({ code: "57P01" });
    const { row, events } = await shop.gateway.lastClosed();
    expect(row.closing.reason).toBe("target-closed");
    expect(events).toContainEqual(expect.objectContaining({ type: "error", sqlstate: "57P01" }));
  });

  test.each(WAYS_TO_VANISH)(
    "a client that vanishes (%s, %s) in a transaction: its backend goes, its locks are free, nothing it did is kept",
    async (how, vanish) => {
      const client = await open(how);
      const { processId } = await logIn(client, await shop.gateway.pass());
      client.send(serialize.query("begin; insert into stock values ('lost', 1); lock table stock"));
      await client.until("Z");
      client.socket[vanish]();
      await gone(processId);
      expect((await shop.admin.query("select from stock")).rowCount).toBe(0);
      const { row, statements } = await shop.gateway.lastClosed();
      expect(row.closing.reason).toBe("client-lost");
      expect(statements.map(({ tag }) => tag)).toEqual(["BEGIN", "INSERT 0 1", "LOCK TABLE"]);
    },
  );

  test("a client that vanishes in the middle of a COPY leaves none of its rows", async () => {
    const client = await secure(shop.gateway);
    const { processId } = await logIn(client, await shop.gateway.pass());
    client.send(serialize.query("copy stock from stdin"));
    await client.until("G");
    for (let n = 0; n < 1_000; n++) client.send(serialize.copyData(Buffer.from(`item ${n}\t${n}\n`)));
    client.send(serialize.copyData(Buffer.from("half a row")).subarray(0, 9));
    client.socket.end();
    await gone(processId);
    expect((await shop.admin.query("select from stock")).rowCount).toBe(0);
    const { row, statements } = await shop.gateway.lastClosed();
    expect(row.closing.reason).toBe("client-lost");
    expect(statements).toMatchObject([
      { text: "copy stock from stdin", outcome: "unknown", copied: { direction: "in" } },
    ]);
  });

  test("a client that goes at any moment of its log-in leaves no session and no backend behind", async () => {
    const pass = await shop.gateway.pass();
    const parts = [
      startupMessage({ user: "x", database: "shop" }),
      serialize.password(pass),
      serialize.query("select pg_sleep(0.01)"),
      serialize.end(),
    ];
    const all = Buffer.concat(parts);
    const ends = new Set([0, 3, 8, 20, parts[0]?.length ?? 0, all.length - 20, all.length - 5, all.length]);
    for (const [how, vanish] of WAYS_TO_VANISH)
      for (const end of ends) {
        const client = await open(how);
        client.socket.write(all.subarray(0, end), () => void client.socket[vanish]());
      }
    await expect
      .poll(() => shop.gateway.gateway.liveSessions + plain.gateway.liveSessions, { timeout: 10_000 })
      .toBe(0);
    const backends = "select from pg_stat_activity where usename = 'shop_owner'";
    await expect.poll(async () => (await shop.admin.query(backends)).rowCount, { timeout: 10_000 }).toBe(0);
    for (const { id } of await shop.gateway.sessions()) await shop.gateway.closed(id);
  });

  test("a target that is down is said to be, in under a second; so is one that refuses, and why", async () => {
    const target = { host: "127.0.0.1", port: await freePort(), user: "anyone" };
    const before = await startTestGateway({ target });
    try {
      const client = await secure(before);
      const asked = performance.now();
      await expect(logIn(client, await before.pass())).rejects.toThrow(
        /^08001 sallyport: the target at .* does not answer/,
      );
      expect(performance.now() - asked).toBeLessThan(1_000);
      const { row, events } = await before.lastClosed();
      expect(row.closing.reason).toBe("refused");
      expect(events.at(-1)).toMatchObject({ type: "session-closed", message: expect.stringContaining("ECONNREFUSED") });
    } finally {
      await before.close();
    }
    const nowhere = await run("psql", ["-c", "select 1"], { env: await shop.through("shop/nowhere") });
    expect(nowhere.stderr).toContain('database "nowhere" does not exist (3D000)');
  });

  test("a gateway that is shut down tells its clients, cancels what they ran, and stores every session", async () => {
    const { host, port } = shop.server;
    const target = { host, port, database: "shop", user: "shop_owner", password: "owner-secret" };
    const gateway = await startTestGateway({ target, beside: shop.gateway });
    const clients = await Promise.all(
      [1, 2, 3].map(async () => {
        const client = await secure(gateway);
        const { processId } = await logIn(client, await gateway.pass());
        client.send(serialize.query("select pg_sleep(600)"));
        return { client, processId };
      }),
    );
    await expect
      .poll(
        async () =>
          (await shop.admin.query("select from pg_stat_activity where query like '%sleep(600)' and state = 'active'"))
            .rowCount,
      )
      .toBe(3);
    await gateway.close();
    for (const { client, processId } of clients) {
      expect(errorText(await client.message())).toMatch(/^57P01 .*shut down/);
      await client.rest();
      await gone(processId);
    }
    const ended = (await gateway.sessions()).slice(0, 3);
    for (const { id } of ended) expect((await gateway.closed(id)).row.closing.reason).toBe("shutting-down");
    expect((await run("psql", ["-c", "select 1"], { env: throughGateway(gateway, "x") })).status).toBe(2);
  });

  test("a target whose backend crashes is lost to its clients with an error of ours or the server's, and the record says so", async () => {
    const own = await startShop(which);
    own.admin.on("error", () => {});
    try {
      const [victim, other] = [await own.client(), await own.client()];
      await Promise.all([victim.connect(), other.connect()]);
      const pid = await pidOf(victim);
      const working = Promise.allSettled([victim.query("select pg_sleep(600)"), other.query("select pg_sleep(600)")]);
      process.kill(pid, "SIGKILL");
      const [mine, theirs] = await working;
      expect(mine).toMatchObject({ status: "rejected", reason: { code: "08006" } });
      expect(theirs).toMatchObject({ status: "rejected", reason: { code: expect.stringMatching(/^(57P02|08006)$/) } });
      const sessions = await Promise.all((await own.gateway.sessions()).map(({ id }) => own.gateway.closed(id)));
      expect(sessions.map(({ row }) => row.closing.reason)).toContain("target-lost");
      const again = async (): Promise<number | null> =>
        (await run("psql", ["-c", "select 1"], { env: await own.through() })).status;
      await expect.poll(again, { timeout: 20_000 }).toBe(0);
    } finally {
      await own.stop();
    }
  });
});
