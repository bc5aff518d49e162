import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Api } from "../../cli/api-client.ts";
import { passesView } from "../../cli/api-views.ts";
import type { PrincipalId } from "../../core/identity/principal.ts";
import { ALICE, held } from "../setup/approvals.ts";
import { decideLogin, newestClosed, type Product, SALLYPORT, startProduct, type Terminal } from "../setup/product.ts";
import { findProgram } from "../../cli/foreground.ts";
import { run } from "../setup/programs.ts";

const PASS = /^sp_[0-9A-Za-z]{47}$/;
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

let product: Product;
let terminal: Terminal;
let alice: Api;

beforeAll(async () => {
  product = await startProduct();
  terminal = await product.terminal();
  await terminal.signIn("alice");
  alice = await product.as("alice");
});
afterAll(async () => product?.close());

const json = async (...args: string[]): Promise<unknown> => {
  const { status, text, stderr } = await terminal.sallyport([...args, "--json"]);
  expect([status, stderr]).toEqual([0, ""]);
  return JSON.parse(text);
};

/** A session of alice's with one statement of this text. */
const sessionWith = async (sql: string): Promise<string> => {
  expect(await terminal.sallyport(["psql", "shop", "--", "-X", "-c", sql])).toMatchObject({ status: 0 });
  return (await newestClosed(alice)).id;
};

describe("signing in", () => {
  test("a log-in is kept where only its owner can read it, with the gateway's authority beside it", async () => {
    const [authority] = (await readdir(terminal.config)).filter((name) => name.endsWith(".pem"));
    expect((await stat(terminal.config)).mode & 0o777).toBe(0o700);
    expect((await stat(join(terminal.config, "logins.json"))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(terminal.config, authority ?? ""), "utf8")).toBe(product.running.gateway.caPem);
  });

  test("whoami tells who, where and until when", async () => {
    expect(await json("whoami")).toEqual({
      server: product.running.url,
      id: `${product.running.issuer}|alice`,
      kind: "user",
      name: "alice@shop.example",
      groups: ["engineers"],
      sessionExpiresAt: expect.stringMatching(ISO),
    });
    const { text } = await terminal.sallyport(["whoami"]);
    expect(text).toMatch(/^alice@shop\.example at http:/);
  });

  test("the server where one signed in last needs not be named", async () => {
    const { text } = await terminal.sallyport(["whoami"], { env: { SALLYPORT_SERVER: undefined } });
    expect(text).toContain(product.running.url);
  });

  test("a log-in that is denied in the browser ends with status 4 and keeps nothing", async () => {
    const stranger = await product.terminal();
    expect(await decideLogin(stranger, "alice", "deny")).toBe(4);
    expect(await stranger.sallyport(["whoami"])).toMatchObject({ status: 3 });
  });

  test("signing out ends the token itself, not only its copy here", async () => {
    const other = await product.terminal();
    await other.signIn("alice");
    const logins = JSON.parse(await readFile(join(other.config, "logins.json"), "utf8"));
    const headers = { authorization: `Bearer ${logins.servers[product.running.url].token}` };
    expect((await fetch(`${product.running.url}/api/me`, { headers })).status).toBe(200);
    expect(await other.sallyport(["logout", "--json"])).toMatchObject({ status: 0 });
    expect((await fetch(`${product.running.url}/api/me`, { headers })).status).toBe(401);
    expect(await readdir(other.config)).toEqual(["logins.json"]);
    expect(await other.sallyport(["whoami"])).toMatchObject({ status: 3 });
  });

  test("a list of log-ins that others can read is refused", async () => {
    const careless = await product.terminal();
    await mkdir(careless.config, { recursive: true });
    await writeFile(join(careless.config, "logins.json"), '{"version":1,"current":null,"servers":{}}');
    await chmod(join(careless.config, "logins.json"), 0o644);
    const { status, stderr } = await careless.sallyport(["whoami"]);
    expect([status, stderr]).toEqual([1, expect.stringContaining("chmod 600")]);
  });
});

