import { access, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { SessionEvent } from "../../core/recording/events.ts";
import { type Approver, approver } from "../setup/approver.ts";
import { policiesOf } from "../setup/policies.ts";
import { type SshStage, sshStage } from "../setup/ssh-stage.ts";
import { type Terminal, terminal } from "../setup/terminal.ts";

const POLICIES = `
  @id("no-touch") @reason("nothing is touched here")
  forbid (principal, action == Action::"ssh:exec", resource) when { context.programs.contains("touch") };
  @id("understood") @reason("it cannot be understood")
  forbid (principal, action == Action::"ssh:exec", resource) unless { context.parsed };
  @id("ask") @reason("moving takes a second person") @approvers("dba")
  forbid (principal, action == Action::"ssh:exec", resource)
  when { context.programs.contains("mv") } unless { context.approvals >= 1 };
`;
const PROMPT = /ready[^ ]*> $/;
const UP = "\x1b[A";
const LEFT = "\x1b[D";

let stage: SshStage;
let folder: string;
let bob: Approver;
const people: Terminal[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sallyport-lines-"));
  const policies = policiesOf(POLICIES);
  stage = await sshStage({ policies: () => policies });
  await writeFile(join(folder, "aliases"), "alias t=touch\n");
  bob = approver(stage.gateway.state.approvalStore);
});
afterAll(async () => {
  await stage?.close();
  await rm(folder, { recursive: true, force: true });
});
afterEach(async () => {
  await rm(join(folder, "gone"), { force: true });
  for (const person of people.splice(0)) person.kill();
});

const there = async (name: string): Promise<boolean> =>
  access(join(folder, name)).then(
    () => true,
    () => false,
  );

