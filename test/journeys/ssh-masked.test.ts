import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UNGUARDED } from "../../core/policy/unguarded.ts";
import { succeed } from "../setup/programs.ts";
import { recordedOutput } from "../setup/ssh-recorded.ts";
import { type SshStage, sshStage } from "../setup/ssh-stage.ts";
import { terminal } from "../setup/terminal.ts";

const MASKING = {
  columns: [{ name: "emails", columns: ["customers.email"], style: "full" }],
  detectors: [
    { name: "mails", detect: "email", style: "full" },
    { name: "cards", detect: "card", style: "partial" },
    { name: "tokens", detect: "custom", pattern: "tok_[a-z]{12}", contains: "tok_", style: "hash" },
  ],
};
/** None of these, nor a part of them, is in anything else. */
const MAIL = "canary.mail@canary.example";
const CARD = "4242 4242 4242 4242";
const TOKEN = "tok_canarycanary";
const CANARY = /canary\.|canary@|canarycanary|4242 4242/;
const LINE = `of ${MAIL}, paid by ${CARD} with ${TOKEN}.`;
const MASKED = /^of \*{26}, paid by \*{15}4242 with [0-9a-f]{16}\.$/m;

let stage: SshStage;
let folder: string;
const at = (name: string): string => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sallyport-ssh-masked-"));
  stage = await sshStage({ masking: MASKING });
  await writeFile(at("plain"), `${LINE}\nbehind\n`);
  const coloured = LINE.replaceAll(/canary\.|42 |cana/g, "\x1b[01;31m\x1b[K$&\x1b[m\x1b[K");
  await writeFile(at("coloured"), `${coloured}\nbehind\n`);
  await writeFile(
    at("singly.py"),
    "import sys\nfor letter in open(sys.argv[1]).read():\n    sys.stdout.write(letter); sys.stdout.flush()\n",
  );
});
afterAll(async () => {
  await stage?.close();
  await rm(folder, { recursive: true, force: true });
});

async function nothingIsKept(): Promise<void> {
  const recorded = await recordedOutput(stage.gateway);
  expect(undressed(recorded.text)).not.toMatch(CANARY);
  expect(recorded.redacted).toBe(false);
  const kept = undressed(await stage.gateway.everythingKept());
  expect(kept).toContain("behind");
  expect(kept).not.toMatch(CANARY);
}

const COLOUR = new RegExp(`${String.fromCharCode(0x1b)}\\[[0-9;]*[mK]`, "g");

function undressed(shown: Buffer | string): string {
  return (typeof shown === "string" ? shown : shown.toString("latin1")).replaceAll(COLOUR, "").replaceAll("\r", "");
}

