import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiOf } from "../../cli/api-client.ts";
import { endedAccessView } from "../../cli/api-views.ts";
import { type Running, serve } from "../../cli/serve.ts";
import { DEMO_PASSWORD, DEMO_PEOPLE } from "../../local/demo-people.ts";
import { freePort } from "../../local/embedded-postgres.ts";
import { browserless, signInOverHttp } from "../setup/http-sign-in.ts";
import { newTerminal, type Terminal } from "../setup/product.ts";
import { run, succeed } from "../setup/programs.ts";
import { type SshClient, sshClient } from "../setup/ssh-client.ts";
import { type Sshd, startSshd } from "../setup/sshd.ts";

let directory: string;
let sshd: Sshd;
let running: Running;
let alice: Terminal;
let key: string;
const clients: SshClient[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "sallyport-ssh-sign-in-"));
  sshd = await startSshd();
  const at = (...names: string[]): string => join(directory, ...names);
  await mkdir(at("state", "secrets"), { recursive: true, mode: 0o700 });
  await mkdir(at("config"));
  await writeFile(at("state", "secrets", "web"), sshd.key, { mode: 0o600 });
  const web = {
    protocol: "ssh",
    target: { host: sshd.host, port: sshd.port, hostKeys: [sshd.hostKey] },
    credentials: { user: sshd.user, key: { secret: "web" } },
    access: ["engineers"],
  };
  await writeFile(at("config", "connections.yaml"), JSON.stringify({ connections: { "web-1": web } }));
  const here = { host: "127.0.0.1", port: 0 };
  running = await serve({
    state: at("state"),
    config: at("config"),
    listen: here,
    sshListen: { ...here, port: await freePort() },
    http: here,
    publicUrl: undefined,
    advertise: undefined,
    tls: undefined,
    identity: { kind: "embedded", listen: here, people: DEMO_PEOPLE },
    logger: pino({ level: "silent" }),
  });
  alice = await newTerminal(running.url, await mkdtemp(at("home-")));
  await alice.signIn("alice");
  key = at("id");
  await succeed("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
});
afterAll(async () => {
  for (const client of clients) await client.close();
  await running?.close();
  await sshd?.close();
  await rm(directory, { recursive: true, force: true });
});

async function clientWith(settings: readonly string[], keyFile?: string): Promise<SshClient> {
  const { ssh } = running.gateway;
  const reached = { host: "127.0.0.1", port: ssh?.port ?? 0, hostKey: ssh?.hostKey ?? "", settings };
  const made = await sshClient("web-1", "web-1", keyFile === undefined ? reached : { ...reached, keyFile });
  clients.push(made);
  return made;
}

/** Runs `ssh` without a pass; whoever it asks for signs in, in a browser, and decides. */
async function byBrowser(
  person: string,
  decision: "approve" | "deny",
): Promise<{ status: number; said: string; output: string }> {
  const { options, env } = await clientWith(["PreferredAuthentications keyboard-interactive"]);
  const child = spawn("ssh", [...options, "web-1", "echo in as $USER"], { env, stdio: ["ignore", "pipe", "pipe"] });
  let [said, output] = ["", ""];
  child.stderr.on("data", (bytes: Buffer) => (said += bytes.toString()));
  child.stdout.on("data", (bytes: Buffer) => (output += bytes.toString()));
  const closed = once(child, "close") as Promise<[number]>;
  let link: string | undefined;
  while (link === undefined) {
    link = /http:\S+user_code=\S+/.exec(said)?.[0];
    await delay(20);
  }
  const browser = browserless();
  const page = await browser.submit(await browser.open(link), { user: person, password: DEMO_PASSWORD });
  expect(page.text).toContain("OpenSSH"); // what the client calls itself
  await browser.submit(page, { decision });
  const [status] = await closed;
  return { status, said, output };
}

