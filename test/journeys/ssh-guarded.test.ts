import { access, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import ssh2, { type ClientChannel } from "ssh2";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { CommandEndedEvent } from "../../core/recording/ssh-events.ts";
import type { Policies } from "../../core/policy/verdict.ts";
import { type Approver, approver } from "../setup/approver.ts";
import { policiesOf } from "../setup/policies.ts";
import { run, type Ran, succeed } from "../setup/programs.ts";
import { type SshStage, sshStage } from "../setup/ssh-stage.ts";
import { type Terminal, terminal } from "../setup/terminal.ts";

const POLICIES = (folder: string): string => `
  @id("no-touch") @reason("nothing is touched here")
  forbid (principal, action == Action::"ssh:exec", resource) when { context.programs.contains("touch") };
  @id("readable") @reason("it cannot be understood")
  forbid (principal, action == Action::"ssh:exec", resource) unless { context.parsed };
  @id("no-dynamic") @reason("it is not told what this runs")
  forbid (principal, action == Action::"ssh:exec", resource) when { context.dynamic && !context.programs.contains("kill") };
  @id("closed-folder") @reason("that folder is closed")
  forbid (principal, action == Action::"ssh:exec", resource) when { context.read.contains("${folder}/closed/secret") };
  @id("ask") @reason("moving takes a second person") @approvers("dba")
  forbid (principal, action == Action::"ssh:exec", resource)
  when { context.programs.contains("mv") } unless { context.approvals >= 1 };
`;

let stage: SshStage;
let folder: string;
let bob: Approver;
let policies: Policies;
const people: Terminal[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sallyport-guarded-"));
  policies = policiesOf(POLICIES(folder));
  stage = await sshStage({ shell: "guarded", policies: () => policies });
  bob = approver(stage.gateway.state.approvalStore);
});
afterAll(async () => {
  await stage?.close();
  await rm(folder, { recursive: true, force: true });
});
afterEach(() => {
  for (const person of people.splice(0)) person.kill();
});

const at = (name: string): string => join(folder, name);
const there = async (name: string): Promise<boolean> =>
  access(at(name)).then(
    () => true,
    () => false,
  );

/** A person at a terminal, at the first prompt. */
async function sitting(): Promise<Terminal> {
  const person = terminal(`ssh ${stage.through.options.join(" ")} -tt web`, stage.through.env);
  people.push(person);
  await person.shows(/each line is judged by policy, recorded, and run by itself[^]*web \(guarded\) \S+ \$ $/);
  return person;
}

/** Types a line, and waits for what it shows and the next prompt. */
async function line(person: Terminal, text: string): Promise<string> {
  person.type(`${text}\r`);
  const shown = await person.shows(/web \(guarded\) \S+ \$ $/);
  return shown.slice(shown.indexOf("\n") + 1).replace(/web \(guarded\) \S+ \$ $/, "");
}

const script = (...lines: readonly string[]): Promise<Ran> =>
  stage.run("ssh", ["-T", "web"], { input: `${lines.join("\n")}\n` });

async function linesRecorded(): Promise<CommandEndedEvent[]> {
  const { events } = await stage.gateway.lastClosed();
  const ended = events.filter((event) => event.type === "command-ended");
  return ended.filter(({ via }) => via === "exec");
}

