import { readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import * as fc from "fast-check";
import { serialize } from "pg-protocol/dist/serializer.js";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { bystander, type Bystander } from "../setup/bystander.ts";
import { startTestGateway, type TestGateway } from "../setup/gateway.ts";
import { postgresServers } from "../setup/postgres.ts";
import { startShop, type ShopJourney } from "../setup/shop-journey.ts";
import {
  cancelRequest,
  connectWire,
  errorText,
  logIn,
  SSL_REQUEST,
  startupMessage,
  upgrade,
  type WireClient,
} from "../setup/wire-client.ts";

/** What the gateway makes of bad input does not depend on the server behind it. */
const [which] = postgresServers();
if (which === undefined) throw new Error("no PostgreSQL to test with");

let shop: ShopJourney;
/** It takes plain text, and offers no TLS. */
let plain: TestGateway;
let other: Bystander;
beforeAll(async () => {
  shop = await startShop(which);
  const { host, port } = shop.server;
  const target = { host, port, database: "shop", user: "shop_owner", password: "owner-secret" };
  plain = await startTestGateway({ target, beside: shop.gateway, tls: false, plaintextOnLoopback: true });
  other = bystander(await shop.through());
  await other.works();
});
afterAll(async () => {
  await other.stop();
  await plain.close();
  await shop.stop();
});
afterEach(async () => {
  await other.works();
  await expect.poll(() => shop.gateway.gateway.liveSessions, { timeout: 10_000 }).toBe(1);
});

const gateways = (): readonly TestGateway[] => [shop.gateway, plain];
const STARTUP = startupMessage({ user: "x", database: "shop" });

/** The log's words about a client, which is still connected when this is called. */
async function logged(gateway: TestGateway, client: WireClient): Promise<{ code?: string; msg?: string }> {
  const { address, port } = client.socket.address() as AddressInfo;
  const line = (): string | undefined => gateway.logs.find((text) => text.includes(`"client":"${address}:${port}"`));
  await expect.poll(line, { timeout: 10_000 }).toBeDefined();
  return JSON.parse(line() ?? "{}") as { code?: string };
}

/** Sends bytes to a gateway; answers what it says before it closes, and what its log says of it. */
async function throwAt(gateway: TestGateway, bytes: Buffer, leave = false) {
  const client = await connectWire({ port: gateway.port });
  const source = logged(gateway, client);
  client.socket.write(bytes);
  if (leave) client.socket.end();
  return { said: await client.rest(), ...(await source) };
}

/** SQLSTATE and text of the one ErrorResponse that was said. */
function spoken(said: Buffer): string {
  expect(said.toString("latin1", 0, 1)).toBe("E");
  expect(said.readUInt32BE(1)).toBe(said.length - 1);
  return errorText({ tag: "E", body: said.subarray(5) });
}

const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

describe("before the log-in", () => {
  test.each<[string, Buffer]>([
    ["an SSH client's banner", Buffer.from("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")],
    ["an HTTP request", Buffer.from("GET / HTTP/1.1\r\nHost: gateway\r\n\r\n")],
    ["a start-up of length 0", Buffer.concat([word(0), Buffer.alloc(20)])],
    ["a start-up of length 4", word(4)],
    ["a start-up of length 7", Buffer.concat([word(7), Buffer.alloc(3)])],
    ["a start-up of length 8 that says nothing", Buffer.concat([word(8), word(3 << 16)])],
    ["a start-up of length 14 without an end", Buffer.concat([word(14), word(3 << 16), Buffer.from("user\0x")])],
    ["a start-up of length 10,001", Buffer.concat([word(10_001), Buffer.alloc(10_000)])],
    ["a start-up of length 2^31", Buffer.concat([word(2 ** 31), Buffer.alloc(100)])],
    ["a start-up of length 2^32 - 1", word(0xffffffff)],
    ["protocol 2", Buffer.concat([word(296), word(2 << 16), Buffer.alloc(288)])],
    ["a query before any start-up", serialize.query("select 1")],
    ["bytes behind an encryption request", Buffer.concat([SSL_REQUEST, STARTUP])],
    ["zeroes", Buffer.alloc(100_000)],
  ])("%s gets an error in the protocol, a close, and a log line with its source", async (_what, bytes) => {
    for (const gateway of gateways()) {
      const { said, code } = await throwAt(gateway, bytes);
      expect(["protocol-violation", "feature-not-supported"]).toContain(code);
      expect(spoken(said)).toMatch(code === "protocol-violation" ? /^08P01 sallyport: / : /^0A000 sallyport: /);
    }
  });

  test("a TLS hello to a port that speaks no TLS gets an error and a close", async () => {
    const { said, code } = await throwAt(plain, Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]));
    expect([code, spoken(said)]).toEqual(["protocol-violation", expect.stringMatching(/^08P01 .*does not speak TLS/)]);
  });

  test("random bytes are answered by an error or a close, and each time by a log line with its source", async () => {
    const junk = fc.sample(fc.uint8Array({ minLength: 1, maxLength: 200 }), { numRuns: 60, seed: 7 });
    const records = [[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 3], [0x16, 3, 3, 0xff, 0xff], [0x16], [0x80, 0x2e, 1, 3, 1]];
    for (const bytes of [...junk, ...records])
      for (const gateway of gateways()) {
        const { code } = await throwAt(gateway, Buffer.from(bytes), true);
        expect(["protocol-violation", "feature-not-supported", "tls-required"], String(bytes)).toContain(code);
      }
  });

  test("queries before authentication has finished are refused unread", async () => {
    const sessions = (await shop.gateway.sessions()).length;
    const hostile = [
      serialize.query("drop table work"),
      serialize.parse({ text: "drop table work" }),
      serialize.sync(),
    ];
    for (const message of hostile) {
      const { said, code } = await throwAt(plain, Buffer.concat([STARTUP, message]));
      expect(code).toBe("protocol-violation");
      expect(spoken(said.subarray(9))).toMatch(/^08P01 .*before the log-in was over/);
    }
    expect(await shop.gateway.sessions()).toHaveLength(sessions);
  });

  test("cancel requests with unknown keys are answered by silence, logged, and cancel nobody; only so many are looked at", async () => {
    const { rows } = await shop.admin.query("select pid from pg_stat_activity where usename = 'shop_owner'");
    const pid = rows[0].pid as number;
    for (const secret of [Buffer.alloc(4), Buffer.alloc(32, 0xff), Buffer.alloc(256)]) {
      const { said, msg } = await throwAt(plain, cancelRequest(pid, secret));
      expect([said.length, msg]).toEqual([0, expect.stringContaining("no key that is known")]);
    }
    const before = plain.logs.length;
    const tries = Array.from({ length: 100 }, async (_, n) => {
      const client = await connectWire({ port: plain.port });
      client.send(cancelRequest(pid, word(n)));
      expect(await client.rest()).toHaveLength(0);
    });
    await Promise.all(tries);
    const looked = plain.logs.slice(before).filter((line) => line.includes("no key that is known"));
    expect(looked.length).toBeLessThanOrEqual(60); // 20 in each second that the hundred were spread over
  });
});