/** Somebody in a shell through the gateway, in a folder of the test's, whose prompt counts its lines. */
async function inShell(shell = "bash --norc --noprofile", term = "xterm"): Promise<Terminal> {
  const command = `stty cols 80 rows 24; ssh ${stage.through.options.join(" ")} -t web`;
  const person = terminal(command, stage.through.env, term);
  people.push(person);
  await person.shows(/[#$] $|> $/);
  person.type(`cd ${folder}; exec env PS1='ready\\#> ' HISTFILE= INPUTRC=/dev/null ${shell}\r`);
  await person.shows(PROMPT);
  return person;
}

const TOLD = /\nsallyport: nothing is touched here\. Policy: no-touch\.\n/;

async function events(): Promise<readonly SessionEvent[]> {
  return (await stage.gateway.lastClosed()).events;
}

describe("a line that policy blocks", () => {
  const ways: readonly [name: string, keys: readonly (string | RegExp)[]][] = [
    ["typed", ["touch gone", /touch gone/, "\r"]],
    ["typed and entered at once", ["touch gone\r"]],
    ["in a list", ["echo 1; touch gone\r"]],
    ["recalled from the history", ["t=ou; history -s touch gone\r", PROMPT, UP, /touch gone/, "\r"]],
    ["recalled and entered at once", ["history -s touch gone\r", PROMPT, `${UP}\r`]],
    ["completed by Tab", ["touc\t", /touch/, "gone\r"]],
    ["edited in the middle", ["tuch gone", /tuch gone/, LEFT.repeat(8), "o\r"]],
    ["erased in part", ["touchx\x7f gone\r"]],
    ["found by Ctrl-R", ["history -s touch gone\r", PROMPT, "\x12touch g", /i-search/, "\r"]],
    ["pasted between brackets", ["\x1b[200~echo 1\rtouch gone\x1b[201~", /touch gone/, "\r"]],
    ["pasted without them, as the second of three", ["echo 1\rtouch gone\rtouch gone\r"]],
    ["continued", ["tou\\\r", /> $/, "ch gone\r"]],
    ["with a quote that is closed in the next line", ["echo 'a\r", /> $/, "'; touch gone\r"]],
    ["behind an open quote", ["touch gone '\r"]],
    ["longer than the terminal is wide", [`echo ${"x".repeat(100)}; touch gone\r`]],
    ["by Ctrl-J", ["touch gone\n"]],
    ["by Ctrl-O", ["touch gone\x0f"]],
  ];
  for (const [name, keys] of ways)
    it(`does not run when it is ${name}, and the shell goes on`, async () => {
      const person = await inShell();
      for (const key of keys)
        if (typeof key === "string") person.type(key);
        else await person.shows(key);
      await person.shows(TOLD);
      await person.shows(PROMPT);
      person.type("echo still $((40+2))\r");
      await person.shows(/still 42\n/);
      expect(await there("gone")).toBe(false);
    });
});

describe("ways around it", () => {
  /** What each comes to, honestly; docs/ssh.md tells what to do about those that run. */
  const ways: readonly [name: string, stopped: boolean, keys: readonly (string | RegExp)[]][] = [
    ["quotes within the name", true, ["t'ou'ch gone\r"]],
    ["a shell's text", true, ["bash -c 'touch gone'\r"]],
    ["a substitution", true, ["echo $(touch gone)\r"]],
    ["behind env and xargs", true, ["echo gone | env xargs touch\r"]],
    ["a function's body", true, ["f() { touch gone; }\r"]],
    ["typed into a shell within the shell", true, ["sh\r", /#> $/, "touch gone\r"]],
    ["typed ahead while something runs", true, ["sleep 1\r", "touch gone\r"]],
    ["an alias that is set here", true, ["alias t=touch\r"]],
    ["an alias of the target's own", false, [". ./aliases\r", PROMPT, "t gone\r"]],
    ["a variable, unless policy looks at `dynamic`", false, ["t=touch\r", PROMPT, "$t gone\r"]],
    ["encoded, unless policy looks at `interpreter`", false, ["echo 746f75636820676f6e65 | xxd -r -p | sh\r"]],
    ["a script by its name", false, ["printf 'tou%s gone' ch >script; sh script\r"]],
    ["an interpreter's own functions", false, ['python3 -c \'open("gone", "w")\'\r']],
    ["an editor's shell", false, ["vim -u NONE -n\r", /~/, ":!touch gone\r", /ENTER|again/, "\r", ":q!\r"]],
    ["while echo is off", false, ["stty -echo\r", PROMPT, "exec bash --norc --noediting\r", PROMPT, "touch gone\r"]],
    ["a key that a shell was told to run something by", false, [`bind -x '"\\C-t":t""ouch gone'\r`, PROMPT, "\x14"]],
  ];
  for (const [name, stopped, keys] of ways)
    it(`${stopped ? "stopped" : "not stopped"}: ${name}`, async () => {
      const person = await inShell();
      for (const key of keys)
        if (typeof key === "string") person.type(key);
        else await person.shows(key);
      if (!stopped) return expect.poll(() => there("gone"), { timeout: 5_000 }).toBe(true);
      await person.shows(TOLD);
      await person.shows(PROMPT);
      person.type("echo still $((40+2))\r");
      await person.shows(/still 42\n/);
      return expect(await there("gone")).toBe(false);
    });

  it("not stopped: a shell without a terminal", async () => {
    await stage.run("ssh", ["-T", "web"], { input: `touch ${join(folder, "gone")}\n` });
    expect(await there("gone")).toBe(true);
  });
});

describe("a line that policy holds", () => {
  const held = async (): Promise<Terminal> => {
    await writeFile(join(folder, "from"), "moved\n");
    await rm(join(folder, "to"), { force: true });
    const person = await inShell();
    person.type("mv from to; cat to\r");
    await person.shows(/held for consent: moving takes a second person[^]*Ctrl-C gives up\.\n/);
    return person;
  };

  it("runs when somebody has consented, as it was shown; what was typed meanwhile comes after it", async () => {
    const person = await held();
    const asked = await bob.asked();
    expect(asked.shown).toBe("typed into a shell: mv from to; cat to");
    person.type("echo after $((40+2))\r");
    expect(await there("to")).toBe(false);
    await bob.decide(true);
    await person.shows(/moved\n[^]*after 42\n/);
  });

  it("does not run when it is denied; the person is told, and has a new prompt", async () => {
    const person = await held();
    await bob.decide(false, "not today");
    await person.shows(/sallyport: denied by Bob: not today\. Policy: ask\.\n/);
    await person.shows(PROMPT);
    person.type("echo on $((40+2))\r");
    await person.shows(/on 42\n/);
    expect(await there("to")).toBe(false);
  });

  it("is given up by Ctrl-C, and what was typed behind it is thrown away", async () => {
    const person = await held();
    const asked = await bob.asked();
    person.type("touch gone\r\x03");
    await person.shows(/cancelled while it was held/);
    await person.shows(PROMPT);
    await expect.poll(() => bob.became(asked)).toBe("cancelled");
    person.type("echo on $((40+2))\r");
    await person.shows(/on 42\n/);
    expect(await there("to")).toBe(false);
    expect(await there("gone")).toBe(false);
  });
});

describe("what is typed and not shown", () => {
  it("is neither judged nor stored", async () => {
    const person = await inShell();
    person.type("read -s -p Password: secret; echo got ${#secret}\r");
    await person.shows(/Password:$/);
    person.type("touch my-secret");
    person.type("\r");
    await person.shows(/got 15\n/);
    person.type("exit\r");
    await person.ended();
    expect((await events()).filter(({ type }) => type === "verdict")).toEqual([]);
    expect((await stage.gateway.everythingKept()).includes("my-secret")).toBe(false);
  });
});

describe("ordinary use", () => {
  const told = /sallyport:/;
  const runs: readonly [name: string, shell: string, keys: readonly (string | RegExp)[]][] = [
    [
      "a here-document that mentions what is blocked",
      "bash --norc",
      ["cat <<END\r", /> $/, "touch x\r", /> $/, "END\r", /touch x\n/],
    ],
    [
      "a loop over several lines",
      "bash --norc",
      ["for n in 1 2\r", /> $/, "do echo n$n\r", /> $/, "done\r", /n1\nn2\n/],
    ],
    [
      "an apostrophe in a program's input",
      "bash --norc",
      ["cat\r", /cat\n/, "it's (fine\r", /fine\n.*it's \(fine\n/, "\x04"],
    ],
    ["wide characters", "bash --norc", ["echo 日本語 🙂 | wc -m\r", /\n.*\d+\n/]],
    ["python", "bash --norc", ["python3 -q\r", />>> $/, "print(6 *\r", /\.\.\. $/, "7)\r", /42\n/, "exit()\r"]],
    ["less", "bash --norc", ["seq 500 | less\r", /:/, " \rq"]],
    ["dash", "dash", ["echo $((6*7))\r", /42\n/]],
    ["a resize of the window", "bash --norc", ["kill -WINCH $$\r", PROMPT, "echo $((6*7))\r", /42\n/]],
  ];
  for (const [name, shell, keys] of runs)
    it(`goes on as it is: ${name}`, async () => {
      const person = await inShell(shell);
      let shown = "";
      for (const key of keys)
        if (typeof key === "string") person.type(key);
        else shown += await person.shows(key);
      person.type("exit\r");
      await person.ended();
      expect(shown).not.toMatch(told);
    });

  it("2,000 lines pasted at once all run, in order", async () => {
    const person = await inShell();
    person.type(Array.from({ length: 2_000 }, (_, n) => `echo $((${n}+1)) >>pasted\r`).join(""));
    await expect
      .poll(async () => readFile(join(folder, "pasted"), "utf8").catch(() => ""), { timeout: 50_000 })
      .toBe(Array.from({ length: 2_000 }, (_, n) => `${n + 1}\n`).join(""));
  }, 60_000);

  it("vim edits a file, and tmux runs within, by every key that was typed", async () => {
    const person = await inShell();
    person.type("vim -u NONE -n edited\r");
    await person.shows(/edited/);
    person.type("itouch gone\rsecond line\x1b:wq\r");
    await person.shows(PROMPT);
    expect(await readFile(join(folder, "edited"), "utf8")).toBe("touch gone\nsecond line\n");
    person.type("tmux -f /dev/null -L sallyport-lines new 'sh -c \"echo in; read a; echo $a-\\$a >from-tmux\"'\r");
    await person.shows(/in/);
    person.type("typed\r");
    await expect.poll(() => readFile(join(folder, "from-tmux"), "utf8").catch(() => "")).toBe("-typed\n");
  });
});
