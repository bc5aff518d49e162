import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { Hono } from "hono";
import type { Principal } from "../../../core/identity/principal.ts";
import { MAX_SSH_KEYS, parseSshKeyId, sshKeyId } from "../../../core/identity/ssh-key.ts";
import { SSH_KEY_NAMESPACE, sshKeyStatement } from "../../../core/identity/ssh-signature.ts";
import { authApp } from "../../../functions/auth/app.ts";
import type { ConnectionSummary } from "../../../functions/auth/deps.ts";
import type { SshKeyView } from "../../../functions/auth/ssh-routes.ts";
import { passesForKeys } from "../../../gateway-task/ssh/key-sign-in.ts";
import { succeed } from "../../setup/programs.ts";
import { type MadeKey, madeKey } from "../../setup/ssh-keygen.ts";
import { ALICE, CONNECTIONS, type DepsInMemory, depsInMemory, principal, signedIn } from "./installation.ts";

const BASE = "https://sallyport.example";
const BOB = principal("bob", "engineers");
const DAVE = principal("dave", "admins");
const KEY = await madeKey();
const { publicKey: HOST_KEY, fingerprint } = await madeKey();
const WEB: ConnectionSummary = { name: "web-1", protocol: "ssh", description: "a web <server>", access: ["engineers"] };
let deps: DepsInMemory;
let app: Hono;

beforeEach(() => {
  deps = depsInMemory({ baseUrl: BASE, connections: () => [...CONNECTIONS, WEB] });
  const gateway = { ...deps.gateway, ssh: { port: 2222, hostKey: HOST_KEY } };
  deps = { ...deps, gateway };
  app = authApp(deps);
});

