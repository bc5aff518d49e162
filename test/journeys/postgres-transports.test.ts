import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import pg from "pg";
import { from as copyFrom, to as copyTo } from "pg-copy-streams";
import { serialize } from "pg-protocol/dist/serializer.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FRAME_KIND } from "../../core/recording/frame.ts";
import { framesOf, readSession } from "../../core/recording/reader.ts";
import { AUTHENTICATION_OK } from "../../gateway-task/postgres/answers.ts";
import type { RunningPostgres } from "../../local/embedded-postgres.ts";
import { testAuthority, type TestAuthority } from "../setup/certificates.ts";
import { collect } from "../setup/collect.ts";
import { startTestGateway } from "../setup/gateway.ts";
import { postgresServers } from "../setup/postgres.ts";
import { connectWire, logIn } from "../setup/wire-client.ts";

/** Every way that bytes take: encrypted or not on either side, recorded before (`strict`) or while they are passed on. */
const WAYS = [false, true].flatMap((clientTls) =>
  [false, true].flatMap((targetTls) =>
    (["intent", "strict"] as const).map((durability) => ({ clientTls, targetTls, durability })),
  ),
);

const md5 = (bytes: Buffer): string => createHash("md5").update(bytes).digest("hex");

/** The way of the bytes does not depend on the server's version. */
describe.each(postgresServers().slice(0, 1))("the ways to PostgreSQL $version", (which) => {
  let scratch: string;
  let authority: TestAuthority;
  let server: RunningPostgres;
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), "sallyport-test-transports-"));
    authority = await testAuthority(scratch);
    server = await which.start({ tls: await authority.issue("127.0.0.1") });
  });
  afterAll(async () => {
    await server.stop();
    await rm(scratch, { recursive: true });
  });

  test.each(WAYS)(
    "TLS from the client: $clientTls, to the target: $targetTls, $durability: every byte is the same",
    async (way) => {
      const { host, port, superuser: user, password } = server;
      const target = { host, port, user, password, ...(way.targetTls ? { tls: { ca: authority.ca } } : {}) };
      const gateway = await startTestGateway({
        target,
        durability: way.durability,
        plaintextOnLoopback: !way.clientTls,
      });
      try {
        const ssl = way.clientTls && { ca: await readFile(gateway.caFile, "utf8") };
        const where = {
          host: gateway.host,
          port: gateway.port,
          database: "shop",
          user: "x",
          password: await gateway.pass(),
        };
        const clients = await Promise.all(
          [1, 2].map(async () => {
            const client = new pg.Client({ ...where, ssl });
            await client.connect();
            return client;
          }),
        );
        await Promise.all(clients.map(async (client, n) => roundTrip(client, `copied_${n}`)));
        const [first] = clients;
        const { rows } = (await first?.query("select ssl from pg_stat_ssl where pid = pg_backend_pid()")) ?? {
          rows: [],
        };
        expect(rows).toEqual([{ ssl: way.targetTls }]);
        await Promise.all(clients.map(async (client) => client.end()));
        for (const { id } of await gateway.sessions()) {
          const { row, statements } = await gateway.closed(id);
          expect([row.closing.reason, statements[1]?.tag]).toEqual(["client-closed", "COPY 2000"]);
        }
      } finally {
        await gateway.close();
      }
    },
  );

  test.each(["intent", "strict"] as const)(
    "what is recorded (%s) is what crossed the wire, byte for byte, both ways",
    async (durability) => {
      const { host, port, superuser: user, password } = server;
      const gateway = await startTestGateway({
        target: { host, port, user, password },
        durability,
        plaintextOnLoopback: true,
      });
      try {
        const client = await connectWire({ port: gateway.port });
        const shown: Buffer[] = [];
        client.socket.on("data", (bytes: Buffer) => shown.push(bytes));
        const { secret } = await logIn(client, await gateway.pass(), { user: "x", database: "shop" }, 2);
        const asked = [
          serialize.query("select n, repeat('x', n) from generate_series(1, 2000) n; select 1/0"),
          ...[1, 2, 3].flatMap((n) => [
            serialize.parse({ text: "select $1::int" }),
            serialize.bind({ values: [String(n)] }),
            serialize.execute(),
          ]),
          serialize.sync(),
          serialize.query("copy (select 1) to stdout"),
          serialize.query("create temp table t (n int); copy t from stdin"),
          serialize.copyData(Buffer.from("1\n2\n")),
          serialize.copyDone(),
        ];
        client.send(...asked);
        for (let answers = 0; answers < 4; answers++) await client.until("Z");
        client.send(serialize.end());
        await client.rest();
        const { row } = await gateway.lastClosed();
        const frames = (await collect(readSession(gateway.state.chunks, row.id))).flatMap((chunk) => [
          ...framesOf(chunk),
        ]);
        const recorded = (kind: number): Buffer =>
          Buffer.concat(frames.filter((frame) => frame.kind === kind).map(({ payload }) => payload));
        expect(recorded(FRAME_KIND.input).equals(Buffer.concat([...asked, serialize.end()]))).toBe(true);
        const seen = Buffer.concat(shown);
        seen.fill(0, seen.indexOf(secret), seen.indexOf(secret) + secret.length);
        const greeting = seen.indexOf(AUTHENTICATION_OK);
        expect(recorded(FRAME_KIND.output).equals(seen.subarray(greeting))).toBe(true);
      } finally {
        await gateway.close();
      }
    },
  );

  /** Megabytes in, out to a reader that stops now and then, and statements of every size. */
  async function roundTrip(client: pg.Client, table: string): Promise<void> {
    await client.query(`create temp table ${table} (n int, words text)`);
    const line = (n: number): string => `${n}\t${randomBytes(1 + ((n * 7) % 2_000)).toString("base64")}\n`;
    const text = Buffer.from(Array.from({ length: 2_000 }, (_, n) => line(n)).join(""));
    await pipeline(Readable.from(slices(text)), client.query(copyFrom(`copy ${table} from stdin`)));
    const parts: Buffer[] = [];
    for await (const part of client.query(copyTo(`copy (select * from ${table} order by n) to stdout`))) {
      parts.push(part as Buffer);
      if (parts.length % 100 === 0) await new Promise((done) => setTimeout(done, 5));
    }
    expect(md5(Buffer.concat(parts))).toBe(md5(text));
    for (const size of [0, 1, 1_000, 65_530, 70_000, 300_000]) {
      const word = randomBytes(size).toString("hex");
      const { rows } = await client.query(`select '${word}' as inline, $1 as bound`, [word]);
      expect(rows[0].inline === word && rows[0].bound === word, `${size} bytes`).toBe(true);
    }
  }
});

function* slices(bytes: Buffer): Generator<Buffer> {
  for (let at = 0, size = 1; at < bytes.length; at += size, size = (size * 7919) % 100_003)
    yield bytes.subarray(at, at + size);
}
