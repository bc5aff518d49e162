import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import ssh2 from "ssh2";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { newHostKey } from "../../gateway-task/ssh/host-key.ts";
import { startTestGateway, TEST_SSH_CONNECTION } from "../setup/gateway.ts";
import { run } from "../setup/programs.ts";
import { sshClient } from "../setup/ssh-client.ts";
import { type SshStage, sshStage } from "../setup/ssh-stage.ts";
import { startSshd } from "../setup/sshd.ts";

let stage: SshStage;
const children: ChildProcess[] = [];
beforeAll(async () => {
  stage = await sshStage();
});
afterAll(() => stage?.close());
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** ssh as it runs, and what it has said on its standard error. */
function started(args: readonly string[], env: NodeJS.ProcessEnv): { child: ChildProcess; said: () => string } {
  const child = spawn("ssh", args, { env, stdio: ["pipe", "pipe", "pipe"] });
  children.push(child);
  let said = "";
  child.stderr.on("data", (bytes: Buffer) => (said += bytes.toString()));
  return { child, said: () => said };
}

async function firstOutput(child: ChildProcess): Promise<void> {
  if (child.stdout === null) throw new Error("it has no output");
  await once(child.stdout, "data");
}

describe("an SSH log-in", () => {
  it("with a pass that is wrong is refused as any wrong password, and tried again", async () => {
    const client = await stage.client(["NumberOfPasswordPrompts 1"], "sp_wrong");
    const { status, stderr } = await run("ssh", [...client.options, "web", "true"], { env: client.env });
    expect(status).toBe(255);
    expect(stderr).toMatch(/Permission denied \(publickey,password,keyboard-interactive\)/);
  });

  it("with a pass that has expired is refused", async () => {
    const client = await stage.client(["NumberOfPasswordPrompts 1"], await stage.gateway.pass({ lifetime: -1_000 }));
    const { status } = await run("ssh", [...client.options, "web", "true"], { env: client.env });
    expect(status).toBe(255);
  });

  it("to a connection that is not there says so, and where its name goes", async () => {
    const { status, stderr } = await stage.run("ssh", ["-l", "nowhere", "web", "true"]);
    expect(status).toBe(255);
    expect(stderr).toMatch(/there is no connection "nowhere"\. Give a connection's name as the user: ssh NAME@gateway/);
  });

  it("to a connection of another protocol says the same", async () => {
    const { stderr } = await stage.run("ssh", ["-l", "shop", "web", "true"]);
    expect(stderr).toMatch(/there is no connection "shop"/);
  });

  it("of somebody who may not connect says who may", async () => {
    const client = await stage.client([], await stage.gateway.pass({ groups: ["visitors"], name: "Vic" }));
    const { stderr } = await run("ssh", [...client.options, "web", "true"], { env: client.env });
    expect(stderr).toMatch(/Vic may not connect to "web"\. It is open to members of engineers/);
  });

  it("is cut off after six wrong passwords on one connection", async () => {
    const { port = 0 } = stage.gateway.ssh ?? {};
    const client = new ssh2.Client();
    let tries = 0;
    const over = new Promise<string>((done) => {
      client.on("error", (error) => done(error.message)).on("close", () => done("closed"));
    });
    client.connect({
      host: "127.0.0.1",
      port,
      username: "web",
      hostVerifier: () => true,
      authHandler: () => ({ type: "password" as const, username: "web", password: `sp_wrong-${++tries}` }),
    });
    expect(await over).toMatch(/closed|too many/);
    expect(tries).toBe(6);
  });
});

describe("a target", () => {
  async function to(target: {
    port?: number;
    hostKeys?: string[];
    key?: string;
  }): Promise<{ status: number | null; stderr: string }> {
    const { sshd } = stage;
    const ssh = { ...sshd, hostKeys: [sshd.hostKey], ...target };
    const gateway = await startTestGateway({ target: { host: "127.0.0.1", port: 1, user: "nobody" }, ssh });
    const { port = 0, hostKey = "" } = gateway.ssh ?? {};
    const password = await gateway.pass();
    const client = await sshClient("web", TEST_SSH_CONNECTION, { host: "127.0.0.1", port, hostKey, password });
    try {
      return await run("ssh", [...client.options, "web", "true"], { env: client.env });
    } finally {
      await client.close();
      await gateway.close();
    }
  }

  it("that is down is told of at once", async () => {
    const began = performance.now();
    const { status, stderr } = await to({ port: 1 });
    expect(status).toBe(255);
    expect(stderr).toMatch(/the target 127\.0\.0\.1:1 cannot be reached: connect ECONNREFUSED/);
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  it("that shows another host key than the connection's is not logged in to", async () => {
    const other = newHostKey().publicKey;
    const { status, stderr } = await to({ hostKeys: [other] });
    expect(status).toBe(255);
    expect(stderr).toMatch(/shows a host key that is not the connection's\. It showed the key SHA256:/);
  });

  it("that does not take the gateway's key is told of, with who can mend it", async () => {
    const { status, stderr } = await to({ key: newHostKey().privateKey });
    expect(status).toBe(255);
    expect(stderr).toMatch(/does not let the gateway log in as .* Whoever keeps the connection's credentials/);
  });

  it("that dies ends the session with a reason", async () => {
    const sshd = await startSshd();
    const gateway = await startTestGateway({
      target: { host: "127.0.0.1", port: 1, user: "nobody" },
      ssh: { ...sshd, hostKeys: [sshd.hostKey] },
    });
    const { port = 0, hostKey = "" } = gateway.ssh ?? {};
    const client = await sshClient("web", "web", { host: "127.0.0.1", port, hostKey, password: await gateway.pass() });
    try {
      const { child, said } = started([...client.options, "web", "echo $PPID; sleep 60"], client.env);
      const [bytes] = (await once(child.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
      process.kill(Number(bytes.toString()), "SIGKILL"); // the session's own process of sshd
      const [status] = (await once(child, "close")) as [number];
      expect(status).toBe(255);
      expect(said()).toMatch(/the connection to the target was lost/);
      expect((await gateway.lastClosed()).row.closing.reason).toBe("target-lost");
    } finally {
      await client.close();
      await gateway.close();
      await sshd.close();
    }
  });
});

describe("an SSH session", () => {
  it("of a client that leaves is recorded as closed by it", async () => {
    await stage.run("ssh", ["web", "true"]);
    expect((await stage.gateway.lastClosed()).row.closing.reason).toBe("client-closed");
  });

  it("of a client that is killed is recorded as lost, and ends at the target", async () => {
    const { child } = started([...stage.through.options, "web", "echo $$; exec sleep 1234"], stage.through.env);
    await firstOutput(child);
    child.kill("SIGKILL");
    expect((await stage.gateway.lastClosed()).row.closing.reason).toBe("client-lost");
  });

  it("whose pass is revoked ends within five seconds, and its client is told", async () => {
    const pass = await stage.gateway.pass();
    const client = await stage.client([], pass);
    const { child, said } = started([...client.options, "web", "echo there; sleep 60"], client.env);
    await firstOutput(child);
    await stage.gateway.revoke(pass);
    const began = performance.now();
    await once(child, "close");
    expect(performance.now() - began).toBeLessThan(5_000);
    expect(said()).toMatch(/your pass was revoked/);
  });
});

describe("the SSH port", () => {
  /** What could still become a greeting is waited for, up to a deadline. */
  const unfinished: ReadonlySet<string> = new Set(["a line without an end", "a TLS hello"]);
  const strangers: readonly [name: string, bytes: Buffer][] = [
    ["random bytes", randomBytes(4_096)],
    ["a TLS hello", Buffer.from("16030100dc010000d80303", "hex")],
    ["an HTTP request", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n")],
    ["a line without an end", Buffer.alloc(100_000, "A")],
    ["SSH 1", Buffer.from("SSH-1.5-old\r\n")],
    ["a key exchange of nonsense", Buffer.concat([Buffer.from("SSH-2.0-x\r\n\0\0\x01\x0c\x0a\x14"), randomBytes(300)])],
    ["a packet of 4 GiB", Buffer.from("SSH-2.0-x\r\n\xff\xff\xff\xff\x0a\x14", "latin1")],
  ];
  for (const [name, bytes] of strangers)
    it(`meets ${name}, and nobody else notices`, async () => {
      const bystander = stage.run("ssh", ["web", "sleep 0.3; echo fine"]);
      const socket = net.connect(stage.gateway.ssh?.port ?? 0, "127.0.0.1");
      socket.on("error", () => {});
      socket.on("data", () => {});
      socket.write(bytes);
      const closed = once(socket, "close").then(() => "closed");
      const ended = await Promise.race([closed, delay(1_000).then(() => "open")]);
      socket.destroy();
      if (!unfinished.has(name)) expect(ended).toBe("closed");
      expect((await bystander).stdout.toString()).toBe("fine\n");
    });
});
