import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import tls from "node:tls";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { openChannel, streamChannel, type Channel } from "../../gateway-task/channel.ts";
import { mintPermit } from "../../gateway-task/recorder/permit.ts";

const folder = mkdtempSync(path.join(tmpdir(), "sallyport-channel-"));
const [key, cert] = ["key.pem", "cert.pem"].map((name) => path.join(folder, name)) as [string, string];
const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
execFileSync("openssl", ["req", "-x509", ...curve, "-nodes", "-subj", "/CN=localhost", "-keyout", key, "-out", cert], {
  stdio: "ignore",
});
const secureContext = tls.createSecureContext({ key: readFileSync(key), cert: readFileSync(cert) });
afterAll(() => rmSync(folder, { recursive: true }));

interface Pair {
  readonly near: net.Socket;
  readonly far: net.Socket;
}
const opened: { destroy(): void }[] = [];
afterEach(() => {
  for (const each of opened.splice(0)) each.destroy();
});

async function tcpPair(): Promise<Pair> {
  const server = net.createServer({ pauseOnConnect: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const far = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1");
  const [near] = (await once(server, "connection")) as [net.Socket];
  server.close();
  return { near, far };
}

/** To be destroyed by their outermost sockets: Node crashes where the one below a TLS socket is destroyed first. */
function tracked(pair: Pair): Pair {
  for (const socket of [pair.near, pair.far]) opened.push(socket.on("error", () => {}));
  return pair;
}

async function tlsPair(): Promise<Pair> {
  const { near, far } = await tcpPair();
  const server = new tls.TLSSocket(near, { isServer: true, secureContext });
  const client = tls.connect({ socket: far, rejectUnauthorized: false });
  await Promise.all([once(server, "secure"), once(client, "secureConnect")]);
  return { near: server, far: client };
}

const received = (socket: net.Socket): (() => Buffer) => {
  const chunks: Buffer[] = [];
  socket.on("data", (bytes: Buffer) => chunks.push(bytes));
  return () => Buffer.concat(chunks);
};
const pattern = (length: number): Buffer =>
  Buffer.from(Array.from({ length }, (_, index) => (index * 31 + (index >> 8)) & 0xff));

for (const [io, open] of [
  ["Node's handles", openChannel],
  ["streams", streamChannel],
] as const)
  for (const [transport, pair] of [
    ["TCP", async () => tracked(await tcpPair())],
    ["TLS", async () => tracked(await tlsPair())],
  ] as const)
    describe(`a channel by ${io} over ${transport}`, () => {
      const quiet = { consumer: () => true, failed: () => {}, ended: () => {} };

      it("hands on every byte in order, however long the consumer takes", async () => {
        const { near, far } = await pair();
        const sent = pattern(3 << 20);
        const got: Buffer[] = [];
        let count = 0;
        open<"client">(near).start({
          ...quiet,
          consumer: (bytes) => {
            const copy = Buffer.from(bytes);
            if (++count % 3 !== 0) return got.push(copy) > 0;
            return new Promise((done) =>
              setTimeout(() => {
                got.push(copy);
                done();
              }, 1),
            );
          },
        });
        far.write(sent);
        await expect.poll(() => got.reduce((sum, { length }) => sum + length, 0)).toBe(sent.length);
        expect(Buffer.concat(got).equals(sent)).toBe(true);
      });

      it("does not read into bytes that the consumer says are still needed", async () => {
        const { near, far } = await pair();
        const sent = pattern(2 << 20);
        const kept: Buffer[] = [];
        open<"client">(near).start({ ...quiet, consumer: (bytes) => kept.push(bytes) < 0 });
        far.write(sent);
        await expect.poll(() => kept.reduce((sum, { length }) => sum + length, 0)).toBe(sent.length);
        expect(Buffer.concat(kept).equals(sent)).toBe(true);
      });

      it("sends what it is given in order, and says when the peer does not keep up", async () => {
        const { near, far } = await pair();
        far.pause();
        const channel: Channel<"client"> = open(near);
        channel.start(quiet);
        const piece = pattern(60_000);
        const waits: Promise<void>[] = [];
        let sent = 0;
        for (; waits.length === 0 || sent < 100; sent++) {
          const wait = channel.send(mintPermit(piece));
          if (wait) waits.push(wait);
        }
        expect(channel.isIdle).toBe(false);
        const got = received(far);
        far.resume();
        await Promise.all(waits);
        await expect.poll(() => got().length).toBe(sent * piece.length);
        for (let at = 0; at < sent; at++)
          expect(
            got()
              .subarray(at * piece.length, (at + 1) * piece.length)
              .equals(piece),
          ).toBe(true);
        await expect.poll(() => channel.isIdle).toBe(true);
      });

      it("relays between two channels from buffers that are used again", async () => {
        const [one, two] = [await pair(), await pair()];
        const [from, to] = [open<"target">(one.near), open<"client">(two.near)];
        to.start(quiet);
        from.start({ ...quiet, consumer: (bytes) => to.send(mintPermit(bytes)) ?? to.isIdle });
        const got = received(two.far);
        const sent = pattern(8 << 20);
        one.far.write(sent);
        await expect.poll(() => got().length, { timeout: 10_000 }).toBe(sent.length);
        expect(got().equals(sent)).toBe(true);
      });

      it("says its last word behind everything that it sent, and closes", async () => {
        const { near, far } = await pair();
        far.pause();
        const channel: Channel<"client"> = open(near);
        channel.start(quiet);
        const piece = pattern(400_000);
        for (let count = 0; count < 8; count++) void channel.send(mintPermit(piece));
        channel.end(Buffer.from("the last word"));
        const got = received(far);
        far.resume();
        await once(far, "end");
        expect(got().length).toBe(8 * piece.length + 13);
        expect(got().subarray(-13).toString()).toBe("the last word");
      });

      it("gives the consumer what the handshake had left in the socket, first", async () => {
        const { near, far } = await pair();
        far.write("left behind,");
        await once(near, "readable");
        near.unshift(near.read() as Buffer);
        let got = "";
        open<"client">(near).start({ ...quiet, consumer: (bytes) => ((got += bytes.toString()), true) });
        far.write("new");
        await expect.poll(() => got).toBe("left behind,new");
      });

      it("tells an orderly end from a broken connection, once", async () => {
        for (const [close, orderly] of [
          [(far: net.Socket) => void far.end(), true],
          [(far: net.Socket) => void far.resetAndDestroy(), false],
        ] as const) {
          const { near, far } = await pair();
          if (!orderly && transport === "TLS") continue; // a TLS socket has no reset of its own
          const ends: boolean[] = [];
          open<"client">(near).start({ ...quiet, ended: (how) => void ends.push(how) });
          close(far);
          await expect.poll(() => ends).toEqual([orderly]);
          near.destroy();
          await new Promise((done) => setImmediate(done));
          expect(ends).toEqual([orderly]);
        }
      });

      it("lets go of a sender that waits for a peer that has gone", async () => {
        const { near, far } = await pair();
        far.pause();
        const channel: Channel<"client"> = open(near);
        channel.start(quiet);
        let wait: Promise<void> | undefined;
        while (wait === undefined) wait = channel.send(mintPermit(pattern(60_000)));
        near.destroy();
        await wait;
        expect(channel.send(mintPermit(Buffer.from("x")))).toBeUndefined();
      });

      it("reports what the consumer throws, and what it rejects with", async () => {
        for (const consumer of [
          (): boolean => {
            throw new Error("thrown");
          },
          () => Promise.reject<void>(new Error("rejected")),
        ]) {
          const { near, far } = await pair();
          const failures: unknown[] = [];
          open<"client">(near).start({ ...quiet, consumer, failed: (error) => void failures.push(error) });
          far.write("x");
          await expect.poll(() => failures).toEqual([expect.any(Error)]);
        }
      });
    });
