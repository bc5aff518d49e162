import { randomBytes } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Outbox } from "../../../gateway-task/ssh/outbox.ts";

let server: net.Server;
let writing: net.Socket;
let reading: net.Socket;

beforeEach(async () => {
  server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection");
  writing = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1");
  [reading] = (await accepted) as [net.Socket];
});

afterEach(() => {
  writing.destroy();
  reading.destroy();
  server.close();
});

async function read(bytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let length = 0; length < bytes;) {
    const chunk = (reading.read() ?? (await once(reading, "readable"), Buffer.alloc(0))) as Buffer;
    chunks.push(chunk);
    length += chunk.length;
  }
  return Buffer.concat(chunks);
}

describe("the outbox of a leg", () => {
  test("makes packets of whole blocks, with four bytes of padding at least and room for a tag", () => {
    const outbox = new Outbox(writing);
    for (let length = 1; length < 70; length++) {
      const payload = randomBytes(length);
      const packet = outbox.packet(payload) ?? Buffer.alloc(0);
      const [whole, padding] = [packet.readUInt32BE(0), packet[4] as number];
      expect([packet.length, whole, whole % 16]).toEqual([4 + whole + 16, 1 + length + padding, 0]);
      expect(padding).toBeGreaterThanOrEqual(4);
      expect(packet.subarray(5, 5 + length)).toEqual(payload);
      packet.fill(0);
    }
    outbox.flush();
  });

  test("sends packets unchanged and in order, also to a peer that reads them late", async () => {
    const outbox = new Outbox(writing);
    const sent: Buffer[] = [];
    for (let turn = 0; turn < 60; turn++) {
      for (let more = turn % 5; more >= 0; more--) {
        const packet = outbox.packet(randomBytes(1 + ((turn * 7_919) % 34_000))) ?? Buffer.alloc(0);
        randomBytes(packet.length).copy(packet); // what encrypts it
        sent.push(Buffer.from(packet));
      }
      await new Promise((done) => setImmediate(done));
    }
    const all = Buffer.concat(sent);
    expect((await read(all.length)).equals(all)).toBe(true);
  });

  test("lets what it holds go before something else that is written", async () => {
    const outbox = new Outbox(writing);
    const one = Buffer.from(outbox.packet(Buffer.from("one")) ?? "");
    outbox.flush();
    writing.write("two");
    const three = Buffer.from(outbox.packet(Buffer.from("three")) ?? "");
    const all = Buffer.concat([one, Buffer.from("two"), three]);
    expect((await read(all.length)).equals(all)).toBe(true);
  });

  test("has no room for what is larger than all of its memory", () => {
    expect(new Outbox(writing).packet(Buffer.alloc(1 << 20))).toBeUndefined();
  });
});
