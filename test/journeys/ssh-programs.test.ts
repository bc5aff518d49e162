import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { PrincipalId } from "../../core/identity/principal.ts";
import { startTestGateway } from "../setup/gateway.ts";
import { run, succeed } from "../setup/programs.ts";
import { type SshClient, sshClient } from "../setup/ssh-client.ts";
import { madeKey } from "../setup/ssh-keygen.ts";
import { recordedOutput } from "../setup/ssh-recorded.ts";
import { type SshStage, sshStage } from "../setup/ssh-stage.ts";
import { type Screen, tmuxScreen } from "../setup/tmux.ts";

const ANN = "test|Ann with a key" as PrincipalId;

let stage: SshStage;
let folder: string;
const screens: Screen[] = [];
beforeAll(async () => {
  stage = await sshStage();
  folder = await mkdtemp(join(tmpdir(), "sallyport-programs-"));
});
afterAll(async () => {
  await stage?.close();
  await rm(folder, { recursive: true, force: true });
});
afterEach(async () => {
  for (const screen of screens.splice(0)) await screen.close();
});

/** A program on a terminal of the target's, through the gateway or past it. */
async function onScreen(through: boolean, program: string): Promise<Screen> {
  const { command, env } = through ? stage.through : stage.direct;
  const screen = await tmuxScreen(`${command} -t web '${program}'`, env);
  screens.push(screen);
  return screen;
}

describe("a full-screen program on a terminal through the gateway", () => {
  it("vim draws what it draws without it, follows each change of size, and writes what was typed", async () => {
    const looks: string[][] = [];
    for (const through of [true, false]) {
      const file = join(folder, `typed-${through}`);
      await writeFile(file, Array.from({ length: 60 }, (_, line) => `line ${line + 1}\n`).join(""));
      const screen = await onScreen(through, `cd ${folder} && LC_ALL=C.UTF-8 vim -u NONE -N -c "set ruler" ${file}`);
      await screen.shows((lines) => lines[22] === "line 23");
      await screen.resize(100, 30);
      await screen.shows((lines) => lines[28] === "line 29");
      await screen.resize(60, 12);
      await screen.press("G", "o", "grüße from vim", "Escape");
      looks.push(await screen.shows((lines) => lines.length === 12 && lines[10] === "grüße from vim"));
      await screen.press(":wq", "Enter");
      await expect(screen.shows(() => false)).rejects.toThrow(/no server running|no current|server exited|lost server/);
      expect((await readFile(file, "utf8")).endsWith("line 60\ngrüße from vim\n")).toBe(true);
    }
    expect(looks[0]?.slice(0, 11)).toEqual(looks[1]?.slice(0, 11));
    const { events } = await stage.gateway.lastClosed();
    const sizes = events.flatMap((event) => (event.type === "window-changed" ? [[event.columns, event.rows]] : []));
    expect(sizes).toEqual([
      [100, 30],
      [60, 12],
    ]);
  });

  it("htop fills the terminal, fills it again when that changes its size, and ends by its key", async () => {
    const screen = await onScreen(true, "htop --no-color --delay=5");
    const keys = (lines: string[]): number => lines.findIndex((line) => /F1\S*Help.*F10\S*Quit/.test(line));
    await screen.shows((lines) => keys(lines) === 23);
    await screen.resize(120, 40);
    await screen.shows((lines) => keys(lines) === 39);
    await screen.resize(80, 15);
    await screen.shows((lines) => keys(lines) === 14);
    await screen.press("q");
    await expect(screen.shows(() => false)).rejects.toThrow(/no server running|no current|server exited|lost server/);
    const { events } = await stage.gateway.lastClosed();
    expect(events.find(({ type }) => type === "command-ended")).toMatchObject({ outcome: "exited", status: 0 });
  });
});