describe("a target's output where values are masked", () => {
  const commands: readonly [name: string, args: (file: string) => readonly string[]][] = [
    ["of a command", (file) => ["web", `cat ${file}`]],
    ["of a command on a terminal", (file) => ["-tt", "web", `cat ${file}`]],
    ["of a program that prints byte by byte", (file) => ["web", `python3 ${at("singly.py")} ${file}`]],
    ["of the same on a terminal", (file) => ["-tt", "web", `python3 ${at("singly.py")} ${file}`]],
  ];
  for (const [name, args] of commands)
    it.each(["plain", "coloured"])(`${name} has none, %s, and is as long`, async (file) => {
      const through = await stage.run("ssh", args(at(file)), { input: "" });
      const directly = await stage.runDirectly("ssh", args(at(file)), { input: "" });
      expect(through.status).toBe(0);
      expect(through.stdout).toHaveLength(directly.stdout.length);
      expect(undressed(through.stdout)).toMatch(MASKED);
      expect(undressed(through.stdout)).toMatch(/behind\n$/);
      expect((await recordedOutput(stage.gateway)).text).toBe(through.stdout.toString("latin1"));
      await nothingIsKept();
    });

  it("has none in standard error either", async () => {
    const { stderr, stdout } = await stage.run("ssh", ["web", `cat ${at("plain")} >&2; cat ${at("plain")}`]);
    expect(stderr).toMatch(MASKED);
    expect(stdout.toString()).toMatch(MASKED);
    await nothingIsKept();
  });

  it("is masked in a shell on a terminal, and so is what is pasted there", async () => {
    const shell = terminal(`ssh ${stage.through.options.join(" ")} -tt web`, stage.through.env);
    await shell.shows(/[$#] /);
    shell.type("#");
    await new Promise((done) => setTimeout(done, 100));
    shell.type(` ${MAIL}`);
    await shell.shows(/\*{20}/);
    shell.type(`\rcat ${at("plain")}\r`);
    expect(await shell.shows(/with [^.]+\./)).toMatch(/of \*{26}, paid by \*{15}4242 with [0-9a-f]{16}/);
    shell.type("exit\r");
    await shell.ended();
    await nothingIsKept();
  });

  it("is said to be masked in its recording, and counted by rule", async () => {
    await stage.run("ssh", ["web", `cat ${at("plain")} ${at("coloured")}`]);
    const { events } = await stage.gateway.lastClosed();
    expect(events[0]).toMatchObject({ masking: { version: expect.stringMatching(/^[0-9a-f]{64}$/) } });
    expect(events.filter(({ type }) => type === "masked")).toEqual([
      { type: "masked", values: { mails: 2, cards: 2, tokens: 2 } },
    ]);
    expect(events.find(({ type }) => type === "command-ended")).toMatchObject({ outcome: "exited", status: 0 });
  });

  it("is what the target sent where no rule finds anything, megabytes of it", async () => {
    const bytes = Buffer.from(
      Array.from({ length: 400_000 }, (_, n) => `line ${n} \x1b[3${n % 8}mof many\x1b[m`).join("\n"),
    );
    await writeFile(at("large"), bytes);
    const { stdout, status } = await stage.run("ssh", ["web", `cat ${at("large")}`]);
    expect([status, sha256(stdout)]).toEqual([0, sha256(bytes)]);
  });
});

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

describe("files and forwards where values are masked", () => {
  beforeAll(async () => {
    await mkdir(at("files"));
    await writeFile(at("files/values"), `${LINE}\n`.repeat(1_000));
    await writeFile(at("files/large"), randomBytes(3_000_000));
  });

  it.each([
    ["scp", ["-rpq"]],
    ["scp by its old protocol", ["-O", "-rpq"]],
  ])("%s brings them byte by byte, there and back", async (name, options) => {
    const [there, back] = [at(`there ${name}`), at(`back ${name}`)];
    await stage.run("scp", [...options, at("files"), `web:${options.includes("-O") ? `'${there}'` : there}`]);
    await stage.run("scp", [...options, `web:${options.includes("-O") ? `'${there}'` : there}`, back]);
    await succeed("diff", ["-r", at("files"), back]);
  });

  it("sftp brings them byte by byte", async () => {
    const input = `get ${at("files/values")} ${at("got")}\nput ${at("got")} ${at("put")}\n`;
    await stage.run("sftp", ["-oBatchMode=no", "-b", "-", "web"], { input });
    expect(sha256(await readFile(at("put")))).toBe(sha256(await readFile(at("files/values"))));
  });

  it("rsync brings them byte by byte, there and back", async () => {
    const rsync = async (from: string, to: string): Promise<string> =>
      succeed("rsync", ["-a", "-e", stage.through.command, from, to], { env: stage.through.env });
    await rsync(`${at("files")}/`, `web:${at("rsync-there")}`);
    await rsync(`web:${at("rsync-there")}/`, at("rsync-back"));
    await succeed("diff", ["-r", at("files"), at("rsync-back")]);
  });

  it("git clones them byte by byte", async () => {
    const git = async (...args: string[]): Promise<string> =>
      succeed("git", ["-c", "user.name=t", "-c", `user.email=${MAIL}`, ...args], {
        env: { ...stage.through.env, GIT_SSH_COMMAND: stage.through.command, GIT_CONFIG_GLOBAL: "/dev/null" },
      });
    await git("-C", at("files"), "init", "-q", "-b", "main");
    await git("-C", at("files"), "add", ".");
    await git("-C", at("files"), "commit", "-qm", LINE);
    await git("clone", "-q", `web:${at("files")}`, at("clone"));
    expect(await git("-C", at("clone"), "log", "--format=%ae %s")).toBe(`${MAIL} ${LINE}\n`);
    await succeed("diff", [at("files/values"), at("clone/values")]);
  });
});

describe("who may see what is masked", () => {
  it.each(["recording-only", "viewUnmasked"])("%s: the client sees it, the record does not hold it", async (how) => {
    const where = how === "recording-only" ? how : "client+recording";
    const masking = { detectors: MASKING.detectors.map((rule) => ({ ...rule, where })) };
    const policies = { ...UNGUARDED, exempts: (_: unknown, from: string) => (how === "viewUnmasked" && from === "masking" ? "trusted" : undefined) }; // prettier-ignore
    const seeing = await sshStage({ masking, policies: () => policies });
    const { stdout } = await seeing.run("ssh", [
      "web",
      `cat ${at("coloured")}; python3 ${at("singly.py")} ${at("plain")}`,
    ]);
    expect(stdout.toString()).toBe((await readFile(at("coloured"), "utf8")) + (await readFile(at("plain"), "utf8")));
    const { events } = await seeing.gateway.lastClosed();
    expect(events[0]).toMatchObject({ masking: how === "viewUnmasked" ? { unmaskedBy: "trusted" } : {} });
    expect(events.filter(({ type }) => type === "masked")).toEqual([
      { type: "masked", values: { mails: 2, cards: 2, tokens: 2 } },
    ]);
    const recorded = await recordedOutput(seeing.gateway);
    expect(recorded.redacted).toBe(true);
    expect(recorded.text).toHaveLength(stdout.length);
    expect(undressed(recorded.text)).toMatch(MASKED);
    expect(undressed(recorded.text)).not.toMatch(CANARY);
    expect(undressed(await seeing.gateway.everythingKept())).not.toMatch(CANARY);
    await seeing.close();
  });

  it("is everybody where only columns have rules: the recording does not say that anything is masked", async () => {
    const open = await sshStage({ masking: { columns: MASKING.columns } });
    const { stdout } = await open.run("ssh", ["web", `cat ${at("plain")}`]);
    expect(stdout.toString()).toContain(LINE);
    const { events } = await open.gateway.lastClosed();
    expect(events[0]).not.toHaveProperty("masking");
    await open.close();
  });
});

describe("a guarded shell's output", () => {
  it("is masked like any other, and in no other form kept", async () => {
    const own = await sshStage({ masking: MASKING, shell: "guarded" });
    try {
      const ran = await own.run("ssh", ["-T", "web"], { input: `cat ${at("plain")}\nexit 3\n` });
      expect(ran.status).toBe(3);
      expect(ran.stdout.toString()).toMatch(MASKED);
      await own.gateway.lastClosed();
      const kept = undressed(await own.gateway.everythingKept());
      expect(kept).toContain("behind");
      expect(kept).not.toMatch(CANARY);
    } finally {
      await own.close();
    }
  });
});
