import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { serialize } from "pg-protocol/dist/serializer.js";
import { commandComplete, message, readyForQuery } from "../setup/backend-bytes.ts";
import { fakeTarget, type FakeTarget } from "../setup/fake-target.ts";
import { startTestGateway, type TestGateway } from "../setup/gateway.ts";
import { connectWire, errorText, logIn, type WireClient } from "../setup/wire-client.ts";

let target: FakeTarget;
let gateway: TestGateway;
let asked: string;

beforeAll(async () => {
  asked = "";
  target = await fakeTarget((socket) => {
    socket.once("data", () => {
      socket.write(Buffer.concat([message("R", Buffer.alloc(4)), message("K", Buffer.alloc(8)), readyForQuery()]));
      socket.on("data", (bytes) => {
        asked += bytes.toString("latin1");
        socket.write(Buffer.concat([commandComplete("SELECT 0"), readyForQuery()]));
      });
    });
  });
  const { host, port } = target;
  gateway = await startTestGateway({ target: { host, port, user: "app" }, tls: false, plaintextOnLoopback: true });
});
afterAll(async () => {
  await gateway.close();
  target.close();
});

const connected = async (): Promise<WireClient> => {
  const client = await connectWire(gateway);
  await logIn(client, await gateway.pass());
  return client;
};

describe("a gateway whose spool is taken away", () => {
  it("ends every session with SQLSTATE 58030, lets nobody in, forwards nothing more, lives on, and tells whoever runs it", async () => {
    const [busy, idle] = [await connected(), await connected()];
    busy.send(serialize.query("select 'before'"));
    await busy.until("Z");
    const spool = gateway.state.spool;
    for (const task of await readdir(spool)) await rm(path.join(spool, task), { recursive: true });
    busy.send(serialize.query("select 'during'"));
    for (const client of [busy, idle]) {
      const last = (await client.until("E")).at(-1);
      expect(last && errorText(last)).toMatch(/^58030 sallyport: /);
      await client.rest();
    }
    busy.send(serialize.query("select 'after'"));
    await expect(connected()).rejects.toThrow("58030");
    expect(asked).toContain("'before'");
    expect(asked).not.toContain("'after'");
    expect(gateway.gateway.liveSessions).toBe(0);
    expect(await gateway.gateway.failed).toMatchObject({ code: "recording-failed" });
  });
});
