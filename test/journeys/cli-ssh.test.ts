import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Api, apiOf } from "../../cli/api-client.ts";
import { passesView } from "../../cli/api-views.ts";
import { type Running, serve } from "../../cli/serve.ts";
import { sshFingerprint } from "../../core/identity/ssh-key.ts";
import { DEMO_PASSWORD, DEMO_PEOPLE } from "../../local/demo-people.ts";
import { freePort } from "../../local/embedded-postgres.ts";
import { signInOverHttp } from "../setup/http-sign-in.ts";
import { newTerminal, type Terminal } from "../setup/product.ts";
import { run, succeed } from "../setup/programs.ts";
import { blobOf, madeKey } from "../setup/ssh-keygen.ts";

const HERE = { host: "127.0.0.1", port: 0 };
let directory: string;
let running: Running;
let terminal: Terminal;
let alice: Api;
let port: number;
const hostKey = (): string => running.gateway.ssh?.hostKey ?? "";
const known = (): string => `[localhost]:${port} ${hostKey()}`;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "sallyport-test-cli-ssh-"));
  const config = join(directory, "config");
  await mkdir(config);
  await mkdir(join(directory, "bin"));
  const common = { access: ["engineers"], description: "A server" };
  const target = { host: "127.0.0.1", port: 1, hostKeys: [(await madeKey()).line] };
  const credentials = { user: "deploy", password: { secret: "none" } };
  const database = { protocol: "postgres", target: { host: "127.0.0.1", database: "x" }, credentials: { user: "x" } };
  const connections = {
    "web-1": { ...common, protocol: "ssh", target, credentials },
    shop: { ...common, ...database },
  };
  await writeFile(join(config, "connections.yaml"), JSON.stringify({ connections }));
  port = await freePort();
  running = await serve({
    state: join(directory, "state"),
    config,
    listen: HERE,
    sshListen: { ...HERE, port },
    http: HERE,
    publicUrl: undefined,
    advertise: undefined,
    tls: undefined,
    identity: { kind: "embedded", listen: HERE, people: DEMO_PEOPLE },
    logger: pino({ level: "silent" }),
  });
  terminal = await home();
  await terminal.signIn("alice");
  alice = apiOf(running.url, await signInOverHttp(running.url, { user: "alice", password: DEMO_PASSWORD }));
});
afterAll(async () => {
  await running?.close();
  await rm(directory, { recursive: true, force: true });
});

const home = async (): Promise<Terminal> => newTerminal(running.url, await mkdtemp(join(directory, "home-")));

const json = async (...args: string[]): Promise<unknown> => {
  const { status, text, stderr } = await terminal.sallyport([...args, "--json"]);
  expect([status, stderr]).toEqual([0, ""]);
  return JSON.parse(text);
};

describe("what one may connect to", () => {
  test("tells how to open an SSH connection, and by what to know the gateway", async () => {
    const { connections } = (await json("connections")) as { connections: unknown[] };
    expect(connections[0]).toEqual({
      name: "web-1",
      protocol: "ssh",
      description: "A server",
      host: "localhost",
      port,
      command: `ssh -p ${port} web-1@localhost`,
      fingerprint: sshFingerprint(blobOf(hostKey())),
      knownHosts: known(),
    });
    const { text } = await terminal.sallyport(["connections"]);
    expect(text).toContain(`ssh -p ${port} web-1@localhost`);
    expect(text).toContain("sallyport psql shop");
  });

  test("the line for known_hosts is printed alone, to whoever asks, and ssh finds the gateway's key by it", async () => {
    const stranger = await home();
    const { text, stderr } = await stranger.sallyport(["known-hosts"]);
    expect(text).toBe(`${known()}\n`);
    expect(stderr).toContain(sshFingerprint(blobOf(hostKey())));
    const file = join(stranger.config, "..", "known_hosts");
    await writeFile(file, text);
    expect(await succeed("ssh-keygen", ["-F", `[localhost]:${port}`, "-f", file])).toContain(hostKey());
  });
});

