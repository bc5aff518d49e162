import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { SessionEvent } from "../../core/recording/events.ts";
import { type Approver, approver } from "../setup/approver.ts";
import { policiesOf } from "../setup/policies.ts";
import { type SshStage, sshStage } from "../setup/ssh-stage.ts";
import { terminal } from "../setup/terminal.ts";

const POLICIES = (folder: string): string => `
  @id("no-touch") @reason("nothing is touched here")
  forbid (principal, action == Action::"ssh:exec", resource) when { context.programs.contains("touch") };
  @id("readable") @reason("it cannot be understood")
  forbid (principal, action == Action::"ssh:exec", resource) unless { context.parsed };
  @id("ask") @reason("moving takes a second person") @approvers("dba")
  forbid (principal, action == Action::"ssh:exec", resource)
  when { context.programs.contains("mv") } unless { context.approvals >= 1 };
  @id("no-shell") @reason("there is no shell here")
  forbid (principal, action in [Action::"ssh:shell", Action::"ssh:agent", Action::"ssh:listen", Action::"ssh:subsystem"], resource);
  @id("no-forward") @reason("only the web server is reached")
  forbid (principal, action == Action::"ssh:forward", resource) unless { context.port == 80 };
  @id("closed-folder") @reason("that folder is closed")
  forbid (principal, action in [Action::"ssh:read", Action::"ssh:write"], resource) when { context.path like "${folder}/closed*" };
  @id("asked-folder") @reason("that folder is asked for") @approvers("dba")
  forbid (principal, action == Action::"ssh:write", resource)
  when { context.path like "${folder}/asked*" } unless { context.approvals >= 1 };
`;