describe("a guarded shell at a terminal", () => {
  it("runs each line as a command of its own, and keeps the directory and variables", async () => {
    const person = await sitting();
    expect(await line(person, "echo hello")).toBe("hello\n");
    expect(await line(person, `cd ${folder}; A='a  b'; export B="it's"`)).toBe("");
    expect(await line(person, 'pwd; echo "$A" $B; sh -c "echo [\\$A] [\\$B]"')).toBe(
      `${folder}\na  b it's\n[] [it's]\n`,
    );
    expect(await line(person, "umask 027; false")).toBe("");
    expect(await line(person, "echo $?; umask; tty | cut -c1-8")).toBe("1\n0027\n/dev/pts\n");
    person.type("exit 3\r");
    await person.ended();
    const recorded = await linesRecorded();
    expect(recorded.map(({ text, status, guarded }) => [text, status, guarded])).toEqual([
      [":", 0, true],
      ["echo hello", 0, true],
      [`cd ${folder}; A='a  b'; export B="it's"`, 0, true],
      ['pwd; echo "$A" $B; sh -c "echo [\\$A] [\\$B]"', 0, true],
      ["umask 027; false", 1, true],
      ["echo $?; umask; tty | cut -c1-8", 0, true],
    ]);
    expect(recorded[1]?.stdout).toBe("hello\r\n".length);
  });

  it("says why a line is blocked, runs nothing of it, and asks for the next", async () => {
    const person = await sitting();
    expect(await line(person, `echo before; touch ${at("touched")}`)).toBe(
      "sallyport: nothing is touched here. Policy: no-touch.\n",
    );
    expect(await line(person, "echo $?")).toBe("126\n");
    expect(await there("touched")).toBe(false);
    person.type("\x04");
    await person.ended();
    expect((await linesRecorded()).map(({ text, outcome }) => [text, outcome])).toContainEqual([
      `echo before; touch ${at("touched")}`,
      "refused",
    ]);
  });

  it("holds a line until somebody consents to it, or the person gives it up", async () => {
    await writeFile(at("from"), "moved\n");
    const person = await sitting();
    await line(person, `cd ${folder}`);
    person.type("mv from to; cat to\r");
    const asked = await bob.asked();
    expect(asked.shown).toBe(`mv from to; cat to\n(in ${folder})`);
    await person.shows(/held for consent: moving takes a second person[^]*Ctrl-C gives up\./);
    expect(await there("to")).toBe(false);
    await bob.decide(true);
    await person.shows(/\nmoved\nweb \(guarded\) \S+ \$ $/);
    person.type("mv to from\r");
    const again = await bob.asked();
    await person.shows(/Ctrl-C gives up\./);
    person.type("\x03");
    await person.shows(/cancelled while it was held for consent\n.*\$ $/);
    await expect.poll(() => bob.became(again)).toBe("cancelled");
    expect(await there("from")).toBe(false);
    expect(await line(person, "echo $?")).toBe("130\n");
  });

  it("interrupts a line that runs, and goes on", async () => {
    const person = await sitting();
    person.type("echo begins; sleep 60; echo goes on\r");
    await person.shows(/\nbegins\n/);
    person.type("\x03");
    expect(await person.shows(/web \(guarded\) \S+ \$ $/)).not.toContain("goes on");
    expect(await line(person, "echo $?")).toBe("130\n");
  });

  it("gives a line what is typed while it runs, and the terminal as it is", async () => {
    const person = await sitting();
    person.type("read -r word; echo got $word\r");
    await delay(1_000);
    person.type("something\r");
    await person.shows(/got something\nweb/);
    expect(await line(person, "echo after")).toBe("after\n");
  });

  it("runs a program that fills the screen, and tells it when the terminal changes its size", async () => {
    const person = terminal(
      `tty; stty rows 20 cols 70; TERM=xterm exec ssh ${stage.through.options.join(" ")} -tt web`,
      stage.through.env,
    );
    people.push(person);
    const tty = /\/dev\/\S+/.exec(await person.shows(/\/dev\/\S+\n/))?.[0] ?? "";
    await person.shows(/\$ $/);
    person.type("stty size; seq 1000 | less\r");
    await person.shows(/20 70\n/);
    await person.shows(/\n19[^\d]/);
    await succeed("stty", ["-F", tty, "rows", "30", "cols", "100"]);
    await person.shows(/\n29[^\d]/);
    person.type("q");
    await person.shows(/\(guarded\) \S+ \$ $/);
    person.type("stty size\r");
    await person.shows(/30 100\n/);
  });

  it("asks for more of a line that is not whole, and judges all of it", async () => {
    const person = await sitting();
    person.type("cat <<END\r");
    await person.shows(/\n> $/);
    person.type("one two\r");
    await person.shows(/\n> $/);
    expect(await line(person, "END")).toBe("one two\n");
    person.type("echo 'a\r");
    await person.shows(/\n> $/);
    expect(await line(person, `b'; touch ${at("touched")}`)).toMatch(/nothing is touched here/);
  });
});

