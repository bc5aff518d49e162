import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../setup/programs.ts";
import { type SshStage, sshStage } from "../setup/ssh-stage.ts";

let stage: SshStage;
let echo: net.Server;
const clients: ChildProcess[] = [];
beforeAll(async () => {
  stage = await sshStage();
  echo = net.createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
  await once(echo.listen(0, "127.0.0.1"), "listening");
});
afterAll(async () => {
  for (const client of clients) client.kill();
  echo?.close();
  await stage?.close();
});

const portOf = (server: net.Server): number => (server.address() as net.AddressInfo).port;

async function freePort(): Promise<number> {
  const server = net.createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const port = portOf(server);
  await new Promise((done) => server.close(done));
  return port;
}

/** Runs ssh with forwards and nothing else until the test ends; resolves when it says that it has signed in and set them up. */
async function forwarding(...args: string[]): Promise<void> {
  const options = [...stage.through.options, "-v", "-o", "ExitOnForwardFailure=yes", "-N", ...args, "web"];
  const client = spawn("ssh", options, { env: stage.through.env, stdio: ["ignore", "ignore", "pipe"] });
  clients.push(client);
  let said = "";
  await new Promise<void>((done, failed) => {
    client.stderr.on("data", (bytes: Buffer) => {
      said += bytes.toString();
      if (/Entering interactive session|pledge: (?:fork|network)/.test(said)) setTimeout(done, 300);
    });
    client.once("exit", () => failed(new Error(said)));
  });
}

async function echoed(port: number, text: Buffer): Promise<Buffer> {
  const socket = net.connect(port, "127.0.0.1");
  const got: Buffer[] = [];
  socket.on("data", (bytes: Buffer) => got.push(bytes));
  socket.end(text);
  await once(socket, "close");
  return Buffer.concat(got);
}

describe("a forward through the gateway", () => {
  const text = Buffer.alloc(3_000_000, "forwarded ");

  it("-L carries a connection to where the target reaches, both ways and to its end", async () => {
    const port = await freePort();
    await forwarding("-L", `${port}:127.0.0.1:${portOf(echo)}`);
    expect((await echoed(port, text)).equals(text)).toBe(true);
  });

  it("-R carries connections that the target takes to the client", async () => {
    const port = await freePort();
    await forwarding("-R", `127.0.0.1:${port}:127.0.0.1:${portOf(echo)}`);
    expect((await echoed(port, text)).equals(text)).toBe(true);
  });

  it("-D carries what a SOCKS client asks for", async () => {
    const port = await freePort();
    await forwarding("-D", `127.0.0.1:${port}`);
    const socket = net.connect(port, "127.0.0.1");
    const asked = Buffer.from([5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, 0, 0]);
    asked.writeUInt16BE(portOf(echo), 11);
    const got: Buffer[] = [];
    socket.on("data", (bytes: Buffer) => got.push(bytes));
    socket.write(asked);
    while (Buffer.concat(got).length < 12) await once(socket, "data");
    socket.end("through socks");
    await once(socket, "close");
    expect(Buffer.concat(got).subarray(12).toString()).toBe("through socks");
  });

  it("-W to a port where nobody listens fails with the target's reason", async () => {
    const { status, stderr } = await stage.run("ssh", ["-W", `127.0.0.1:${await freePort()}`, "web"]);
    expect(status).toBe(255);
    expect(stderr).toMatch(/open failed: connect failed: Connection refused/);
  });

  it("to a database that the gateway knows is refused, and the client is told the way", async () => {
    const { status, stderr } = await stage.run("ssh", ["-W", "127.0.0.1:1", "web"]);
    expect(status).toBe(255);
    expect(stderr).toMatch(/administratively prohibited: this forward leads to shop: use the connection shop/);
  });

  it("that turns out to carry SSH is closed, whichever side greets first, and the record says why", async () => {
    const greets = net.createServer((socket) => {
      socket.on("error", () => {});
      socket.write("SSH-2.0-elsewhere\r\n");
    });
    await once(greets.listen(0, "127.0.0.1"), "listening");
    for (const [server, input] of [
      [greets, ""],
      [echo, "SSH-2.0-within\r\n"],
    ] as const) {
      const { stdout } = await stage.run("ssh", ["-W", `127.0.0.1:${portOf(server)}`, "web"], { input });
      expect(stdout.toString()).toBe("");
      const { events } = await stage.gateway.lastClosed();
      expect(events).toContainEqual(expect.objectContaining({ type: "verdict", policies: ["gateway:inner-ssh"] }));
    }
    greets.close();
  });

  it("-R that the target refuses fails as it would directly", async () => {
    const taken = portOf(echo);
    const args = ["-o", "ExitOnForwardFailure=yes", "-N", "-R", `127.0.0.1:${taken}:127.0.0.1:1`, "web"];
    const through = await stage.run("ssh", args);
    const directly = await stage.runDirectly("ssh", args);
    expect(through.status).toBe(directly.status);
    expect(through.stderr).toBe(directly.stderr);
  });

  it("of the client's keys lets the target ask its agent", async () => {
    const agent = await run("ssh-agent", ["-s"]);
    const env: Record<string, string> = {};
    for (const [, name = "", value = ""] of agent.stdout.toString().matchAll(/(SSH_\w+)=([^;]+);/g)) env[name] = value;
    try {
      await run("ssh-add", ["-q", stage.sshd.keyFile], { env: { ...process.env, ...env } });
      const options = { env: { ...stage.through.env, ...env } };
      const { stdout } = await stage.run(
        "ssh",
        ["-A", "-o", `IdentityAgent=${env["SSH_AUTH_SOCK"]}`, "web", "ssh-add -l"],
        options,
      );
      expect(stdout.toString()).toMatch(/ED25519/);
    } finally {
      process.kill(Number(env["SSH_AGENT_PID"]));
    }
  });
});