let stage: SshStage;
let folder: string;
let bob: Approver;
const children: ChildProcess[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sallyport-ssh-enforced-"));
  const policies = policiesOf(POLICIES(folder));
  stage = await sshStage({ policies: () => policies });
  bob = approver(stage.gateway.state.approvalStore);
  await writeFile(join(folder, "from"), "moved\n");
  await writeFile(join(folder, "closed"), "secret\n");
});
afterAll(async () => {
  await stage?.close();
  await rm(folder, { recursive: true, force: true });
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** What does not end by then hangs. */
const PATIENCE_MS = 25_000;

const at = (name: string): string => join(folder, name);
const there = async (name: string): Promise<boolean> =>
  access(at(name)).then(
    () => true,
    () => false,
  );

interface Running {
  readonly child: ChildProcess;
  readonly said: () => string;
  readonly output: () => string;
  readonly status: Promise<number | null>;
}

function started(program: string, args: readonly string[], input?: string): Running {
  const child = spawn(program, [...stage.through.options, ...args], { env: stage.through.env, stdio: "pipe" });
  children.push(child);
  let [said, output] = ["", ""];
  child.stderr.on("data", (bytes: Buffer) => (said += bytes.toString()));
  child.stdout.on("data", (bytes: Buffer) => (output += bytes.toString()));
  child.stdin.on("error", () => {});
  if (input !== undefined) child.stdin.end(input);
  const closed = once(child, "close").then(([code]) => code as number | null);
  const late = delay(PATIENCE_MS, undefined, { ref: false }).then(() => {
    const [exited, log] = [child.exitCode, stage.gateway.logs.slice(-3).join("")];
    throw new Error(`${program} ${args.join(" ")} does not end: ${JSON.stringify({ exited, said, output })} ${log}`);
  });
  return { child, said: () => said, output: () => output, status: Promise.race([closed, late]) };
}

type Named<T extends SessionEvent["type"]> = Extract<SessionEvent, { type: T }>;

async function events<T extends SessionEvent["type"]>(type: T): Promise<Named<T>[]> {
  const { events: all } = await stage.gateway.lastClosed();
  return all.filter((event): event is Named<T> => event.type === type);
}

describe("a command that policy blocks", () => {
  it("never reaches the target; its client is told why, and ends with status 126", async () => {
    const { status, stderr, stdout } = await stage.run("ssh", ["web", `echo before; touch ${at("touched")}`]);
    expect([status, stdout.toString()]).toEqual([126, ""]);
    expect(stderr).toBe("sallyport: nothing is touched here. Policy: no-touch.\n");
    expect(await there("touched")).toBe(false);
    expect(await events("verdict")).toEqual([
      expect.objectContaining({
        about: "command",
        kind: "block",
        policies: ["no-touch"],
        reason: "nothing is touched here",
      }),
    ]);
    expect((await events("command-ended"))[0]).toMatchObject({
      outcome: "refused",
      text: `echo before; touch ${at("touched")}`,
    });
  });

  it("is told of on the terminal where it asked for one", async () => {
    const { status, stdout } = await stage.run("ssh", ["-tt", "web", `touch ${at("touched")}`]);
    expect([status, stdout.toString()]).toEqual([126, "sallyport: nothing is touched here. Policy: no-touch.\r\n"]);
  });

  it("leaves the connection for others, however many follow", async () => {
    const socket = at("control");
    const client = await stage.client([`ControlPath ${socket}`, "ControlPersist no"]);
    const master = spawn("ssh", [...client.options, "-M", "-N", "web"], { env: client.env });
    children.push(master);
    await expect.poll(() => there("control"), { timeout: 5_000 }).toBe(true);
    for (let n = 0; n < 10; n++) {
      const args = [...client.options, "web", n % 2 === 0 ? "touch /nowhere" : `echo ${n}`];
      const ran = started("ssh", args);
      expect(await ran.status).toBe(n % 2 === 0 ? 126 : 0);
      if (n % 2 === 1) expect(ran.output()).toBe(`${n}\n`);
    }
  }, 60_000);

  it("is blocked in whatever it is wrapped, and where it cannot be understood", async () => {
    for (const command of ["sh -c 'touch /x'", "env A=1 t'ou'ch /x", "echo $(touch /x)", "true && { touch /x; }"])
      expect((await stage.run("ssh", ["web", command])).status).toBe(126);
    const unclear = await stage.run("ssh", ["web", "echo 'unfinished"]);
    expect([unclear.status, unclear.stderr]).toEqual([126, "sallyport: it cannot be understood. Policy: readable.\n"]);
  });
});

describe("a shell, a key agent or a forward that policy blocks", () => {
  it("the shell is refused with the reason", async () => {
    const { status, stderr } = await stage.run("ssh", ["-T", "web"], { input: "echo in\n" });
    expect([status, stderr]).toEqual([126, "sallyport: there is no shell here. Policy: no-shell.\n"]);
  });

  it("the command runs without the agent", async () => {
    const { stdout } = await stage.run("ssh", ["-A", "web", "echo agent:$SSH_AUTH_SOCK"]);
    expect(stdout.toString()).toBe("agent:\n");
  });

  it("-W fails with the reason", async () => {
    const { status, stderr } = await stage.run("ssh", ["-W", "127.0.0.1:81", "web"]);
    expect(status).toBe(255);
    expect(stderr).toMatch(/administratively prohibited: only the web server is reached\. Policy: no-forward\./);
  });

  it("-R fails", async () => {
    const args = ["-o", "ExitOnForwardFailure=yes", "-N", "-R", "127.0.0.1:0:127.0.0.1:1", "web"];
    const { status, stderr } = await stage.run("ssh", args);
    expect(status).toBe(255);
    expect(stderr).toMatch(/remote port forwarding failed/);
  });
});

describe("files that policy closes", () => {
  it("are not read or written by sftp, and the client is told why; others are", async () => {
    const batch = [
      `-get ${at("closed")} ${at("got")}`,
      `-put ${at("from")} ${at("closed-new")}`,
      `-rename ${at("from")} ${at("closed-2")}`,
      `-rm ${at("closed")}`,
      `get ${at("from")} ${at("fetched")}`,
    ];
    const { status, stderr } = await stage.run("sftp", ["-oBatchMode=no", "-b", "-", "web"], {
      input: `${batch.join("\n")}\n`,
    });
    expect(status).toBe(0);
    expect(stderr.match(/not found|Permission denied/g)).toHaveLength(4);
    expect([await there("got"), await there("closed-new"), await there("closed-2"), await there("closed")]).toEqual([
      false,
      false,
      false,
      true,
    ]);
    expect(await readFile(at("fetched"), "utf8")).toBe("moved\n");
  });

  it("are not copied by scp, by either of its protocols", async () => {
    for (const options of [[], ["-O"]]) {
      const { status } = await stage.run("scp", [...options, "-q", `web:${at("closed")}`, at("stolen")]);
      expect(status).not.toBe(0);
      expect(await there("stolen")).toBe(false);
    }
  });

  it("wait for consent where policy says so, and nothing else in the session does", async () => {
    const copying = started("scp", ["-q", at("from"), `web:${at("asked-for")}`]);
    const asked = await bob.asked();
    expect(asked.shown).toBe(`write ${at("asked-for")}`);
    expect(await there("asked-for")).toBe(false);
    await bob.decide(true);
    expect(await copying.status).toBe(0);
    expect(await readFile(at("asked-for"), "utf8")).toBe("moved\n");
  });
});

describe("a command that is held", () => {
  const move = (): string => `mv ${at("from")} ${at("to")} && cat ${at("to")} -`;
  const back = async (): Promise<void> => {
    if (!(await there("from"))) await writeFile(at("from"), "moved\n");
    await rm(at("to"), { force: true });
  };

  it("tells its client at once, waits, and runs with all its input when somebody has consented", async () => {
    const running = started("ssh", ["web", move()], "and its input\n");
    const asked = await bob.asked();
    expect(asked).toMatchObject({ kind: "command", shown: move(), reason: "moving takes a second person" });
    await expect
      .poll(running.said)
      .toMatch(
        /^sallyport: held for consent: moving takes a second person\. Asked of 1 of dba, until .* Policy: ask\.\nsallyport: they decide at https:\S+ ; Ctrl-C gives up\.\n$/,
      );
    expect(await there("to")).toBe(false);
    await bob.decide(true);
    expect(await running.status).toBe(0);
    expect(running.output()).toBe("moved\nand its input\n");
    const told = (await stage.gateway.lastClosed()).events.map(({ type }) => type);
    expect(told.indexOf("approval")).toBeGreaterThan(told.indexOf("verdict"));
    expect(told.indexOf("command-started")).toBeGreaterThan(told.indexOf("approval"));
    await back();
  });

  it("is refused in the approver's words", async () => {
    const running = started("ssh", ["web", move()], "");
    await bob.decide(false, "not on a Friday");
    expect(await running.status).toBe(126);
    expect(running.said()).toMatch(/sallyport: denied by Bob: not on a Friday\. Policy: ask\.\n$/);
    expect(await there("to")).toBe(false);
  });

  it("is given up by Ctrl-C at a terminal, and nobody can consent any more", async () => {
    const person = terminal(`ssh ${stage.through.options.join(" ")} -tt web '${move()}'`, stage.through.env);
    const asked = await bob.asked();
    await person.shows(/Ctrl-C gives up/);
    person.type("\x03");
    await person.shows(/cancelled while it was held/);
    await person.ended();
    await expect.poll(() => bob.became(asked)).toBe("cancelled");
    expect(await there("to")).toBe(false);
  });

  it("is given up when its client is gone", async () => {
    const running = started("ssh", ["web", move()], "");
    const asked = await bob.asked();
    running.child.kill("SIGKILL");
    await expect.poll(() => bob.became(asked)).toBe("cancelled");
    expect(await there("to")).toBe(false);
  });

  it("runs once for one consent", async () => {
    const running = started("ssh", ["web", move()], "");
    await bob.decide(true);
    expect(await running.status).toBe(0);
    await back();
    const again = started("ssh", ["web", move()], "");
    await bob.decide(false);
    expect(await again.status).toBe(126);
  });

  it("does not keep other commands of the same connection waiting", async () => {
    const socket = at("control-held");
    const client = await stage.client([`ControlPath ${socket}`, "ControlPersist no"]);
    const master = spawn("ssh", [...client.options, "-M", "-N", "web"], { env: client.env });
    children.push(master);
    await expect.poll(() => there("control-held"), { timeout: 5_000 }).toBe(true);
    const held = started("ssh", [...client.options, "web", move()], "");
    await bob.asked();
    const other = started("ssh", [...client.options, "web", "echo meanwhile"]);
    expect(await other.status).toBe(0);
    await bob.decide(true);
    expect(await held.status).toBe(0);
    await back();
  });
});

describe("a connection that is held", () => {
  it("shows its client a banner, waits, and lets it in when somebody has consented", async () => {
    const policies = policiesOf(`@id("ask-first") @reason("the first time takes two") @approvers("dba")
      forbid (principal, action == Action::"connect", resource) unless { context.approvals >= 1 };`);
    const own = await sshStage({ policies: () => policies });
    const other = approver(own.gateway.state.approvalStore);
    try {
      const waiting = own.run("ssh", ["web", "echo in"]);
      expect(await other.asked()).toMatchObject({ kind: "connect", shown: `connect to web, as ${own.sshd.user}` });
      await other.decide(true);
      const { status, stdout, stderr } = await waiting;
      expect([status, stdout.toString()]).toEqual([0, "in\n"]);
      expect(stderr).toMatch(
        /^sallyport: held for consent: the first time takes two\. Asked of 1 of dba\. They decide at https:/,
      );
      const refused = own.run("ssh", ["web", "echo in"]);
      await other.decide(false, "not today");
      expect((await refused).stderr).toMatch(/denied by Bob: not today/);
    } finally {
      await own.close();
    }
  });
});