describe("a guarded shell without a terminal", () => {
  it("runs the lines of its input, with their errors apart, and ends with the last one's status", async () => {
    const { status, stdout, stderr } = await script(
      "echo out",
      "echo error >&2",
      "for i in 1 2",
      "do echo $i",
      "done",
      "false",
    );
    expect([status, stdout.toString(), stderr]).toEqual([1, "out\n1\n2\n", "error\n"]);
    expect((await script("echo a", "true && exit 5", "echo never")).status).toBe(5);
    expect((await stage.run("ssh", ["-T", "web"], { input: "echo no newline" })).stdout.toString()).toBe(
      "no newline\n",
    );
    expect((await script()).status).toBe(0);
  });

  it("does not run what is blocked, and goes on with the next line, as a shell does", async () => {
    const { status, stdout, stderr } = await script(`touch ${at("touched")}`, "echo $?");
    expect([status, stdout.toString()]).toEqual([0, "126\n"]);
    expect(stderr).toBe("sallyport: nothing is touched here. Policy: no-touch.\n");
    expect(await there("touched")).toBe(false);
  });

  it("passes output of any size, and loses none of it", async () => {
    const { stdout } = await script("head -c 20000000 /dev/zero | tr '\\0' x", "echo end");
    expect(stdout.length).toBe(20_000_004);
    expect(stdout.subarray(-4).toString()).toBe("end\n");
  });

  it("keeps no more of a line's output than the client's window and its own take, while the client does not read", async () => {
    const before = process.memoryUsage().rss;
    const args = [...stage.through.options, "-T", "web"];
    const child = spawn("sh", ["-c", `ssh "$@" | (sleep 4; wc -c)`, "sh", ...args], { env: stage.through.env });
    let counted = "";
    child.stdout.on("data", (bytes: Buffer) => (counted += bytes.toString()));
    child.stdin.end("head -c 150000000 /dev/zero\n");
    const ended = once(child, "close");
    await delay(3_500);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 << 20);
    await ended;
    expect(counted.trim()).toBe("150000000");
  }, 60_000);

  it("ends when a line leaves something running", async () => {
    const began = performance.now();
    const { stdout } = await script("sleep 50 & echo started", "echo next");
    expect(stdout.toString()).toBe("started\nnext\n");
    expect(performance.now() - began).toBeLessThan(20_000);
  });

  it("gives a line nothing of the lines behind it to read", async () => {
    expect((await script("cat", "echo next")).stdout.toString()).toBe("next\n");
  });
});

describe("a session with a guarded shell", () => {
  it("ends what its line runs when its client is gone, or its pass is revoked", async () => {
    for (const how of ["gone", "revoked"]) {
      const pass = await stage.gateway.pass();
      const client = await stage.client([], pass);
      const mark = `7${how.length}${Date.now() % 100_000}`;
      const person = terminal(`ssh ${client.options.join(" ")} -tt web`, client.env);
      people.push(person);
      await person.shows(/\$ $/);
      person.type(`sleep ${mark}\r`);
      const runs = async (): Promise<boolean> => (await run("pgrep", ["-fx", `sleep ${mark}`])).status === 0;
      await expect.poll(runs, { timeout: 10_000 }).toBe(true);
      if (how === "gone") person.kill();
      else await stage.gateway.revoke(pass);
      await expect.poll(runs, { timeout: 10_000 }).toBe(false);
      const { row } = await stage.gateway.lastClosed();
      expect(row.closing.reason).toMatch(how === "gone" ? /^client/ : /revoked/);
    }
  }, 60_000);

  it("is had by whom policy lets have a shell, and by consent where it says so", async () => {
    const before = policies;
    try {
      policies = policiesOf(`@id("shells") @reason("a shell takes a second person") @approvers("dba")
        forbid (principal, action == Action::"ssh:shell", resource) unless { context.approvals >= 1 };`);
      const person = terminal(`ssh ${stage.through.options.join(" ")} -tt web`, stage.through.env);
      people.push(person);
      await person.shows(/a shell takes a second person[^]*Ctrl-C gives up\./);
      person.type("echo typed ahead\r");
      await bob.decide(true);
      await person.shows(/\(guarded\) [^]*\ntyped ahead\n[^]*\$ $/);
      policies = policiesOf(`@id("no-shell") @reason("there is no shell here")
        forbid (principal, action == Action::"ssh:shell", resource);`);
      expect((await script("echo in")).status).toBe(126);
    } finally {
      policies = before;
    }
  });

  it("still judges commands, and passes files, as any other", async () => {
    expect((await stage.run("ssh", ["web", "echo as ever"])).stdout.toString()).toBe("as ever\n");
    expect((await stage.run("ssh", ["web", `touch ${at("touched")}`])).status).toBe(126);
    await writeFile(at("sent"), "sent\n");
    expect((await stage.run("scp", ["-q", at("sent"), `web:${at("received")}`])).status).toBe(0);
    expect(await readFile(at("received"), "utf8")).toBe("sent\n");
  });

  it("ends where its client speaks in a channel that a line runs in, and does nothing of it", async () => {
    const { port = 0 } = stage.gateway.ssh ?? {};
    const client = new ssh2.Client();
    client.on("error", () => {});
    const closed = once(client, "close");
    client.connect({
      host: "127.0.0.1",
      port,
      username: "web",
      password: await stage.gateway.pass(),
      hostVerifier: () => true,
    });
    await once(client, "ready");
    const shell = await new Promise<ClientChannel>((done, failed) =>
      client.shell(false, (error, stream) => (error ? failed(error) : done(stream))),
    );
    shell.write("echo runs; sleep 20\n");
    await once(shell, "data");
    const { _protocol: protocol } = client as unknown as {
      _protocol: { exec(at: number, text: string, reply: boolean): void };
    };
    // OpenSSH's server gives the lowest number that is free: 0 is the client's, and one of the next the line's.
    for (const number of [1, 2, 3]) protocol.exec(number, `touch ${at("spoken")}`, false);
    await closed;
    expect((await stage.gateway.lastClosed()).row.closing.reason).toBe("protocol-violation");
    expect(await there("spoken")).toBe(false);
  });
});