describe("connections and passes", () => {
  test("connections lists what one may connect to, and nothing else", async () => {
    expect(await json("connections")).toEqual({
      connections: [
        {
          name: "shop",
          protocol: "postgres",
          description: "The shop's database",
          host: "localhost",
          port: product.running.gateway.port,
          conninfo: expect.stringContaining("dbname=shop"),
        },
      ],
    });
    expect((await terminal.sallyport(["connections"])).text).not.toContain("payroll");
  });

  test("a pass is printed alone on standard output, once, and works with a plain client", async () => {
    const { text, status } = await terminal.sallyport(["pass", "shop"]);
    expect(status).toBe(0);
    expect(text.trim()).toMatch(PASS);
    const { host, port } = product.running.gateway;
    const [authority] = (await readdir(terminal.config)).filter((name) => name.endsWith(".pem"));
    const where = `host=${host} port=${port} dbname=shop sslmode=verify-full sslrootcert=${join(terminal.config, authority ?? "")} user=alice`;
    const psql = await run("psql", ["-XAt", "-c", "select 41 + 1", where], {
      env: { ...terminal.env, PGPASSWORD: text.trim() },
    });
    expect([psql.stdout.toString(), psql.stderr]).toEqual(["42\n", ""]);
    expect((await terminal.sallyport(["pass", "list"])).text).not.toContain(text.trim());
  });

  test("a pass is issued, listed and revoked in shapes that programs can rely on", async () => {
    const view = {
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      connection: "shop",
      label: "for a test",
      issuedAt: expect.stringMatching(ISO),
      expiresAt: expect.stringMatching(ISO),
      revokedAt: null,
      status: "live",
    };
    const issued = (await json("pass", "issue", "shop", "--label", "for a test")) as { id: string };
    expect(issued).toEqual({ ...view, pass: expect.stringMatching(PASS) });
    const listed = (await json("pass", "list")) as { passes: { id: string }[] };
    expect(listed.passes.filter(({ id }) => id === issued.id)).toEqual([view]);
    const revoked = { ...view, revokedAt: expect.stringMatching(ISO), status: "revoked" };
    expect(await json("pass", "revoke", issued.id)).toEqual(revoked);
  });
});

describe("psql", () => {
  test("runs a statement through the gateway, and what it prints is psql's alone", async () => {
    const ran = await terminal.sallyport(["psql", "shop", "--", "-XAt", "-c", "select 6 * 7"]);
    expect([ran.status, ran.text, ran.stderr]).toEqual([0, "42\n", ""]);
  });

  test("reads statements from standard input, and ends with psql's own status", async () => {
    const args = ["psql", "shop", "--", "-XAt", "-v", "ON_ERROR_STOP=1", "-f", "-"];
    expect(await terminal.sallyport(args, { input: "select 1;" })).toMatchObject({ status: 0, text: "1\n" });
    expect(await terminal.sallyport(args, { input: "select 1/0;" })).toMatchObject({ status: 3 });
  });

  test("shows its pass to psql alone: not among the arguments, and revoked when psql ends", async () => {
    const args = ["psql", "shop", "--", "-XAt", "-c", "\\! cat /proc/$PPID/cmdline"];
    const { text } = await terminal.sallyport(args);
    expect(text).toContain("psql");
    expect(text).not.toContain("sp_");
    const { passes } = await alice.json({ path: "/api/passes" }, passesView);
    expect(passes[0]).toMatchObject({ label: expect.stringMatching(/^psql on /), status: "revoked" });
  });

  test("goes where the gateway is, whatever the person's own libpq variables say", async () => {
    const env = { PGHOST: "192.0.2.1", PGPORT: "1", PGSSLMODE: "disable", PGSERVICE: "other", PGDATABASE: "x" };
    const ran = await terminal.sallyport(["psql", "shop", "--", "-XAt", "-c", "select 'here'"], { env });
    expect([ran.text, ran.stderr]).toEqual(["here\n", ""]);
  });

  test("does not open a connection to a gateway that another authority vouches for", async () => {
    const deceived = await product.terminal();
    await deceived.signIn("alice");
    const [authority] = (await readdir(deceived.config)).filter((name) => name.endsWith(".pem"));
    const other = await run("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=other"]); // prettier-ignore
    await writeFile(join(deceived.config, authority ?? ""), other.stdout);
    const { status, stderr } = await deceived.sallyport(["psql", "shop", "--", "-XAt", "-c", "select 1"]);
    expect([status, stderr]).toEqual([2, expect.stringContaining("certificate verify failed")]);
  });

  test("where it is not installed, says how to install it", async () => {
    const bare = join(product.directory, "bare");
    await mkdir(bare, { recursive: true });
    const { status, stderr } = await terminal.sallyport(["psql", "shop"], { env: { PATH: bare } });
    expect([status, stderr]).toEqual([1, expect.stringMatching(/psql is not installed here\nInstall it: /)]);
  });
});

