import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fakeTarget, type FakeTarget } from "../setup/fake-target.ts";
import { startTestGateway, type TestGateway } from "../setup/gateway.ts";
import { connectWire, logIn } from "../setup/wire-client.ts";

const SECRET = "hunter2";

let target: FakeTarget;
let gateway: TestGateway;

beforeAll(async () => {
  target = await fakeTarget((socket) => socket.destroy());
  const { host, port } = target;
  gateway = await startTestGateway({ target: { host, port, user: "app" }, tls: false, plaintextOnLoopback: true });
});
afterAll(async () => {
  await gateway.close();
  target.close();
});

describe("secrets among a client's start-up settings", () => {
  const settings = {
    "app.password": SECRET,
    "App.Client_Secret": SECRET,
    options: `-c app.password=${SECRET} -c app.pwd=a\\ ${SECRET} --app.secret_key=${SECRET} -c work_mem=4MB`,
    __proto__x: "kept",
  };

  it("are recorded by their names alone, and nothing else is hidden", async () => {
    const client = await connectWire(gateway);
    const parameters = { user: "whoever", database: "shop", ...settings };
    await expect(logIn(client, await gateway.pass(), parameters)).rejects.toThrow("08");
    client.close();
    const { events } = await gateway.lastClosed();
    expect(events[0]).toMatchObject({
      type: "session-opened",
      settings: {
        "app.password": "[redacted]",
        "App.Client_Secret": "[redacted]",
        options: "-c app.password=[redacted] -c app.pwd=[redacted] --app.secret_key=[redacted] -c work_mem=4MB",
        __proto__x: "kept",
      },
    });
    expect((await gateway.everythingKept()).includes(SECRET)).toBe(false);
  });

  it("may be called anything, also what JavaScript has names for", async () => {
    const client = await connectWire(gateway);
    const parameters = { user: "whoever", database: "shop", ["__proto__"]: "x", constructor: "y", toString: "z" };
    await expect(logIn(client, await gateway.pass(), parameters)).rejects.toThrow("08");
    client.close();
    const { events } = await gateway.lastClosed();
    expect(events.map(({ type }) => type)).toEqual(["session-opened", "session-closed"]);
  });
});
