import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { serialize } from "pg-protocol/dist/serializer.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startGateway, type Gateway } from "../../bench/gateway.ts";
import type { RunningPostgres } from "../../local/embedded-postgres.ts";
import { testAuthority } from "../setup/certificates.ts";
import { postgresServers } from "../setup/postgres.ts";
import { succeed } from "../setup/programs.ts";
import { startShop, type ShopJourney } from "../setup/shop-journey.ts";
import { connectWire, logIn, SSL_REQUEST, upgrade, type WireClient } from "../setup/wire-client.ts";

const SESSIONS = 200;

describe.each(postgresServers())("two hundred sessions at once, PostgreSQL $version", (which) => {
  let shop: ShopJourney;
  beforeAll(async () => {
    shop = await startShop(which);
    await shop.admin.query("create table work (session int, step int); grant all on work to shop_owner");
  });
  afterAll(() => shop.stop());

  test("each does its work and gets its own answers; each has a record of its own, and nothing is missing", async () => {
    await shop.mark();
    const config = await shop.config();
    const connected = await Promise.all(
      Array.from({ length: SESSIONS }, async () => {
        const client = new pg.Client(config);
        await client.connect();
        return client;
      }),
    );
    expect(shop.gateway.gateway.liveSessions).toBe(SESSIONS);
    await Promise.all(
      connected.map(async (client, session) => {
        for (let step = 0; step < 5; step++) {
          await client.query("begin");
          await client.query("insert into work values ($1, $2)", [session, step]);
          const { rows } = await client.query("select $1 || '-' || count(*) as mine from work where session = $2", [
            session,
            session,
          ]);
          expect(rows).toEqual([{ mine: `${session}-${step + 1}` }]);
          await client.query("commit");
        }
      }),
    );
    await Promise.all(connected.map(async (client) => client.end()));
    expect((await shop.admin.query("select from work")).rowCount).toBe(SESSIONS * 5);
    const logged = await shop.logged();
    expect(logged).toHaveLength(SESSIONS * 5 * 4);
    expect(await shop.recorded()).toEqual(logged);
    expect(shop.gateway.gateway.liveSessions).toBe(0);
  });
});

const ROWS = 1_000_000;
/** With its line feed; a CopyData's header adds five. */
const ROW_BYTES = 1_024;
const MAX_GROWTH = 64 << 20;

describe("a result of a gigabyte for a reader that is slower than its sender", () => {
  let scratch: string;
  let server: RunningPostgres;
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), "sallyport-test-bulk-"));
    const [which] = postgresServers();
    if (which === undefined) throw new Error("no PostgreSQL to test with");
    server = await which.start({ auth: "trust" });
  });
  afterAll(async () => {
    await server.stop();
    await rm(scratch, { recursive: true });
  });

  async function connect(gateway: Gateway, ca: string | undefined): Promise<WireClient> {
    const plain = await connectWire({ port: gateway.port });
    if (ca === undefined) return plain;
    plain.send(SSL_REQUEST);
    await plain.bytes(1);
    return upgrade(plain, { ca });
  }

  /** Takes everything up to the end of a COPY, pausing whenever `pauseEvery` bytes have come. */
  async function take(client: WireClient, rows: number, pauseEvery: number): Promise<number> {
    const expected = rows * (ROW_BYTES + 5);
    client.socket.removeAllListeners("data");
    let taken = 0;
    const all = new Promise<void>((done) => {
      client.socket.on("data", (bytes: Buffer) => {
        const before = Math.floor(taken / pauseEvery);
        taken += bytes.length;
        if (taken >= expected) done();
        if (Math.floor(taken / pauseEvery) === before) return;
        client.socket.pause();
        setTimeout(() => client.socket.resume(), 30);
      });
    });
    client.socket.pause();
    client.send(
      serialize.query(
        `copy (select left(repeat(md5(n::text), 32), ${ROW_BYTES - 1}) from generate_series(1, ${rows}) n) to stdout`,
      ),
    );
    await delay(1_000); // all that will fit on the way has to wait there
    client.socket.resume();
    await all;
    return taken;
  }

  /** Bytes of memory of a process: Linux says it in a file, other systems by ps, which not every Linux has. */
  async function resident(pid: number): Promise<number> {
    if (process.platform !== "linux") return Number(await succeed("ps", ["-o", "rss=", "-p", String(pid)])) * 1024;
    const status = await readFile(`/proc/${pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
  }

  test.each(["plain text", "TLS"])(`through the gateway's memory it passes without staying there (%s)`, async (how) => {
    const authority = await testAuthority(join(scratch, `tls-${how === "TLS"}`));
    const tls = how === "TLS" ? await authority.issue("127.0.0.1") : undefined;
    const directory = join(scratch, `gateway-${how === "TLS"}`);
    const { host, port, superuser: user } = server;
    const gateway = await startGateway({
      target: { host, port, user, database: "postgres" },
      directory,
      ...(tls ? { tls } : {}),
    });
    try {
      const ca = tls && (await readFile(authority.caFile, "utf8"));
      const client = await connect(gateway, ca);
      await logIn(client, gateway.pass, { user: "bulk", database: "bench" });
      await take(await warm(gateway, ca), 50_000, 8 << 20);
      const before = await resident(gateway.pid);
      let peak = before;
      const watch = setInterval(() => void resident(gateway.pid).then((now) => (peak = Math.max(peak, now))), 100);
      const taken = await take(client, ROWS, 16 << 20).finally(() => clearInterval(watch));
      expect(taken).toBeGreaterThan(1_000_000_000);
      const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
      console.log(
        `1 GB through a slow reader (${how}): the gateway grew by ${mib(peak - before)} MiB, from ${mib(before)} MiB`,
      );
      expect(peak - before).toBeLessThan(MAX_GROWTH);
      client.close();
    } finally {
      await gateway.stop();
    }
  });

  async function warm(gateway: Gateway, ca: string | undefined): Promise<WireClient> {
    const client = await connect(gateway, ca);
    await logIn(client, gateway.pass, { user: "warm", database: "bench" });
    return client;
  }
});