async function call(who: Principal, method: string, path: string, body?: unknown): Promise<Response> {
  const headers = { ...(await signedIn(deps, who)), "content-type": "application/json" };
  return app.request(BASE + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
}

async function page(who: Principal, path: string, fields?: Record<string, string>, origin = BASE): Promise<Response> {
  const headers = { ...(await signedIn(deps, who, "web")), accept: "text/html", origin };
  const form = fields === undefined ? {} : { method: "POST", body: new URLSearchParams(fields) };
  return app.request(BASE + path, { headers, ...form });
}

const signedBy = (who: Principal, key: MadeKey): Promise<string> =>
  key.sign(sshKeyStatement(BASE, who), SSH_KEY_NAMESPACE);

async function register(who: Principal, label?: string): Promise<SshKeyView> {
  const response = await call(who, "POST", "/api/ssh-keys", { signature: await signedBy(who, KEY), label });
  expect(response.status).toBe(201);
  return (await response.json()) as SshKeyView;
}

async function list(who: Principal): Promise<SshKeyView[]> {
  return ((await (await call(who, "GET", "/api/ssh-keys")).json()) as { keys: SshKeyView[] }).keys;
}

describe("a public key", () => {
  test("is registered by whoever is signed in and holds it, and listed by its fingerprint and type", async () => {
    const registered = await register(ALICE, " laptop ");
    expect(registered).toEqual({
      id: sshKeyId(KEY.fingerprint),
      fingerprint: KEY.fingerprint,
      type: "ssh-ed25519",
      label: "laptop",
      registeredAt: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    expect(await list(ALICE)).toEqual([registered]);
    expect(await list(BOB)).toEqual([]);
    expect(deps.log.at(-1)).toContain(registered.fingerprint);
  });

  test("is proven by a signature of words that the API tells, for this person at this gateway", async () => {
    expect(await (await call(ALICE, "GET", "/api/ssh-keys")).json()).toEqual({
      keys: [],
      statement: `I sign in at ${BASE} with this key as ${ALICE.name}, ${ALICE.id}`,
      namespace: SSH_KEY_NAMESPACE,
    });
    const [alices, elsewhere] = [
      await signedBy(ALICE, KEY),
      await KEY.sign(sshKeyStatement("https://other.example", BOB), SSH_KEY_NAMESPACE),
    ];
    // Bob has seen alice's key, as everybody may, and what she signed with it.
    for (const signature of [alices, elsewhere, KEY.line]) {
      const response = await call(BOB, "POST", "/api/ssh-keys", { signature });
      expect([response.status, await response.json()]).toMatchObject([400, { code: "bad-request" }]);
    }
    expect(await list(BOB)).toEqual([]);
  });

  test.each<[string, (signature: string) => Record<string, string>]>([
    ["no signature", () => ({ signature: "hello" })],
    ["a private key", () => ({ signature: "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn" })],
    ["nothing", () => ({})],
    ["a label of 101 characters", (signature) => ({ signature, label: "a".repeat(101) })],
    ["another owner", (signature) => ({ signature, owner: "dave" })],
  ])("is not registered for a request with %s", async (_what, bodyOf) => {
    const response = await call(ALICE, "POST", "/api/ssh-keys", bodyOf(await signedBy(ALICE, KEY)));
    expect([response.status, await response.json()]).toMatchObject([400, { code: "bad-request" }]);
    expect(await list(ALICE)).toEqual([]);
  });

  test("is one person's: another is refused it, whether it is registered or was removed lately", async () => {
    const { id } = await register(ALICE);
    for (const removed of [false, true]) {
      if (removed) expect((await call(ALICE, "DELETE", `/api/ssh-keys/${id}`)).status).toBe(200);
      const response = await call(BOB, "POST", "/api/ssh-keys", { signature: await signedBy(BOB, KEY) });
      expect([response.status, await response.json()]).toMatchObject([409, { code: "conflict" }]);
    }
    expect(await list(BOB)).toEqual([]);
  });

  test("is for people: a service, whose groups nobody refreshes, is refused", async () => {
    const service: Principal = { ...ALICE, kind: "service" };
    const signature = await signedBy(service, KEY);
    expect((await call(service, "POST", "/api/ssh-keys", { signature })).status).toBe(403);
  });

  test(`is one of ${MAX_SSH_KEYS} at most`, async () => {
    const { type, owner } = { type: "ssh-ed25519", owner: ALICE.id };
    for (let n = 0; n < MAX_SSH_KEYS; n++) {
      const one = parseSshKeyId(String(n).padStart(43, "A"));
      if (one !== undefined)
        await deps.sshKeys.register({ fingerprint: one, type, owner, label: "", registeredAt: deps.clock() });
    }
    const signature = await signedBy(ALICE, KEY);
    expect((await call(ALICE, "POST", "/api/ssh-keys", { signature })).status).toBe(429);
  });
});

describe("removing a key", () => {
  test("takes it away at once, and ends what lives by it: its passes are revoked, and no others", async () => {
    const { id } = await register(ALICE);
    const [byKey, passesBefore] = [
      await passesForKeys(deps)(ALICE, KEY.blob, { connection: "web-1", since: deps.clock() }),
      deps.clock(),
    ];
    await call(ALICE, "POST", "/api/passes", { label: "by hand" });
    expect((await call(ALICE, "DELETE", `/api/ssh-keys/${id}`)).status).toBe(200);
    expect(await list(ALICE)).toEqual([]);
    const passes = await deps.passes.listFor(ALICE.id, 10);
    expect(passes.map(({ label, revokedAt }) => [label.slice(0, 7), revokedAt !== undefined])).toEqual([
      ["by hand", false],
      ["ssh key", true],
    ]);
    expect(await deps.passes.revokedSince(passesBefore)).toHaveLength(1);
    expect(deps.log.join("")).not.toContain(byKey);
  });

  test("is for its owner and for admins; to others it is not even there", async () => {
    const { id } = await register(ALICE);
    for (const path of [id, "nothing", "%00", "a".repeat(43), encodeURIComponent("' OR 1=1")]) {
      const response = await call(BOB, "DELETE", `/api/ssh-keys/${path}`);
      expect([response.status, await response.json()]).toMatchObject([404, { detail: "you have no such key" }]);
    }
    expect(await list(ALICE)).toHaveLength(1);
    expect((await call(DAVE, "DELETE", `/api/ssh-keys/${id}`)).status).toBe(200);
    expect(await list(ALICE)).toEqual([]);
    expect(deps.log.at(-1)).toContain(DAVE.id);
  });
});

describe("the page of one's keys", () => {
  test("registers, lists and removes a key by plain forms", async () => {
    const response = await page(ALICE, "/ssh-keys", { signature: await signedBy(ALICE, KEY), label: "<b>laptop" });
    expect([response.status, response.headers.get("location")]).toEqual([303, "/ssh-keys"]);
    const text = await (await page(ALICE, "/ssh-keys")).text();
    const id = sshKeyId(KEY.fingerprint);
    for (const shown of [KEY.fingerprint, "&lt;b&gt;laptop", `action="/ssh-keys/${id}/remove"`])
      expect(text).toContain(shown);
    expect(text).not.toContain("<b>laptop");
    expect((await page(ALICE, `/ssh-keys/${id}/remove`, {})).status).toBe(303);
    expect(await (await page(ALICE, "/ssh-keys")).text()).toContain("You have registered no key.");
  });

  test("tells what to run, and what that prints registers the key", async () => {
    const text = await (await page(ALICE, "/ssh-keys")).text();
    const shown = /<pre>(printf [^<]*)<\/pre>/.exec(text)?.[1] ?? "";
    const folder = await mkdtemp(join(tmpdir(), "sallyport-test-page-"));
    await writeFile(join(folder, "key"), KEY.privateKey, { mode: 0o600 });
    const command = shown.replaceAll("&quot;", '"').replaceAll("&#39;", "'").replace("~/.ssh/id_ed25519", "key");
    const signature = await succeed("sh", ["-c", command], { cwd: folder });
    await rm(folder, { recursive: true });
    expect((await page(ALICE, "/ssh-keys", { signature, label: "" })).status).toBe(303);
    expect(await list(ALICE)).toMatchObject([{ fingerprint: KEY.fingerprint }]);
  });

  test("says what is wrong with what was pasted", async () => {
    const response = await page(ALICE, "/ssh-keys", { signature: "-----BEGIN OPENSSH PRIVATE KEY-----\nx" });
    expect([response.status, await response.text()]).toEqual([400, expect.stringContaining("this is a private key")]);
  });

  test("cannot be used by another site in a person's name, nor without signing in", async () => {
    const { id } = await register(BOB);
    const evil = "https://evil.example";
    const signature = await signedBy(ALICE, KEY);
    expect((await page(ALICE, "/ssh-keys", { signature }, evil)).status).toBe(403);
    expect((await page(BOB, `/ssh-keys/${id}/remove`, {}, evil)).status).toBe(403);
    expect((await app.request(`${BASE}/ssh-keys`, { headers: { accept: "text/html" } })).status).toBe(303);
    for (const path of ["/api/ssh-keys", "/ssh-keys"]) {
      const init = { method: "POST", body: new URLSearchParams({ signature }) };
      expect((await app.request(BASE + path, init)).status).toBe(401);
    }
    expect([await list(ALICE), (await list(BOB)).length]).toEqual([[], 1]);
  });
});

describe("an SSH connection", () => {
  const knownHosts = `[gateway.example]:2222 ${HOST_KEY}`;

  test("is listed with its command, and with what proves the gateway", async () => {
    const { connections } = (await (await call(ALICE, "GET", "/api/connections")).json()) as { connections: unknown[] };
    expect(connections[1]).toEqual({
      name: "web-1",
      protocol: "ssh",
      description: "a web <server>",
      host: "gateway.example",
      port: 2222,
      command: "ssh -p 2222 web-1@gateway.example",
      fingerprint,
      knownHosts,
    });
  });

  test("is shown on the home page, and with a new pass", async () => {
    const pages = [await page(ALICE, "/"), await page(ALICE, "/passes", { connection: "web-1", label: "" })];
    const [home = "", issued = ""] = await Promise.all(pages.map((response) => response.text()));
    for (const shown of ["<code>ssh -p 2222 web-1@gateway.example</code>", fingerprint, knownHosts, 'href="/ssh-keys"'])
      expect(home).toContain(shown);
    expect(issued).toContain("<pre>ssh -p 2222 web-1@gateway.example</pre>");
    expect(issued).not.toContain("psql");
  });

  test("needs no port where the gateway has SSH's own", async () => {
    app = authApp({ ...deps, gateway: { ...deps.gateway, ssh: { port: 22, hostKey: HOST_KEY } } });
    const { connections } = (await (await call(ALICE, "GET", "/api/connections")).json()) as { connections: unknown[] };
    expect(connections[1]).toMatchObject({ command: "ssh web-1@gateway.example" });
    expect(await (await app.request(`${BASE}/api/ssh-host-key`)).json()).toEqual({
      publicKey: HOST_KEY,
      fingerprint,
      knownHosts: `gateway.example ${HOST_KEY}`,
    });
  });

  test("is there but not to be reached while no SSH listener runs", async () => {
    const { ssh: _none, ...gateway } = deps.gateway;
    app = authApp({ ...deps, gateway });
    const { connections } = (await (await call(ALICE, "GET", "/api/connections")).json()) as { connections: unknown[] };
    expect(connections[1]).toMatchObject({ port: null, command: null, fingerprint: null, knownHosts: null });
    expect(await (await page(ALICE, "/")).text()).toContain("the gateway takes no SSH connections");
    expect((await app.request(`${BASE}/api/ssh-host-key`)).status).toBe(404);
  });

  test("is told apart from an impostor by a fingerprint that ssh-keygen computes, too", async () => {
    const shown = await succeed("ssh-keygen", ["-l", "-f", "-"], { input: `${HOST_KEY}\n` });
    expect(shown.split(" ")[1]).toBe(fingerprint);
  });
});