describe("recordings", () => {
  test("sessions, replay and verify tell what happened, to people and to programs", async () => {
    const id = await sessionWith("select 'told' as story");
    const listed = (await json("sessions", "--connection", "shop", "--closed")) as { sessions: { id: string }[] };
    const view = {
      id,
      protocol: "postgres",
      connection: "shop",
      principal: { id: `${product.running.issuer}|alice`, name: "alice@shop.example" },
      pass: expect.any(String),
      client: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      task: expect.any(String),
      startedAt: expect.stringMatching(ISO),
      actors: [],
      live: false,
      endedAt: expect.stringMatching(ISO),
      reason: "client-closed",
      statements: 1,
      bytesFromClient: expect.any(Number),
      bytesFromTarget: expect.any(Number),
      chunks: expect.any(Number),
      head: expect.stringMatching(/^[0-9a-f]{64}$/),
    };
    expect(listed.sessions[0]).toEqual(view);
    expect((await terminal.sallyport(["sessions"])).text).toContain(id);

    const { text } = await terminal.sallyport(["replay", id, "--rows", "2"]);
    for (const part of ["alice@shop.example", "select 'told' as story", "= SELECT 1, 1 row", "closed: client-closed"])
      expect(text).toContain(part);
    expect(await json("replay", id)).toEqual({
      session: view,
      statements: [expect.objectContaining({ number: 1, text: "select 'told' as story", rows: 1, tag: "SELECT 1" })],
    });

    const verified = { session: id, live: false, ok: true, chunks: 1, frames: expect.any(Number), fault: null };
    expect(await json("verify", id)).toEqual({ ...verified, head: expect.stringMatching(/^[0-9a-f]{64}$/) });
  });

  test("verify ends with status 1 for a recording of which one bit was changed", async () => {
    const id = await sessionWith("select 'to be changed'");
    const folder = join(product.directory, "state", "recordings");
    const files = (await readdir(folder, { recursive: true })).filter((name) => name.includes(id));
    const contents = await Promise.all(files.map(async (name) => readFile(join(folder, name)).catch(() => undefined)));
    const largest = Math.max(...contents.map((bytes) => bytes?.length ?? 0));
    const at = contents.findIndex((bytes) => bytes?.length === largest);
    const [file, bytes] = [join(folder, files[at] ?? ""), contents[at] ?? Buffer.alloc(0)];
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
    await chmod(file, 0o600);
    await writeFile(file, bytes);
    expect(await terminal.sallyport(["verify", id])).toMatchObject({
      status: 1,
      text: expect.stringContaining("CANNOT BE TRUSTED"),
    });
  });

  test("a session is its owner's and the auditors': nobody else is told that it is there", async () => {
    const id = await sessionWith("select 'mine'");
    const [auditor, approver] = [await product.terminal(), await product.terminal()];
    await Promise.all([auditor.signIn("carol"), approver.signIn("bob")]);
    expect(await auditor.sallyport(["verify", id])).toMatchObject({ status: 0 });
    expect(await approver.sallyport(["replay", id])).toMatchObject({ status: 4, text: "" });
    expect((await approver.sallyport(["sessions", "--json"])).text).toBe('{"sessions":[],"next":null}\n');
  });
});

