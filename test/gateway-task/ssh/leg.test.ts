import { once } from "node:events";
import type net from "node:net";
import ssh2, { type Connection } from "ssh2";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ALGORITHMS } from "../../../gateway-task/ssh/algorithms.ts";
import { newHostKey } from "../../../gateway-task/ssh/host-key.ts";
import { sendMessage } from "../../../gateway-task/ssh/key-exchange.ts";
import { clientLeg, type Leg } from "../../../gateway-task/ssh/leg.ts";
import { MESSAGE, message } from "../../../gateway-task/ssh/messages.ts";
import { prefixed, string } from "../../setup/ssh-bytes.ts";

interface Internals {
  readonly _sock: net.Socket;
  readonly _protocol: { _cipher: { encrypt(packet: Buffer): void; free(): void } };
}

let server: ssh2.Server;
let leg: Leg<"client">;
let internals: Internals;

beforeAll(async () => {
  const hostKeys = [newHostKey().privateKey];
  server = new ssh2.Server({ hostKeys, algorithms: ALGORITHMS }, (connection: Connection) => {
    leg = clientLeg(connection);
    internals = connection as unknown as Internals;
    connection.on("authentication", (context) => context.accept());
    connection.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterAll(() => void server.close());

const permit = { bytes: prefixed(80, string("a secret"), Buffer.of(0)) } as never;
const broken = {
  "does nothing": () => {},
  throws: () => {
    throw new Error("no memory");
  },
};

for (const [how, encrypt] of Object.entries(broken))
  test(`nothing leaves a leg as it is where its cipher ${how}`, async () => {
    const client = new ssh2.Client();
    const { port } = server.address() as net.AddressInfo;
    client.connect({ host: "127.0.0.1", port, username: "u", hostVerifier: () => true });
    await once(client, "ready");
    const { _sock: socket, _protocol: protocol } = internals;
    leg.start({ message() {}, failed() {}, ended() {} });
    leg.send(permit);
    await new Promise((done) => setImmediate(done));
    const before = socket.bytesWritten;
    protocol._cipher = { encrypt, free() {} };
    const closed = once(client, "close");
    try {
      leg.send(permit);
    } catch {
      // who sends ends the session
    }
    await closed;
    expect(socket.bytesWritten).toBe(before);
    expect(socket.destroyed).toBe(true);
  });

test("who does not read is not heard, and is again when it reads, also where keys are exchanged meanwhile", async () => {
  const client = new ssh2.Client();
  client.on("error", () => {});
  const { port } = server.address() as net.AddressInfo;
  client.connect({ host: "127.0.0.1", port, username: "u", hostVerifier: () => true });
  await once(client, "ready");
  const theirs = client as unknown as { readonly _sock: net.Socket; readonly _protocol: never };
  const ours = internals as unknown as { readonly _protocol: { rekey(): void }; readonly _sock: net.Socket };
  let heard = 0;
  leg.start({ message: () => void heard++, failed() {}, ended() {} });
  theirs._sock.pause();
  const large = { bytes: prefixed(98, Buffer.alloc(30_000)) } as never;
  while (ours._sock.writableLength < 6 << 20) {
    leg.send(large);
    await new Promise((done) => setImmediate(done));
  }
  const request = message(MESSAGE.globalRequest, "x", false);
  const says = async (times: number): Promise<void> => {
    for (let n = 0; n < times; n++) sendMessage(theirs._protocol, request);
    await new Promise((done) => setTimeout(done, 50));
  };
  await says(1);
  const before = heard;
  await says(5);
  expect(heard).toBe(before);
  ours._protocol.rekey();
  theirs._sock.resume();
  await expect.poll(() => heard, { timeout: 10_000 }).toBe(6);
  client.destroy();
});
