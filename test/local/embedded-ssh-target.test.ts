import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import ssh2 from "ssh2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunningSshTarget, startEmbeddedSshTarget } from "../../local/embedded-ssh-target.ts";
import { type Ran, run, type RunOptions } from "../setup/programs.ts";
import { type SshClient, sshClient } from "../setup/ssh-client.ts";
import { terminal } from "../setup/terminal.ts";

const MIB = 1 << 20;

let scratch: string;
let target: RunningSshTarget;
let client: SshClient;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "sallyport-test-target-"));
  await chmod(scratch, 0o755);
  target = await start("home");
  client = await sshClient("web-1", target.user, { ...target, keyFile: await keyFile("key", target.key) });
});
afterAll(async () => {
  await client?.close();
  await target?.stop();
  await rm(scratch, { recursive: true, force: true });
});

const start = (folder: string): Promise<RunningSshTarget> =>
  startEmbeddedSshTarget({ directory: join(scratch, folder), name: "web-1", files: { "notes/today": "All quiet.\n" } });

async function keyFile(name: string, key: string): Promise<string> {
  await writeFile(join(scratch, name), key, { mode: 0o600 });
  return join(scratch, name);
}

const ssh = (args: readonly string[], options: RunOptions = {}): Promise<Ran> =>
  run("ssh", [...client.options, ...args], { env: client.env, ...options });

/** Whoever is dead and only not yet buried does not live. */
const lives = async (pid: number): Promise<boolean> =>
  /^[^Z]/.test((await run("ps", ["-o", "stat=", "-p", String(pid)])).stdout.toString().trim());

describe("a command", () => {
  test("reads its input, and its output, its errors and its status come apart", async () => {
    const { status, stdout, stderr } = await ssh(["web-1", "cat; echo wrong >&2; exit 3"], { input: "typed\n" });
    expect([status, stdout.toString(), stderr]).toEqual([3, "typed\n", "wrong\n"]);
  });

  test("that a signal ended says which", async () => {
    const ended = await new Promise<unknown[]>((done, failed) => {
      const direct = new ssh2.Client();
      direct.on("error", failed).on("ready", () =>
        direct.exec("kill -TERM $$", (error, channel) => {
          if (error) return failed(error);
          channel.on("exit", (...how: unknown[]) => {
            done(how.slice(0, 2));
            direct.end();
          });
          channel.resume();
        }),
      );
      direct.connect({ host: target.host, port: target.port, username: target.user, privateKey: target.key });
    });
    expect(ended).toEqual([null, "SIGTERM"]);
  });

  test("loses nothing of much output and many errors at once, nor of much input", async () => {
    const both = await ssh(["web-1", `head -c ${20 * MIB} /dev/zero & head -c ${20 * MIB} /dev/zero >&2; wait`]);
    expect([both.status, both.stdout.length, both.stderr.length]).toEqual([0, 20 * MIB, 20 * MIB]);
    const input = Buffer.alloc(20 * MIB, "x");
    expect((await ssh(["web-1", "sleep 0.2; wc -c"], { input })).stdout.toString().trim()).toBe(String(20 * MIB));
  });

  test("ends although it leaves its input unread", async () => {
    const { status } = await ssh(["web-1", "exec <&-; exit 4"], { input: Buffer.alloc(8 * MIB) });
    expect(status).toBe(4);
  });

  test("runs in the target's own folder, with a small environment in which nothing of ours is", async () => {
    const { stdout } = await ssh(["web-1", "pwd -P; cat notes/today; env"], {
      env: { ...client.env, LANG: "xx_XX", SALLYPORT_SECRET: "ours" },
    });
    const [pwd, note, ...env] = stdout.toString().trim().split("\n");
    expect([pwd, note]).toEqual([target.home, "All quiet."]);
    const names = env.map((line) => line.replace(/=.*/, "")).filter((name) => !["_", "PWD", "SHLVL", "OLDPWD"].includes(name)); // prettier-ignore
    expect(names.toSorted()).toEqual(["HOME", "LANG", "LOGNAME", "PATH", "PS1", "SHELL", "USER"]);
    expect(env).toContain(`HOME=${target.home}`);
  });

  test.runIf(process.getuid?.() === 0)("does not run as root where root has started the target", async () => {
    expect((await ssh(["web-1", "id -u; rm notes/today && ls -A notes"])).stdout.toString()).not.toMatch(/^0\n/);
  });

  test("is killed, and what it has started with it, when its client is gone", async () => {
    const child = spawn("ssh", [...client.options, "web-1", "sleep 300 & echo $!; wait"], { env: client.env });
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const pid = Number(line.toString());
    expect(await lives(pid)).toBe(true);
    child.kill("SIGKILL");
    await expect.poll(() => lives(pid)).toBe(false);
  });

  test("gets the signals that its client sends", async () => {
    const direct = new ssh2.Client();
    direct.connect({ host: target.host, port: target.port, username: target.user, privateKey: target.key });
    await once(direct, "ready");
    const output = await new Promise<string>((done, failed) =>
      direct.exec(`trap 'echo caught; exit' USR1; echo ready; while :; do sleep 0.05; done`, (error, channel) => {
        if (error) return failed(error);
        let text = "";
        channel.on("data", (bytes: Buffer) => {
          text += bytes.toString();
          if (text === "ready\n") channel.signal("USR1");
        });
        channel.on("close", () => done(text));
      }),
    );
    direct.end();
    expect(output).toBe("ready\ncaught\n");
  });
});

