import { once } from "node:events";
import type net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import ssh2 from "ssh2";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type SshStage, sshStage } from "../setup/ssh-stage.ts";

let stage: SshStage;
beforeAll(async () => {
  stage = await sshStage();
});
afterAll(() => stage?.close());

/** A client that signs in with a pass. Its library keeps what this needs to itself. */
async function connected(): Promise<ssh2.Client> {
  const client = new ssh2.Client();
  client.connect({
    host: "127.0.0.1",
    port: stage.gateway.ssh?.port ?? 0,
    username: "web",
    password: await stage.gateway.pass(),
    hostVerifier: () => true,
    keepaliveInterval: 0,
  });
  await once(client, "ready");
  return client;
}

interface Internals {
  readonly _sock: net.Socket;
  readonly _protocol: { channelWindowAdjust(channel: number, bytes: number): void };
}

describe("an SSH session under load", () => {
  it("takes no memory for a client that grants a window of 2 GiB and then reads nothing", async () => {
    const client = await connected();
    const { _sock, _protocol } = client as unknown as Internals;
    const held = (): number => process.memoryUsage().arrayBuffers;
    await new Promise<void>((done, failed) =>
      client.exec("cat /dev/zero", (error, channel) => {
        if (error) return failed(error);
        const { outgoing } = channel as unknown as { readonly outgoing: { readonly id: number } };
        _protocol.channelWindowAdjust(outgoing.id, 2 ** 31 - 2 ** 22);
        channel.on("data", () => {});
        setTimeout(done, 300);
      }),
    );
    _sock.pause();
    await delay(500);
    const before = held();
    await delay(3_000);
    const grown = held() - before;
    client.destroy();
    expect(grown).toBeLessThan(16 << 20);
  });

  it("is one of 60 at once, each with its own output", async () => {
    const clients = await Promise.all(Array.from({ length: 60 }, connected));
    expect(stage.gateway.gateway.liveSessions).toBeGreaterThanOrEqual(60);
    const outputs = await Promise.all(
      clients.map(
        (client, n) =>
          new Promise<string>((done, failed) =>
            client.exec(`echo session ${n}`, (error, channel) => {
              if (error) return failed(error);
              let output = "";
              channel.on("data", (bytes: Buffer) => (output += bytes.toString()));
              channel.on("close", () => done(output));
            }),
          ),
      ),
    );
    expect(outputs).toEqual(clients.map((_, n) => `session ${n}\n`));
    for (const client of clients) client.end();
  }, 120_000);
});