describe("what goes wrong", () => {
  test.each([
    [["no-such-command"], 2, "unknown command"],
    [["sessions", "--limit", "0"], 2, "whole number"],
    [["sessions", "--from", "yesterday"], 2, "must be a time"],
    [["whoami", "--server", "http://sallyport.example"], 2, "no address of a Sallyport"],
    [["whoami", "--server", "file:///etc/passwd"], 2, "no address of a Sallyport"],
    [["psql", "payroll"], 4, 'no connection "payroll"'],
    [["pass", "issue", "payroll"], 4, "no such connection"],
    [["pass", "revoke", "01234567-89ab-cdef-0123-456789abcdef"], 4, "no such pass"],
    [["pass", "revoke", "../me"], 4, "no such pass"],
    [["replay", "no-session"], 4, "no such session"],
    [["verify", "../../api/me?"], 4, "no such session"],
    [["whoami", "--server", "http://127.0.0.1:1"], 3, "not signed in"],
    [["login", "--server", "http://127.0.0.1:1"], 1, "cannot be reached"],
  ])("sallyport %j ends with status %i and says why, also as JSON", async (args, status, why) => {
    const plain = await terminal.sallyport(args);
    expect([plain.status, plain.stderr, plain.text]).toEqual([status, expect.stringContaining(why), ""]);
    const [first = "", ...rest] = args;
    const machine = await terminal.sallyport(["--json", first, ...rest]);
    const { error } = JSON.parse(machine.stderr);
    expect(error).toEqual({ code: expect.any(String), message: expect.any(String), hint: error.hint });
    expect([machine.status, `${error.message} ${error.hint}`]).toEqual([status, expect.stringContaining(why)]);
  });

  test("a server that is no Sallyport is named as such, and is sent no token by a redirect", async () => {
    const seen: string[] = [];
    const elsewhere = createServer((request, response) => {
      seen.push(request.url ?? "");
      if (request.url === "/stolen") response.end("{}");
      else response.writeHead(307, { location: "/stolen" }).end("<html>Welcome</html>");
    });
    elsewhere.listen(0, "127.0.0.1");
    await once(elsewhere, "listening");
    const server = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`;
    const { status, stderr } = await terminal.sallyport(["login", "--server", server]);
    elsewhere.close();
    expect([status, stderr]).toEqual([1, expect.stringContaining("does not answer as a Sallyport does")]);
    expect(seen).toEqual(["/auth/device"]);
  });
});

describe("approvals", () => {
  const request = async (shown: string): Promise<string> => {
    const [now, requester] = [Date.now(), { ...ALICE, id: `${product.running.issuer}|alice` as PrincipalId }];
    const asked = held({ requester, shown, requestedAt: now, expiresAt: now + 600_000 });
    return (await product.running.approvals.desk.request(asked)).id;
  };

  test("are listed, shown and decided by an approver, and cancelled by whoever asked", async () => {
    const bob = await product.terminal();
    await bob.signIn("bob");
    const [first, second, third] = [await request("DELETE FROM a"), await request("x\u001b[2J\ny"), await request("c")];
    const listed = await bob.sallyport(["approvals"]);
    for (const said of [first, second, third, "alice@shop.example", "DELETE FROM a"])
      expect(listed.text).toContain(said);
    expect((await terminal.sallyport(["approvals"])).text).toBe("Nothing waits for you.\n");
    expect((await bob.sallyport(["approvals", "show", second])).text).toMatch(/\n\nx␛\[2J\ny\n$/);

    expect(await bob.sallyport(["approvals", "approve", first, "--words", "go on"])).toMatchObject({
      status: 0,
      text: `${first} is granted.\n`,
    });
    expect(await bob.sallyport(["approvals", "deny", second, "--json"])).toMatchObject({ status: 0 });
    expect((await terminal.sallyport(["approvals", "cancel", third])).text).toBe(`${third} is cancelled.\n`);
    expect(await bob.sallyport(["approvals", "approve", third])).toMatchObject({ status: 1 });
    expect(await bob.sallyport(["approvals", "revoke", first])).toMatchObject({ status: 0 });
    expect(await terminal.sallyport(["approvals", "approve", second])).toMatchObject({ status: 4 });
    expect(await bob.sallyport(["approvals", "show", "--", "-x"])).toMatchObject({ status: 4 });
    const { approvals } = (await json("approvals", "list", "--all")) as { approvals: { id: string; status: string }[] };
    expect(Object.fromEntries(approvals.map(({ id, status }) => [id, status]))).toEqual({
      [first]: "revoked",
      [second]: "denied",
      [third]: "cancelled",
    });
  });
});

describe("completion", () => {
  test.each([
    [["se"], ["serve", "sessions"]],
    [["pass", "re"], ["revoke"]],
    [["psql", ""], ["shop"]],
    [["pass", "issue", "s"], ["shop"]],
    [["pass", "s"], ["shop"]],
    [["whoami", ""], [""]],
    [["psql", "--server", "http://127.0.0.1", "--j"], ["--json"]],
    [
      ["completion", ""],
      ["bash", "fish", "zsh"],
    ],
    [
      ["sessions", "--l"],
      ["--limit", "--live"],
    ],
    [["psql", "shop", "--", ""], [""]],
    [
      ["policy", ""],
      ["check", "explain", "test"],
    ],
    [["approvals", "c"], ["cancel"]],
    [["approvals", "approve", "no-such"], [""]],
    [["policy", "explain", "--on", ""], ["shop"]],
    [["policy", "explain", "--kind", "s"], ["service"]],
  ])("bash completes %j to %j", async (words, expected) => {
    const folder = await mkdir(join(product.directory, "path"), { recursive: true }).then(() => join(product.directory, "path")); // prettier-ignore
    await symlink(SALLYPORT, join(folder, "sallyport")).catch(() => {});
    const script = `eval "$(sallyport completion bash)"; COMP_WORDS=(sallyport "$@"); COMP_CWORD=$#; _sallyport; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const env = { ...terminal.env, PATH: `${folder}:${terminal.env["PATH"]}` };
    const { stdout, stderr } = await run("bash", ["--norc", "-c", script, "bash", ...words], { env });
    expect([stdout.toString().trimEnd().split("\n").toSorted(), stderr]).toEqual([expected, ""]);
  });
});