describe("a shell", () => {
  test.runIf(process.platform === "linux")("has a terminal of the size that was asked for", async () => {
    expect(target.terminals).toBe(true);
    const person = terminal(`stty rows 30 cols 100; exec ssh ${client.options.join(" ")} -tt web-1`, client.env);
    await person.shows(/deploy@web-1:~\$ /);
    person.type("tty; stty size\r");
    await person.shows(/\/dev\/pts\/\d+\n30 100\n/);
    person.type("exit\r");
    await person.ended();
  });

  test("without a terminal reads what it is to do from its input", async () => {
    const { status, stdout } = await ssh(["-T", "web-1"], { input: "echo $((6 * 7))\nexit 5\n" });
    expect([status, stdout.toString()]).toEqual([5, expect.stringContaining("42\n")]);
  });

  test.runIf(process.platform === "linux")("ends a command on a terminal with the command's status", async () => {
    const { status, stdout } = await ssh(["-tt", "web-1", "echo \"it's \"'$HOME'; exit 7"]);
    expect([status, stdout.toString()]).toEqual([7, "it's $HOME\r\n"]);
  });
});

describe("nobody else gets in", () => {
  test("with another key, as another user, or by a password", async () => {
    const other = await keyFile("other", ssh2.utils.generateKeyPairSync("ed25519").private);
    const attempts = [
      ["-o", `IdentityFile=${other}`],
      ["-o", "User=root"],
      ["-o", "PreferredAuthentications=password,keyboard-interactive,none"],
    ];
    const withoutKey = await sshClient("web-1", target.user, { ...target, settings: ["IdentitiesOnly yes"] });
    for (const settings of attempts) {
      const file = settings[1]?.startsWith("IdentityFile") ? withoutKey : client;
      const preferred = settings[1]?.startsWith("IdentityFile") ? ["-o", "PreferredAuthentications=publickey"] : [];
      const { status, stderr } = await run("ssh", [...settings, ...preferred, ...file.options, "web-1", "id"], { env: file.env }); // prettier-ignore
      expect([status, stderr]).toEqual([255, expect.stringContaining("Permission denied (publickey)")]);
    }
    await withoutKey.close();
  });

  test("from another machine: it listens on 127.0.0.1 alone", async () => {
    const addresses = Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address));
    for (const host of addresses.filter((address) => address !== target.host && !address.startsWith("fe80"))) {
      const socket = net.connect({ host, port: target.port });
      const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
      expect(error.code).toBe("ECONNREFUSED");
    }
  });
});

test.each([
  ["sftp", ["-b", "-", "web-1"]],
  ["ssh", ["-W", "127.0.0.1:1", "web-1"]],
  ["ssh", ["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1", "web-1", "true"]],
])("%s %j is refused: there are commands and shells alone", async (program, args) => {
  const { status } = await run(program, [...client.options, ...args], { env: client.env });
  expect(status).not.toBe(0);
});

test("stopping it ends what runs, also what has left its process group", async () => {
  const other = await start("elsewhere");
  const file = await keyFile("other-key", other.key);
  const direct = await sshClient("web-1", other.user, { ...other, keyFile: file });
  const command = "setsid sleep 300 & sleep 301 & echo $!; wait";
  const child = spawn("ssh", [...direct.options, "web-1", command], { env: direct.env });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  await other.stop();
  await expect.poll(() => lives(Number(line.toString()))).toBe(false);
  await other.stop();
  await direct.close();
});