describe("ssh without a pass or a key", () => {
  it("prints a link and a code, and goes on by itself when the person has approved in a browser", async () => {
    const { status, said, output } = await byBrowser("alice", "approve");
    expect([status, output]).toEqual([0, `in as ${sshd.user}\n`]);
    expect(said).toMatch(/To open web-1, sign in with this link and approve the code [A-Z]{4}-[A-Z]{4}/);
    const { text } = await alice.sallyport(["sessions"]);
    expect(text).toMatch(/web-1/);
  });

  it("says so where the person has denied it", async () => {
    const { status, said } = await byBrowser("alice", "deny");
    expect(status).toBe(255);
    expect(said).toMatch(/the sign-in was denied in the browser/);
  });

  it("lets nobody in who may not open the connection, though they have signed in", async () => {
    const { status, said } = await byBrowser("bob", "approve");
    expect(status).toBe(255);
    expect(said).toMatch(/may not connect to "web-1"/);
  });
});

describe("ssh with a key", () => {
  it("lets in whoever has registered it, and nobody else's", async () => {
    const { options, env } = await clientWith(["BatchMode yes"], key);
    const before = await run("ssh", [...options, "web-1", "true"], { env });
    expect([before.status, before.stderr]).toEqual([255, expect.stringMatching(/Permission denied/)]);
    await alice.sallyport(["ssh-key", "add", `${key}.pub`]);
    expect(await succeed("ssh", [...options, "web-1", "echo in by key"], { env })).toBe("in by key\n");
    const { text } = await alice.sallyport(["ssh-key", "list"]);
    await alice.sallyport(["ssh-key", "remove", /SHA256:\S+/.exec(text)?.[0] ?? ""]);
    expect((await run("ssh", [...options, "web-1", "true"], { env })).status).toBe(255);
  });
});

describe("who signs in by SSH and whose access is ended", () => {
  it("has their session by key ended within 5 s, and no use of the key until they sign in by a browser", async () => {
    const { options, env } = await clientWith(["BatchMode yes"], key);
    await alice.sallyport(["ssh-key", "add", `${key}.pub`]);
    const child = spawn("ssh", [...options, "web-1", "echo ready; sleep 120"], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const closed = once(child, "close") as Promise<[number]>;
    await once(child.stdout, "data");
    const dave = apiOf(running.url, await signInOverHttp(running.url, { user: "dave", password: DEMO_PASSWORD }));
    await dave.json({ method: "POST", path: "/api/people/alice%40shop.example/end-access" }, endedAccessView);
    const ended = performance.now();
    expect((await closed)[0]).toBe(255);
    expect(performance.now() - ended).toBeLessThan(5_000);
    const again = await run("ssh", [...options, "web-1", "true"], { env });
    expect([again.status, again.stderr]).toEqual([255, expect.stringMatching(/Permission denied/)]);
    await signInOverHttp(running.url, { user: "alice", password: DEMO_PASSWORD });
    expect(await succeed("ssh", [...options, "web-1", "echo again"], { env })).toBe("again\n");
    await alice.signIn("alice");
  });
});

describe("the command line", () => {
  it("runs ssh with a pass that nobody types, and shows afterwards what was done", async () => {
    const { status, text, stderr } = await alice.sallyport(["ssh", "web-1", "echo through the command line"]);
    expect([status, text, stderr]).toEqual([0, "through the command line\n", ""]);
    const [session = ""] = (await readSessions()).trim().split(/\s/);
    const replay = await alice.sallyport(["replay", session]);
    expect(replay.text).toContain("echo through the command line");
    const verified = await alice.sallyport(["verify", session]);
    expect(verified.text).toMatch(/is whole/);
  });
});

/** The newest session that is over, as the command line lists it. */
async function readSessions(): Promise<string> {
  for (let tries = 0; tries < 500; tries++) {
    const { text } = await alice.sallyport(["sessions", "--json"]);
    const { sessions } = JSON.parse(text) as { sessions: { id: string; live: boolean }[] };
    const [newest] = sessions;
    if (newest !== undefined && !newest.live) return newest.id;
    await delay(50);
  }
  throw new Error(`no session is over: ${await readFile(join(directory, "state"), "utf8").catch(() => "")}`);
}