describe("after the log-in", () => {
  async function loggedIn(): Promise<{ client: WireClient; processId: number }> {
    const client = await connectWire({ port: plain.port });
    const { processId } = await logIn(client, await plain.pass());
    return { client, processId };
  }
  const gone = async (processId: number): Promise<void> => {
    const sql = "select from pg_stat_activity where pid = $1";
    await expect.poll(async () => (await shop.admin.query(sql, [processId])).rowCount, { timeout: 10_000 }).toBe(0);
  };

  const framed = (tag: number, length: number): Buffer =>
    Buffer.concat([Buffer.of(tag), word(length), Buffer.alloc(8)]);
  const tags = [0, 1, "z", "R", "p", "T", "K", "v", 0x7f, 0xff].map((tag) =>
    typeof tag === "string" ? tag.charCodeAt(0) : tag,
  );
  test.each<[string, Buffer]>([
    ...tags.map((tag): [string, Buffer] => [`a message of type ${tag}`, framed(tag, 12)]),
    ...[0, 3, 0x7fffffff, 0xffffffff].map((length): [string, Buffer] => [
      `a Query of length ${length}`,
      framed(0x51, length),
    ]),
    ["a CopyData of 2 GiB", framed(0x64, 0x7fffffff)],
    ["a second start-up", STARTUP],
    ["a TLS hello", Buffer.from([0x16, 3, 1, 2, 0, 1, 0])],
  ])("%s ends the session with an error, also behind a good message, and its backend goes", async (_what, bytes) => {
    for (const before of [Buffer.alloc(0), serialize.query("select 'good'")]) {
      const { client, processId } = await loggedIn();
      client.send(before);
      if (before.length > 0) await client.until("Z");
      client.send(bytes);
      const source = logged(plain, client);
      expect(spoken(await client.rest())).toMatch(/^08P01 sallyport: /);
      expect((await source).code).toBe("protocol-violation");
      await gone(processId);
      expect((await plain.lastClosed()).row.closing.reason).toBe("protocol-violation");
    }
  });

  test("a Bind that is cut in the middle leaves nothing behind but its record", async () => {
    const bind = serialize.bind({ values: ["a value that will not come to its end"] });
    for (const end of [1, 4, 5, 20, bind.length - 1]) {
      const { client, processId } = await loggedIn();
      client.send(serialize.parse({ text: "select $1::text" }), bind.subarray(0, end));
      client.socket.end();
      await gone(processId);
      expect((await plain.lastClosed()).row.closing.reason).toBe("client-lost");
    }
  });

  test("a Bind whose counts lie is the server's to refuse; the session goes on, and its record can be read", async () => {
    const { client } = await loggedIn();
    const lying = [
      Buffer.from("\0\0\xff\xff", "latin1"),
      Buffer.from("\0\0\0\0\xff\xff\0\0\0\x01", "latin1"),
      Buffer.alloc(2),
    ];
    for (const body of lying) {
      client.send(
        serialize.parse({ text: "select 1" }),
        Buffer.concat([Buffer.from("B"), word(4 + body.length), body]),
        serialize.sync(),
      );
      expect((await client.until("Z")).map(({ tag }) => tag)).toContain("E");
    }
    client.send(serialize.query("select 'goes on'"));
    expect((await client.until("Z")).map(({ tag }) => tag)).toEqual(["T", "D", "C", "Z"]);
    client.send(serialize.end());
    await client.rest();
    expect((await plain.lastClosed()).statements.at(-1)?.text).toBe("select 'goes on'");
  });
});