describe("ssh-key", () => {
  /** A key in files of its own, named for the test. */
  const keyFile = async (name: string, comment: string, ...options: string[]): Promise<string> => {
    const file = join(directory, name);
    await succeed("ssh-keygen", ["-q", "-N", "", "-C", comment, "-f", file, ...options]);
    return file;
  };
  const fingerprintOf = async (file: string): Promise<string> =>
    sshFingerprint(blobOf(await readFile(`${file}.pub`, "utf8")));

  test("registers, lists and removes the key of a file, in shapes that programs can rely on", async () => {
    const file = await keyFile("id_desk", "alice@desk", "-t", "ecdsa", "-b", "256");
    const fingerprint = await fingerprintOf(file);
    const view = { fingerprint, type: "ecdsa-sha2-nistp256", label: "alice@desk", id: expect.any(String), registeredAt: expect.any(String) }; // prettier-ignore
    expect(await json("ssh-key", "add", `${file}.pub`)).toEqual(view);
    expect(await json("ssh-key", "list")).toEqual({ keys: [view] });
    expect(await json("ssh-key", "remove", fingerprint)).toEqual(view);
    expect(await terminal.sallyport(["ssh-key", "remove", fingerprint])).toMatchObject({ status: 4 });
  });

  test("lists one's keys to people, too, under the labels that they gave", async () => {
    const file = await keyFile("id_labelled", "x", "-t", "ed25519");
    await terminal.sallyport(["ssh-key", "add", file, "--label", "desk"]);
    const [row] = (await terminal.sallyport(["ssh-key"])).text.split("\n").filter((line) => line.endsWith("  desk"));
    expect(row).toContain(`${await fingerprintOf(file)}  ssh-ed25519  `);
  });

  test("takes the key that ssh itself would offer where none is named", async () => {
    const folder = join(terminal.config, "..", ".ssh");
    await mkdir(folder);
    const none = await terminal.sallyport(["ssh-key", "add"]);
    expect([none.status, none.stderr]).toEqual([2, expect.stringContaining("ssh-keygen -t ed25519")]);
    await succeed("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "usual", "-f", join(folder, "id_ed25519")]);
    expect((await terminal.sallyport(["ssh-key", "add"])).text).toMatch(/^Registered SHA256:\S+, usual\.$/m);
  });

  test("does not register a key that one does not hold: its private half is neither beside it nor in an agent", async () => {
    const file = await keyFile("id_of_bob", "bob", "-t", "ed25519");
    await rm(file);
    const { status, stderr } = await terminal.sallyport(["ssh-key", "add", `${file}.pub`], {
      env: { SSH_AUTH_SOCK: "" },
    });
    expect([status, stderr]).toEqual([2, expect.stringContaining("ssh-keygen could not sign")]);
  });

  test.each(["laptop", "SHA256:x", ""])("removes nothing by what is no fingerprint: %j", async (typed) => {
    expect(await terminal.sallyport(["ssh-key", "remove", typed])).toMatchObject({ status: 2 });
  });
});

describe("ssh", () => {
  /** An `ssh` that writes down what it was run with. */
  const fakeSsh = async (): Promise<NodeJS.ProcessEnv> => {
    const fake = join(directory, "bin", "ssh");
    const script = `#!/bin/sh\nprintf '%s\\n' "$@" > "$SEEN.args"\n"$SSH_ASKPASS" "web-1@sallyport/gateway's password: " > "$SEEN.pass"\nexit 9\n`;
    await writeFile(fake, script);
    await chmod(fake, 0o755);
    return { PATH: `${join(directory, "bin")}:${process.env["PATH"]}`, SEEN: join(directory, "seen") };
  };
  const seen = async (what: string): Promise<string> => readFile(join(directory, `seen.${what}`), "utf8");

  test("runs the system's ssh with a pass that it alone is told, and ends with its status", async () => {
    const env = await fakeSsh();
    expect(await terminal.sallyport(["ssh", "web-1", "--", "-L", "1:h:2", "uptime"], { env })).toMatchObject({
      status: 9,
    });
    const args = await seen("args");
    expect(args).toMatch(/\nlocalhost\n-L\n1:h:2\nuptime\n$/);
    expect(args).not.toContain("sp_");
    expect(await seen("pass")).toMatch(/^sp_[0-9A-Za-z]{47}\n$/);
    const { passes } = await alice.json({ path: "/api/passes" }, passesView);
    expect(passes[0]).toMatchObject({
      connection: "web-1",
      label: expect.stringMatching(/^ssh on /),
      status: "revoked",
    });
  });

  test("believes the host key that was shown at the log-in, kept where others cannot change it", async () => {
    await terminal.sallyport(["ssh", "web-1", "uptime"], { env: await fakeSsh() });
    const file = /UserKnownHostsFile="(.*)"/.exec(await seen("args"))?.[1] ?? "";
    expect(await readFile(file, "utf8")).toBe(`sallyport/gateway ${hostKey()}\n`);
    expect((await stat(file)).mode & 0o022).toBe(0);
    await rm(file);
    const { status, stderr } = await terminal.sallyport(["ssh", "web-1"]);
    expect([status, stderr]).toEqual([1, expect.stringContaining("sallyport login --server")]);
    await terminal.signIn("alice");
    expect(await readFile(file, "utf8")).toContain(hostKey());
  });

  test("is for SSH connections, as psql is for databases", async () => {
    const database = await terminal.sallyport(["ssh", "shop"]);
    expect([database.status, database.stderr]).toEqual([2, expect.stringContaining("sallyport psql shop")]);
    const server = await terminal.sallyport(["psql", "web-1"]);
    expect([server.status, server.stderr]).toEqual([2, expect.stringContaining("sallyport ssh web-1")]);
    expect(await terminal.sallyport(["ssh", "nothing"])).toMatchObject({ status: 4 });
  });

  test("is not told of in vain where it is not installed", async () => {
    const bare = join(directory, "bare");
    await mkdir(bare, { recursive: true });
    const { status, stderr } = await terminal.sallyport(["ssh", "web-1"], { env: { PATH: bare } });
    expect([status, stderr]).toEqual([1, expect.stringContaining("ssh is not installed here")]);
  });
});

test("bin/ssh-askpass.sh can be run, as ssh must run it", async () => {
  expect(await run(new URL("../../bin/ssh-askpass.sh", import.meta.url).pathname, ["?"])).toMatchObject({ status: 1 });
});