describe("an Ansible playbook through the gateway", () => {
  const PLAYBOOK = (there: string): string => `
- hosts: web
  gather_facts: true
  tasks:
    - { name: a folder, file: { path: ${there}/made, state: directory, mode: "0750" } }
    - { name: a file, copy: { dest: ${there}/made/greeting, content: "hello {{ ansible_facts.kernel }}\\n" } }
    - { name: a command, command: "wc -c ${there}/made/greeting", register: counted, changed_when: false }
    - { name: a script, shell: "for n in 1 2 3; do echo $n; done | tac > ${there}/made/numbers", args: { creates: ${there}/made/numbers } }
    - { name: brought back, fetch: { src: ${there}/made/numbers, dest: ${there}/fetched, flat: true } }
`;

  /** By a registered key: Ansible asks nobody for a pass. */
  async function inventory(there: string): Promise<{ hosts: string; env: NodeJS.ProcessEnv; client: SshClient }> {
    const key = await madeKey();
    const keyFile = join(there, "key");
    await writeFile(keyFile, key.privateKey, { mode: 0o600 });
    const { people, sshKeys } = stage.gateway.state;
    const now = Date.now();
    await people.signedIn({
      id: ANN,
      name: "Ann",
      email: undefined,
      groups: ["engineers"],
      seenAt: now,
      freshUntil: now,
    });
    await sshKeys.register({
      fingerprint: key.fingerprint,
      type: "ssh-ed25519",
      owner: ANN,
      label: "",
      registeredAt: now,
    });
    const { port = 0, hostKey = "" } = stage.gateway.ssh ?? {};
    const client = await sshClient("web", "web", { host: "127.0.0.1", port, hostKey, keyFile });
    const hosts = join(there, "hosts");
    const python = (await succeed("sh", ["-c", "command -v /usr/bin/python3 || command -v python3"])).trim();
    await writeFile(
      hosts,
      `web ansible_ssh_common_args="-F ${client.directory}/config" ansible_python_interpreter=${python} ansible_remote_tmp=${there}/tmp\n`,
    );
    const env = {
      ...client.env,
      ANSIBLE_LOCAL_TEMP: join(there, "local"),
      ANSIBLE_HOME: join(there, "home"),
      ANSIBLE_SSH_CONTROL_PATH_DIR: join(there, "cp"),
      // Its master connection ends soon after the last task, and with it the recording.
      ANSIBLE_SSH_ARGS: "-o ControlMaster=auto -o ControlPersist=3s",
      LC_ALL: "C.UTF-8",
    };
    return { hosts, env, client };
  }

  it("gathers facts, makes what it says, changes nothing the second time, and each of its commands is recorded", async () => {
    const there = join(folder, "ansible");
    await mkdir(there, { mode: 0o777 });
    await run("chmod", ["0777", there]);
    const { hosts, env, client } = await inventory(there);
    const book = join(there, "book.yml");
    await writeFile(book, PLAYBOOK(there));
    const first = await run("ansible-playbook", ["-i", hosts, book], { env });
    expect(first.stdout.toString() + first.stderr).toMatch(/web\s+: ok=6\s+changed=4\s+unreachable=0\s+failed=0/);
    expect(await readFile(join(there, "fetched"), "utf8")).toBe("3\n2\n1\n");
    expect(await readFile(join(there, "made", "greeting"), "utf8")).toMatch(/^hello \d/);
    const second = await run("ansible-playbook", ["-i", hosts, book], { env });
    expect(second.stdout.toString() + second.stderr).toMatch(/web\s+: ok=\d\s+changed=0\s+unreachable=0\s+failed=0/);
    await client.close();
    expect(first.status).toBe(0);
    const commands: string[] = [];
    for (const { id, principalId } of await stage.gateway.sessions()) {
      if (principalId !== ANN) continue;
      const { events } = await stage.gateway.closed(id);
      commands.push(...events.flatMap((event) => (event.type === "command-ended" ? [event.text] : [])));
    }
    for (const module of ["setup", "file", "copy", "command"])
      expect(commands.some((text) => text.includes(`AnsiballZ_${module}.py`))).toBe(true);
  }, 120_000);
});

describe("a network that is cut", () => {
  /** Passes bytes to a port until it is cut: both ends then have a reset, as of a router that has forgotten them. */
  async function cable(to: number): Promise<{ port: number; cut(): void; close(): void }> {
    const sockets: net.Socket[] = [];
    const server = net.createServer((near) => {
      const far = net.connect(to, "127.0.0.1");
      sockets.push(near, far);
      for (const socket of [near, far]) socket.on("error", () => {});
      near.pipe(far).pipe(near);
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const { port } = server.address() as net.AddressInfo;
    const cut = (): void => sockets.forEach((socket) => socket.resetAndDestroy());
    return { port, cut, close: () => (cut(), server.close()) };
  }

  it("between client and gateway ends the command at the target, and the recording says that the client was lost", async () => {
    const { port = 0, hostKey = "" } = stage.gateway.ssh ?? {};
    const line = await cable(port);
    const client = await sshClient("web", "web", {
      host: "127.0.0.1",
      port: line.port,
      hostKey,
      password: await stage.gateway.pass(),
    });
    const pid = join(folder, "pid");
    const running = run("ssh", [...client.options, "-tt", "web", `echo $$ > ${pid}; exec sleep 1000`], {
      env: client.env,
    });
    await expect.poll(() => readFile(pid, "utf8").catch(() => ""), { timeout: 10_000 }).toMatch(/^\d+\n$/);
    line.cut();
    expect((await running).status).toBe(255);
    const { row } = await stage.gateway.lastClosed();
    expect(row.closing.reason).toBe("client-lost");
    const sleeping = Number(await readFile(pid, "utf8"));
    await expect.poll(() => alive(sleeping), { timeout: 10_000 }).toBe(false);
    line.close();
    await client.close();
  });

  it("between gateway and target ends the session with a reason, and what was shown before is recorded", async () => {
    const line = await cable(stage.sshd.port);
    const target = { ...stage.sshd, port: line.port, hostKeys: [stage.sshd.hostKey] };
    const gateway = await startTestGateway({ target: { host: "127.0.0.1", port: 1, user: "nobody" }, ssh: target });
    const { port = 0, hostKey = "" } = gateway.ssh ?? {};
    const client = await sshClient("web", "web", { host: "127.0.0.1", port, hostKey, password: await gateway.pass() });
    const flag = join(folder, "shown");
    const running = run("ssh", [...client.options, "web", `echo before; touch ${flag}; exec sleep 1000`], {
      env: client.env,
    });
    await expect.poll(() => readFile(flag, "utf8").catch(() => undefined), { timeout: 10_000 }).toBe("");
    line.cut();
    const { status, stdout, stderr } = await running;
    expect([status, stdout.toString()]).toEqual([255, "before\n"]);
    expect(stderr).toMatch(/the connection to the target was lost/);
    expect((await recordedOutput(gateway)).text).toContain("before\n");
    expect((await gateway.lastClosed()).row.closing.reason).toBe("target-lost");
    line.close();
    await client.close();
    await gateway.close();
  });
});

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