describe("serve", () => {
  /** The product as its own process; `ready` is the entry of its log that says where it is. */
  async function served(): Promise<{ child: ChildProcess; ready: { url: string }; ended: Promise<unknown[]> }> {
    const folders = ["--state", await mkdtemp(join(product.directory, "state-")), "--config", join(product.directory, "config")]; // prettier-ignore
    const child = terminal.start(["serve", ...folders, "--listen", "0", "--http", "0", "--oidc-listen", "0"]);
    const ended = once(child, "exit");
    for await (const line of createInterface(child.stderr)) {
      const entry = JSON.parse(line);
      if (entry.msg === "ready") return { child, ready: entry, ended };
    }
    throw new Error("it ended before it was ready");
  }

  test("runs until it is told to stop, by one signal or by several of one Ctrl-C, and ends with status 0", async () => {
    const { child, ready, ended } = await served();
    expect((await fetch(`${ready.url}/api/ca.pem`)).status).toBe(200);
    child.kill("SIGINT");
    child.kill("SIGTERM");
    expect(await ended).toEqual([0, null]);
  });

  test("stops at once by a second signal, with status 1", async () => {
    const { child, ready, ended } = await served();
    const busy = connect(Number(new URL(ready.url).port), "127.0.0.1");
    busy.on("error", () => {}); // it is cut off
    busy.write("GET /api/ca.pem HTTP/1.1\r\nHost: here\r\n\r\nGET / HTTP/1.1\r\n"); // the second is never complete, and holds up the end
    await once(busy, "data");
    let said = "";
    child.stderr?.on("data", (bytes: Buffer) => (said += bytes.toString())).resume();
    child.kill("SIGTERM");
    await expect.poll(() => said, { timeout: 10_000 }).toContain("a second signal stops at once");
    await new Promise((done) => setTimeout(done, 700)); // several within half a second are one
    child.kill("SIGTERM");
    expect(await ended).toEqual([1, null]);
  });
});

test("it runs on the machine's own Node, whichever that is", async () => {
  const ours = join(process.execPath, "..");
  const path = (process.env["PATH"] ?? "").split(":").filter((folder) => !folder.includes("node_modules") && folder !== ours); // prettier-ignore
  const node = findProgram("node", { PATH: path.join(":") }) ?? process.execPath;
  const { stdout, stderr, status } = await run(node, [SALLYPORT, "whoami", "--json"], { env: terminal.env });
  expect([status, stderr, JSON.parse(stdout.toString())]).toMatchObject([0, "", { name: "alice@shop.example" }]);
});
