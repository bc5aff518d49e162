import { once } from "node:events";
import net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newSourceLimits } from "../../gateway-task/source-limits.ts";
import { fakeTarget, type FakeTarget } from "../setup/fake-target.ts";
import { startTestGateway, type TestGateway } from "../setup/gateway.ts";
import { cancelRequest, startupMessage } from "../setup/wire-client.ts";

let target: FakeTarget;
let gateway: TestGateway;

beforeAll(async () => {
  target = await fakeTarget(() => {});
  gateway = await startTestGateway({ target: { host: target.host, port: target.port, user: "app" } });
});
afterAll(async () => {
  await gateway.close();
  target.close();
});

/** A stranger who says one thing, never closes, and does not mind being told to go. Resolves when the gateway has let go. */
async function letGoOf(said: Buffer): Promise<void> {
  const socket = net.connect({ host: gateway.host, port: gateway.port, allowHalfOpen: true });
  socket.on("error", () => {});
  socket.resume();
  await once(socket, "connect");
  socket.write(said);
  await once(socket, "end");
  while (!socket.destroyed) {
    socket.write("x"); // reset by a gateway that has closed, taken by one that still holds the socket
    await delay(50);
  }
}

describe("strangers", () => {
  const sayings = {
    "a cancel request": cancelRequest(1, Buffer.alloc(4)),
    "a log-in without TLS": startupMessage({ user: "x", database: "shop" }),
    nonsense: Buffer.from("GET / HTTP/1.1\r\n\r\n"),
  };
  for (const [what, said] of Object.entries(sayings))
    it(`are let go of after ${what}, although they never close`, async () => {
      await Promise.all(Array.from({ length: 20 }, async () => letGoOf(said)));
    });

  it("of one IPv6 network share one bound, whatever address of it they come from", () => {
    const limits = newSourceLimits();
    const addresses = Array.from({ length: 1_000 }, (_, host) => `2001:db8:7:1::${(host + 1).toString(16)}`);
    const admitted = addresses.filter((address) => limits.admit(address) !== undefined);
    expect(admitted.length).toBe(256);
    expect(limits.admit("2001:db8:7:1:a:b:c:d")).toBeUndefined();
    for (const other of ["2001:db8:7:2::1", "2001:db8::1", "::1", "fe80::1%eth0", "::ffff:192.0.2.1", "192.0.2.1"])
      expect(limits.admit(other), other).toBeDefined();
    const cancels = addresses.filter((address) => limits.mayCancel(address, 1_000));
    expect(cancels.length).toBe(20);
  });
});
