import { readFile } from "node:fs/promises";
import { connect as connectTls } from "node:tls";
import { once } from "node:events";
import { serialize } from "pg-protocol/dist/serializer.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestGateway } from "../setup/gateway.ts";
import { postgresServers } from "../setup/postgres.ts";
import { newestLibpq, psql, run } from "../setup/programs.ts";
import { startShop, type ShopJourney } from "../setup/shop-journey.ts";
import {
  cancelRequest,
  connectWire,
  errorText,
  GSS_REQUEST,
  logIn,
  SSL_REQUEST,
  startupMessage,
  upgrade,
  type WireClient,
} from "../setup/wire-client.ts";

const USUAL = { user: "whoever", database: "shop" };

describe.each(postgresServers())("the protocol through the gateway to PostgreSQL $version", (which) => {
  let shop: ShopJourney;
  let ca: string;
  let opened: WireClient[] = [];
  beforeAll(async () => {
    shop = await startShop(which, { tlsPort: true });
    ca = await readFile(shop.gateway.caFile, "utf8");
  });
  afterAll(async () => {
    for (const client of opened.splice(0)) client.close();
    await shop.stop();
  });

  /** A raw client inside TLS. */
  async function secure(port = shop.gateway.port, authority = ca): Promise<WireClient> {
    const plain = await connectWire({ port });
    plain.send(SSL_REQUEST);
    expect((await plain.bytes(1)).toString()).toBe("S");
    const client = await upgrade(plain, { ca: authority });
    opened.push(client);
    return client;
  }

  /** The first column of the first row. */
  async function ask(client: WireClient, sql: string): Promise<string> {
    client.send(serialize.query(sql));
    const row = (await client.until("Z")).find(({ tag }) => tag === "D");
    return row?.body.toString("utf8", 6) ?? "";
  }

  const busy = async (processId: number, state = "active"): Promise<number | null> => {
    const sql = "select from pg_stat_activity where pid = $1 and state = $2 and query like '%pg_sleep%'";
    return (await shop.admin.query(sql, [processId, state])).rowCount;
  };

  test("GSSENCRequest is declined, SSLRequest then accepted, and the session is as any other", async () => {
    const plain = await connectWire({ port: shop.gateway.port });
    plain.send(GSS_REQUEST);
    expect((await plain.bytes(1)).toString()).toBe("N");
    plain.send(SSL_REQUEST);
    expect((await plain.bytes(1)).toString()).toBe("S");
    const client = await upgrade(plain, { ca });
    opened.push(client);
    await logIn(client, await shop.gateway.pass());
    expect(await ask(client, "select 6 * 7")).toBe("42");
  });

  test("TLS from the first byte (sslnegotiation=direct) leads to the same", async () => {
    const { host, port } = shop.gateway;
    const socket = connectTls({ host, port, ca, ALPNProtocols: ["postgresql"] });
    await once(socket, "secureConnect");
    expect(socket.alpnProtocol).toBe("postgresql");
    socket.write(startupMessage(USUAL));
    const [asked] = (await once(socket, "data")) as [Buffer];
    expect(asked).toEqual(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]));
    socket.destroy();
    const libpq = newestLibpq();
    if (libpq === undefined) return; // no client on this platform knows it
    const env = { ...(await shop.through()), ...libpq, PGSSLNEGOTIATION: "direct" };
    expect(await psql(env, "-c", "select 'direct'")).toBe("direct\n");
  });

  test("a port for TLS alone serves whoever begins with it, and tells others how to", async () => {
    const PGPORT = String(shop.gateway.tlsPort);
    const client = await shop.client({ port: Number(PGPORT), sslnegotiation: "direct" });
    await client.connect();
    expect((await client.query("select 'node' as by")).rows).toEqual([{ by: "node" }]);
    await client.end();
    const { status, stderr } = await run("psql", ["-c", "select 1"], { env: { ...(await shop.through()), PGPORT } });
    expect(status).toBe(2);
    expect(stderr).toMatch(/this port takes TLS from the first byte alone|error response during SSL exchange/);
    const libpq = newestLibpq();
    if (libpq === undefined) return; // no client on this platform knows it
    const env = { ...(await shop.through()), ...libpq, PGPORT, PGSSLNEGOTIATION: "direct" };
    expect(await psql(env, "-c", "select 'direct'")).toBe("direct\n");
  });

  test("protocol 3.2 gets a cancel key of 32 bytes, 3.0 one of 4, both good for a cancel, and neither is kept", async () => {
    for (const [minor, length] of [
      [0, 4],
      [2, 32],
    ] as const) {
      const client = await secure();
      const { processId, secret, negotiated } = await logIn(client, await shop.gateway.pass(), USUAL, minor);
      expect([secret.length, negotiated]).toEqual([length, undefined]);
      expect(await ask(client, "select pg_backend_pid()")).toBe(String(processId));
      client.send(serialize.query("select pg_sleep(600)"));
      await expect.poll(() => busy(processId)).toBe(1);
      const canceller = await secure();
      canceller.send(cancelRequest(processId, secret));
      expect(await canceller.rest()).toHaveLength(0);
      expect((await client.until("E")).map(errorText).at(-1)).toContain("57014");
      await client.until("Z");
      expect(await ask(client, "select 'goes on'")).toBe("goes on");
      client.send(serialize.end());
      await client.rest();
      await shop.gateway.lastClosed();
      const kept = await shop.gateway.everythingKept();
      if (length === 32) expect(kept.includes(secret)).toBe(false);
    }
  });

  test("libpq 18 speaks 3.2 through it when told to", async () => {
    const libpq = newestLibpq();
    if (libpq === undefined) return;
    const env = { ...(await shop.through()), ...libpq, PGMINPROTOCOLVERSION: "3.2", PGMAXPROTOCOLVERSION: "3.2" };
    expect(await psql(env, "-c", "select 'newest'")).toBe("newest\n");
  });

  test.each([
    [9, {}, { minor: 2, options: [] }],
    [0xffff, { "_pq_.one": "x" }, { minor: 2, options: ["_pq_.one"] }],
    [2, { "_pq_.one": "x", "_pq_.two": "" }, { minor: 2, options: ["_pq_.one", "_pq_.two"] }],
    [0, { "_pq_.one": "x" }, { minor: 0, options: ["_pq_.one"] }],
  ])(
    "protocol 3.%i with the options %j is negotiated to %j, and the session works",
    async (minor, options, expected) => {
      const client = await secure();
      const { negotiated } = await logIn(client, await shop.gateway.pass(), { ...USUAL, ...options }, minor);
      expect(negotiated).toEqual(expected);
      expect(await ask(client, "select 1")).toBe("1");
    },
  );

  test("what a client sets at its start reaches the target, and the target's settings reach the client", async () => {
    const client = await secure();
    const settings = {
      application_name: "my tool",
      options: "-c work_mem=7MB -c my.own=x\\ y",
      client_encoding: "LATIN1",
      DateStyle: "German",
    };
    const greeting = await logIn(client, await shop.gateway.pass(), { ...USUAL, ...settings });
    expect(greeting.settings.get("application_name")).toBe("my tool");
    expect(greeting.settings.get("client_encoding")).toBe("LATIN1");
    expect(greeting.settings.get("server_version")).toMatch(new RegExp(`^${which.version}`));
    expect(await ask(client, "select current_setting('work_mem') || ' ' || current_setting('my.own')")).toBe("7MB x y");
    expect(await ask(client, "select date '2026-11-22'")).toBe("22.11.2026");
    client.send(serialize.end());
    const { events } = await shop.gateway.lastClosed();
    expect(events[0]).toMatchObject({
      type: "session-opened",
      settings,
      target: { user: "shop_owner", database: "shop" },
    });
  });

  test("PGOPTIONS, PGAPPNAME and another database of the connection are those of the session", async () => {
    const env = {
      ...(await shop.through("shop/postgres")),
      PGOPTIONS: "-c statement_timeout=1234",
      PGAPPNAME: "Ärger",
    };
    const sql =
      "select current_database(), current_setting('statement_timeout'), current_user, current_setting('application_name')";
    expect(await psql(env, "-c", sql)).toMatch(/^postgres\|1234ms\|shop_owner\|/);
    const past = { ...shop.past("postgres"), PGOPTIONS: "-c statement_timeout=1234", PGAPPNAME: "Ärger" };
    expect(await psql(env, "-c", sql)).toBe(await psql(past, "-c", sql));
  });

  test("the process id that a client is told is the one that the server knows", async () => {
    const client = await secure();
    const { processId } = await logIn(client, await shop.gateway.pass());
    expect(await ask(client, "select pg_backend_pid()")).toBe(String(processId));
  });

  test.each(["true", "database", "on", "1", "yes", "t"])(
    "replication=%s is refused, and says why",
    async (replication) => {
      const pass = await shop.gateway.pass();
      await expect(logIn(await secure(), pass, { ...USUAL, replication })).rejects.toThrow(/^0A000 .*replication/);
    },
  );

  test("replication=false is an ordinary session", async () => {
    const client = await secure();
    await logIn(client, await shop.gateway.pass(), { ...USUAL, replication: "false" });
    expect(await ask(client, "select 1")).toBe("1");
  });

  test("plain text is refused before a pass is asked for, and what to do is said", async () => {
    const client = await connectWire({ port: shop.gateway.port });
    client.send(startupMessage(USUAL));
    const answer = await client.message();
    expect(answer.tag).toBe("E");
    expect(errorText(answer)).toMatch(/^28000 .*TLS/);
    expect(answer.body.toString()).toContain("sslmode=verify-full");
  });

  test("messages that are sent at once with the pass are answered in their order after the log-in", async () => {
    const client = await secure();
    const pass = await shop.gateway.pass();
    client.send(
      startupMessage(USUAL),
      serialize.password(pass),
      serialize.query("select 'early'"),
      serialize.query("select 'bird'"),
    );
    await client.until("Z");
    const rows = [...(await client.until("Z")), ...(await client.until("Z"))].filter(({ tag }) => tag === "D");
    expect(rows.map(({ body }) => body.toString("utf8", 6))).toEqual(["early", "bird"]);
    client.send(serialize.end());
    expect((await shop.gateway.lastClosed()).statements.map(({ text }) => text)).toEqual([
      "select 'early'",
      "select 'bird'",
    ]);
  });

  test("a cancel request that comes to another gateway with the same stores finds its target, and a wrong key does not", async () => {
    const { host, port } = shop.server;
    const target = { host, port, database: "shop", user: "shop_owner", password: "owner-secret" };
    const second = await startTestGateway({ target, beside: shop.gateway });
    try {
      const client = await secure();
      const { processId, secret } = await logIn(client, await shop.gateway.pass(), USUAL, 2);
      client.send(serialize.query("select 'long', pg_sleep(600)"));
      await expect.poll(() => busy(processId)).toBe(1);
      const authority = await readFile(second.caFile, "utf8");
      for (const wrong of [Buffer.alloc(32), secret.subarray(0, 4), Buffer.concat([secret, secret])]) {
        const stranger = await secure(second.port, authority);
        stranger.send(cancelRequest(processId, wrong));
        expect(await stranger.rest()).toHaveLength(0);
      }
      expect(await busy(processId)).toBe(1);
      const canceller = await secure(second.port, authority);
      canceller.send(cancelRequest(processId, secret));
      expect(await canceller.rest()).toHaveLength(0);
      expect((await client.until("Z")).map(({ tag }) => tag)).toContain("E");
      expect(await ask(client, "select 'goes on'")).toBe("goes on");
      expect(second.logs.filter((line) => line.includes("no key that is known"))).toHaveLength(3);
    } finally {
      await second.close();
    }
  });

  test("a cancel request works for a client that does not wait for an answer", async () => {
    for (const hangUp of ["end", "destroy"] as const) {
      const client = await secure();
      const { processId, secret } = await logIn(client, await shop.gateway.pass());
      client.send(serialize.query("select pg_sleep(600)"));
      await expect.poll(() => busy(processId)).toBe(1);
      const canceller = await connectWire({ port: shop.gateway.port });
      canceller.socket.write(cancelRequest(processId, secret), () => canceller.socket[hangUp]());
      expect(
        (await client.until("Z")).map(({ tag }) => tag),
        hangUp,
      ).toContain("E");
    }
  });
});
