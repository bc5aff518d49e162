import { spawn } from "node:child_process";
import { once } from "node:events";
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SessionRow } from "../../core/ports/session-store.ts";
import { eventLines } from "../../core/recording/transcript.ts";
import { run, type Ran, type RunOptions } from "../setup/programs.ts";
import { type SshStage, sshStage } from "../setup/ssh-stage.ts";
import type { SshClient } from "../setup/ssh-client.ts";

let stage: SshStage;
let client: SshClient;
beforeAll(async () => {
  stage = await sshStage({ alsoSsh: { "db-1": ["engineers"], payroll: ["accountants"] } });
  // What is behind the jump shows the gateway's key: it is the gateway.
  const alias = ["HostKeyAlias gateway", "User root", "PreferredAuthentications password"];
  client = await stage.client([]);
  const known = join(client.directory, "known_hosts");
  await writeFile(known, `${await readFile(known, "utf8")}gateway ${stage.gateway.ssh?.hostKey}\n`);
  const config = join(client.directory, "config");
  const inner = (name: string, ...settings: string[]): string =>
    [`Host ${name}`, "ProxyJump web", `UserKnownHostsFile ${known}`, "IdentitiesOnly yes", ...settings, ...alias].join(
      "\n  ",
    );
  const address = ["HostName 127.0.0.1", `Port ${stage.sshd.port}`];
  const hosts = [
    inner("behind", ...address, "User db-1"),
    inner("unclear", ...address),
    inner("db-1"),
    inner("payroll"),
  ];
  await writeFile(config, `${await readFile(config, "utf8")}\n${hosts.join("\n")}\n`);
});
afterAll(async () => stage?.close());

const ssh = (args: readonly string[], options: RunOptions = {}, program = "ssh"): Promise<Ran> =>
  run(program, [...client.options, ...args], { env: client.env, ...options });

/** The two newest sessions when both are over: the one that was jumped through, and the one behind it. */
async function bothClosed(): Promise<readonly [outer: SessionRow, inner: SessionRow]> {
  const [inner, outer] = await stage.gateway.sessions();
  if (inner === undefined || outer === undefined) throw new Error("there are no two sessions");
  await stage.gateway.closed(outer.id);
  await stage.gateway.closed(inner.id);
  return [outer, inner];
}

describe("ssh -J through the gateway to a target that it knows", () => {
  it("ends at the gateway: a session of its own is signed in, recorded, and says through which it came", async () => {
    const { stdout, status, stderr } = await ssh(["behind", "cat; echo out; exit 7"], { input: "typed\n" });
    expect([stdout.toString(), status, stderr]).toEqual(["typed\nout\n", 7, ""]);
    const [outer, inner] = await bothClosed();
    expect([outer.connection, inner.connection]).toEqual(["web", "db-1"]);
    const { events } = await stage.gateway.closed(inner.id);
    expect(events).toContainEqual(
      expect.objectContaining({ type: "command-ended", text: "cat; echo out; exit 7", status: 7 }),
    );
    expect(events[0]).toMatchObject({
      type: "session-opened",
      client: expect.stringMatching(/^127\.0\.0\.1:/),
      settings: { "via-session": outer.id },
    });
    const through = (await stage.gateway.closed(outer.id)).events;
    const place = { host: "127.0.0.1", port: stage.sshd.port };
    expect(through).toContainEqual({ type: "jump", ...place, connections: ["web", "db-1", "payroll"] });
    expect(through.map((event) => event.type)).toEqual(expect.arrayContaining(["channel-opened", "channel-closed"]));
    expect(through).toContainEqual(
      expect.objectContaining({ type: "channel-closed", kind: "direct-tcpip", toClient: expect.any(Number) }),
    );
  });

  it("may call the target by its connection's name", async () => {
    const { stdout } = await ssh(["db-1", "echo by name"]);
    expect(stdout.toString()).toBe("by name\n");
    const [, inner] = await bothClosed();
    expect(inner.connection).toBe("db-1");
  });

  it("carries files and much output both ways unchanged, also where the reader is slow", async () => {
    const bytes = randomBytes(20_000_000);
    const [from, to, back] = ["from", "to", "back"].map((name) => join(client.directory, name));
    await writeFile(String(from), bytes);
    for (const args of [[], ["-O"]]) {
      expect(await ssh([...args, String(from), `behind:${to}`], {}, "scp")).toMatchObject({ status: 0 });
      expect(await ssh([...args, `behind:${to}`, String(back)], {}, "scp")).toMatchObject({ status: 0 });
      expect((await readFile(String(back))).equals(bytes)).toBe(true);
    }
    const slow = await run(
      "sh",
      ["-c", `ssh ${client.options.join(" ")} behind 'head -c 40000000 /dev/zero' | { sleep 2; wc -c; }`],
      { env: client.env },
    );
    expect(slow.stdout.toString().trim()).toBe("40000000");
  });

  it("opens what the person may open, and nothing else", async () => {
    const { status, stderr } = await ssh(["payroll", "true"]);
    expect(status).toBe(255);
    expect(stderr).toMatch(/may not connect to "payroll"/);
  });

  it("asks for the connection's name where several lead to one target", async () => {
    const { status, stderr } = await ssh(["unclear", "true"]);
    expect(status).toBe(255);
    expect(stderr).toMatch(/several connections lead there: web, db-1, payroll\. Give the name of one as the user/);
  });

  it("signs in anew behind the jump: who has come through a session is in no other for that", async () => {
    const nothing = [
      "PasswordAuthentication=no",
      "KbdInteractiveAuthentication=no",
      "PreferredAuthentications=publickey",
    ];
    const { status, stderr } = await ssh([...nothing.flatMap((option) => ["-o", option]), "behind", "true"]);
    expect(status).toBe(255);
    expect(stderr).toMatch(/Permission denied \(publickey,password,keyboard-interactive\)/);
  });

  it("jumps from one to the next, each of them recorded", async () => {
    const { stdout } = await ssh(["-J", "web,behind", "db-1", "echo at the end"]);
    expect(stdout.toString()).toBe("at the end\n");
    const sessions = await stage.gateway.sessions();
    expect(sessions.slice(0, 3).map(({ connection }) => connection)).toEqual(["db-1", "db-1", "web"]);
  });

  it("ends with the session that it came through", async () => {
    const child = spawn("ssh", [...client.options, "behind", "echo up; sleep 60"], { env: client.env });
    await once(child.stdout, "data");
    const [inner, outer] = await stage.gateway.sessions();
    child.kill("SIGKILL");
    for (const row of [inner, outer]) if (row !== undefined) await stage.gateway.closed(row.id);
    expect([inner?.connection, outer?.connection]).toEqual(["db-1", "web"]);
  });

  it("is told in the transcript of the session that it came through", async () => {
    await ssh(["behind", "true"]);
    const [outer] = await bothClosed();
    const { events } = await stage.gateway.closed(outer.id);
    const lines = events.flatMap((event) => eventLines(event, 0)).join("\n");
    expect(lines).toMatch(/jump to 127\.0\.0\.1:\d+ {2}ends here, at web, db-1, payroll/);
  });
});