/** Linux answers on all of 127/8, so that one test can come from several addresses. */
const ELSEWHERE = "127.0.0.2";

test("300 connections of one address that never finish their start-up: those too many are refused at once, the rest after thirty seconds, and others come and go", async () => {
  const caught = await readFile(shop.gateway.caFile, "utf8");
  const ways: readonly (readonly Buffer[])[] = [
    [],
    [Buffer.alloc(3)],
    [STARTUP.subarray(0, 15)],
    [Buffer.from([0x16, 3, 1, 2, 0, 1, 0])],
    [SSL_REQUEST],
    [STARTUP],
  ];
  const idle = await Promise.all(
    Array.from({ length: 300 }, async (_, n) => {
      const client = await connectWire({ port: plain.port, from: ELSEWHERE });
      client.socket.resume();
      client.send(...(ways[n % ways.length] ?? []));
      return client;
    }),
  );
  const tls = await Promise.all(
    ways.slice(0, 5).map(async (sent) => {
      const client = await connectWire({ port: shop.gateway.port, from: ELSEWHERE });
      client.send(...sent);
      return client;
    }),
  );
  const open = (): number => idle.filter(({ closed }) => !closed).length;
  // A TLS hello is refused at once where there is no TLS; of the others 256 may wait.
  await expect.poll(open, { timeout: 5_000 }).toBeLessThanOrEqual(256);
  expect(open()).toBeGreaterThan(150);
  expect(plain.logs.join("")).toContain("too many connections of one address");
  for (let n = 0; n < 3; n++) {
    await other.works();
    const newcomer = await connectWire({ port: shop.gateway.port });
    newcomer.send(SSL_REQUEST);
    await newcomer.bytes(1);
    const inside = await upgrade(newcomer, { ca: caught });
    await logIn(inside, await shop.gateway.pass());
    inside.send(serialize.end());
    await inside.rest();
  }
  await expect
    .poll(() => open() + tls.filter(({ closed }) => !closed).length, { timeout: 40_000, interval: 200 })
    .toBe(0);
  const late = [...plain.logs, ...shop.gateway.logs].filter((line) => line.includes("handshake-timeout"));
  expect(late.length).toBeGreaterThan(150);
  const again = await connectWire({ port: plain.port, from: ELSEWHERE });
  await logIn(again, await plain.pass());
  again.close();
}, 60_000);