describe("what a line cannot do", () => {
  it("smuggle another command past the judge", async () => {
    const touch = `touch ${at("smuggled")}`;
    for (const smuggled of [
      `echo '\n${touch}\n'"`,
      `echo \\'; ${touch}`,
      `'; ${touch}; '`,
      `' ${touch} '`,
      `$(${touch})`,
      `echo a\0; ${touch}`,
      `echo \r${touch}`,
      `echo \x1b[2K\r; ${touch}`,
      `echo \\0047; ${touch}`,
      `\u2028${touch}`,
      `echo \xff; ${touch}`,
    ])
      await stage.run("ssh", ["-T", "web"], { input: `${smuggled}\n` });
    expect(await there("smuggled")).toBe(false);
  }, 120_000);

  it("change what runs before the next line, or what it means", async () => {
    await writeFile(at("evil"), `echo ran > ${at("ran")}\n`);
    await script(
      `read BASH_ENV ENV <<< '${at("evil")} ${at("evil")}'; export -- "BASH_ENV" "ENV"`,
      "echo() { /bin/echo mine; }",
      "alias ls='echo aliased'",
      "f() { :; } >/dev/null",
      "set -e; set -x",
      "IFS=x",
      "false",
    );
    const { stdout } = await script(
      "echo() { printf mine; }; export -f echo",
      "echo plain",
      "IFS=l",
      "a=hello; printf '%s.' $a",
    );
    expect(stdout.toString()).toBe("plain\nhello.");
    expect(await there("ran")).toBe(false);
  });

  it("make a relative path mean another file than the judge was told of", async () => {
    await script(`mkdir ${at("closed")}`, `cd ${at("closed")}`, "echo hidden > secret");
    const { stdout, stderr } = await script(`cd ${at("closed")}`, "cat secret", "cd ..", "cat closed/secret");
    expect(stdout.toString()).toBe("");
    expect(stderr.match(/that folder is closed/g)).toHaveLength(2);
    expect(await readFile(at("closed/secret"), "utf8")).toBe("hidden\n");
  });

  it("have its variables shown or stored, but by a command that shows them", async () => {
    const { stdout } = await script("export API_TOKEN=hunter22; B=1", "echo $B");
    expect(stdout.toString()).toBe("1\n");
    const kept = await stage.gateway.everythingKept();
    expect(kept.includes("API_TOKEN=hunter22")).toBe(true); // as it was entered
    expect(kept.includes("API_TOKEN '********'")).toBe(true);
    for (const otherwise of [Buffer.from("hunter22").toString("hex"), "68 75 6e 74", "API_TOKEN 'hunter22'"])
      expect(kept.includes(otherwise)).toBe(false);
  });
});
