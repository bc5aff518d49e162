import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run, succeed } from "../setup/programs.ts";
import { type SshStage, sshStage } from "../setup/ssh-stage.ts";

let stage: SshStage;
let folder: string;
beforeAll(async () => {
  stage = await sshStage();
  folder = await mkdtemp(join(tmpdir(), "sallyport-ssh-files-"));
});
afterAll(async () => {
  await stage?.close();
  await rm(folder, { recursive: true, force: true });
});

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
const at = (...names: string[]): string => join(folder, ...names);

describe("a command through the gateway", () => {
  const commands: readonly [name: string, args: readonly string[], input?: string | Buffer][] = [
    ["has its output, its errors and its status apart", ["web", "echo out; echo err >&2; exit 3"]],
    ["reads its standard input to the end", ["web", "wc -c"], randomBytes(3_000_000)],
    ["ends where its input is empty", ["web", "cat; echo done"], ""],
    ["runs where its input is not read at all", ["web", "echo early; exit 0"], randomBytes(1_000_000)],
    ["is told of the signal that killed it", ["web", "kill -TERM $$"]],
    ["has its quotes and its line ends", ["web", `printf '%s|' "a b" 'c  d' "$(printf '\\n\\t')"; exit 0`]],
    ["has a terminal where it asks for one", ["-tt", "web", "stty size; tty >/dev/null && echo terminal"], ""],
    [
      "has the variables that the server accepts",
      ["-o", "SetEnv=TEST_A=1 TEST_B='two words'", "web", "env | grep ^TEST_ | sort"],
    ],
    ["runs though nothing is asked for but a shell", ["web"], "echo from-a-shell; exit 7\n"],
    ["is compressed by nobody, though the client would", ["-C", "web", "echo plain"]],
  ];
  for (const [name, args, input] of commands)
    it(`${name}, as directly`, async () => {
      const through = await stage.run("ssh", args, { input: input ?? "" });
      const directly = await stage.runDirectly("ssh", args, { input: input ?? "" });
      expect(through.status).toBe(directly.status);
      expect(through.stdout.toString("latin1")).toBe(directly.stdout.toString("latin1"));
      expect(through.stderr).toBe(directly.stderr);
    });

  it("gives 30 MB of output with 30 MB of errors, both whole", async () => {
    const command = "head -c 30000000 /dev/zero | tr '\\0' o & head -c 30000000 /dev/zero | tr '\\0' e >&2; wait";
    const { status, stdout, stderr } = await stage.run("ssh", ["web", command]);
    expect([status, stdout.length, stderr.length]).toEqual([0, 30_000_000, 30_000_000]);
    expect(stdout.every((byte) => byte === 0x6f)).toBe(true);
    expect(/^e+$/.test(stderr)).toBe(true);
  });

  it("passes 60 MB both ways unchanged while keys are exchanged every megabyte", async () => {
    const input = randomBytes(60_000_000);
    const { status, stdout } = await stage.run("ssh", ["-o", "RekeyLimit=1M", "web", "cat"], { input });
    expect(status).toBe(0);
    expect(sha256(stdout)).toBe(sha256(input));
  });
});

describe("files through the gateway", () => {
  const names = ["small", "empty", "a name with 'quotes' and ünicode", "large"];
  beforeAll(async () => {
    await mkdir(at("files", "below"), { recursive: true });
    for (const name of names)
      await writeFile(at("files", name), randomBytes(name === "large" ? 20_000_000 : name === "empty" ? 0 : 1_234));
    await writeFile(at("files", "below", "deep"), "deep\n");
  });
  const same = async (one: string, other: string): Promise<string> => succeed("diff", ["-r", one, other]);

  for (const [name, options] of [
    ["scp", []],
    ["scp by its old protocol", ["-O"]],
  ] as const) {
    it(`${name} brings a folder there, byte by byte`, async () => {
      const to = at(`there-${options.length}`);
      const { status, stderr } = await stage.run("scp", [...options, "-rpq", at("files"), `web:${to}`]);
      expect([status, stderr]).toEqual([0, ""]);
      await same(at("files"), to);
    });

    it(`${name} fetches a folder, byte by byte`, async () => {
      const to = at(`here-${options.length}`);
      const { status, stderr } = await stage.run("scp", [...options, "-rpq", `web:${at("files")}`, to]);
      expect([status, stderr]).toEqual([0, ""]);
      await same(at("files"), to);
    });
  }

  it("sftp does what a batch of it says", async () => {
    const batch = [
      `mkdir ${at("made")}`,
      `put ${at("files", "large")} ${at("made", "put")}`,
      `rename ${at("made", "put")} ${at("made", "renamed")}`,
      `get ${at("made", "renamed")} ${at("got")}`,
      `chmod 600 ${at("made", "renamed")}`,
      `rm ${at("made", "renamed")}`,
      `rmdir ${at("made")}`,
    ].join("\n");
    const { status, stderr } = await stage.run("sftp", ["-oBatchMode=no", "-b", "-", "web"], { input: `${batch}\n` });
    expect([status, stderr]).toEqual([0, ""]);
    expect(sha256(await readFile(at("got")))).toBe(sha256(await readFile(at("files", "large"))));
  });

  it("rsync -a brings 5,000 files, and finds nothing to do the second time", async () => {
    await mkdir(at("many"));
    for (let n = 0; n < 5_000; n++) await writeFile(at("many", `file-${n}`), `contents of ${n}\n`);
    const rsync = ["-a", "--stats", "-e", stage.through.command, `${at("many")}/`, `web:${at("many-there")}`];
    await succeed("rsync", rsync, { env: stage.through.env });
    await same(at("many"), at("many-there"));
    const again = await succeed("rsync", rsync, { env: stage.through.env });
    expect(again).toMatch(/Number of regular files transferred: 0/);
  });

  it("git clones a repository and pushes to it", async () => {
    const git = async (cwd: string, ...args: string[]): Promise<string> =>
      succeed("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...args], {
        cwd,
        env: { ...stage.through.env, GIT_SSH_COMMAND: stage.through.command, GIT_CONFIG_GLOBAL: "/dev/null" },
      });
    await git(folder, "init", "-q", "--bare", "-b", "main", at("origin.git"));
    await git(folder, "clone", "-q", `web:${at("origin.git")}`, at("clone"));
    await writeFile(at("clone", "file"), randomBytes(2_000_000));
    await git(at("clone"), "add", ".");
    await git(at("clone"), "commit", "-qm", "one");
    await git(at("clone"), "push", "-q", "origin", "HEAD:main");
    await git(folder, "clone", "-q", `web:${at("origin.git")}`, at("second"));
    await same(at("clone", "file"), at("second", "file"));
  });
});

describe("one connection through the gateway", () => {
  it("carries 50 sessions at a time", async () => {
    const socket = at("control");
    const master = await stage.client([`ControlPath ${socket}`, "ControlPersist no"]);
    const first = run("ssh", [...master.options, "-M", "web", "sleep 6"], { env: master.env });
    await new Promise((done) => setTimeout(done, 1_500));
    const sessions = Array.from({ length: 50 }, async (_, n) =>
      run("ssh", [...master.options, "web", `echo ${n}; sleep 0.2; exit ${n}`], { env: master.env }),
    );
    const ran = await Promise.all(sessions);
    expect(ran.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, (_, n) => n));
    expect(ran.map(({ stdout }) => stdout.toString())).toEqual(Array.from({ length: 50 }, (_, n) => `${n}\n`));
    expect((await first).status).toBe(0);
    expect(await stage.gateway.sessions()).not.toHaveLength(0);
  });
});
