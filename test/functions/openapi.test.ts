import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { SSH_KEY_NAMESPACE, sshKeyStatement } from "../../core/identity/ssh-signature.ts";
import { authApp } from "../../functions/auth/app.ts";
import { openApiDocument, PATHS } from "../../functions/openapi/document.ts";
import type { Routed } from "../../functions/shared/methods.ts";
import { ALICE as REQUESTER, BOB as APPROVER } from "../setup/approvals.ts";
import { bundle } from "../setup/bundles.ts";
import { madeKey } from "../setup/ssh-keygen.ts";
import { installation as approvalsInstallation } from "./approvals/installation.ts";
import { ALICE, CONNECTIONS, depsInMemory, signedIn } from "./auth/installation.ts";
import { ADMIN, installation as configInstallation } from "./config/installation.ts";
import { ANA, installation as replayInstallation, rowOf, shopping, T0 } from "./replay/installation.ts";

const BASE = "https://sallyport.example";
const COMMITTED = "../../docs/openapi.json";

/** What browsers show to people, and forms that those pages have: no interface for programs. */
const PAGES = [
  "GET /",
  "GET /assets/sallyport.css",
  "GET /approvals",
  "GET /approvals/:id",
  "GET /approvals/by-mail",
  "GET /auth/callback",
  "GET /auth/callback/:id",
  "GET /auth/device",
  "GET /auth/login",
  "GET /auth/saml/:id/finish",
  "GET /auth/saml/:id/start",
  "GET /auth/signed-out",
  "GET /outbox",
  "GET /sessions",
  "GET /sessions/:id",
  "GET /ssh-keys",
  "POST /approvals/:id/cancel",
  "POST /approvals/:id/decision",
  "POST /approvals/:id/revoke",
  "POST /auth/device/decision",
  "POST /auth/login",
  "POST /auth/saml/:id/acs",
  "POST /auth/saml/:id/finish",
  "POST /passes",
  "POST /passes/:id/revoke",
  "POST /ssh-keys",
  "POST /ssh-keys/:id/remove",
];

const approvals = approvalsInstallation();
const replay = replayInstallation();
const KEY = await madeKey();
const memory = depsInMemory({
  baseUrl: BASE,
  connections: () => [...CONNECTIONS, { name: "web", protocol: "ssh", description: "", access: ["engineers"] }],
});
const deps = { ...memory, gateway: { ...memory.gateway, ssh: { port: 2222, hostKey: KEY.publicKey } } };
const auth = authApp(deps);

const config = configInstallation();

const APPS: readonly Routed[] = [auth, approvals.app, replay.app, config.app];

describe("the description of the API", () => {
  test("is committed as it is generated (to write it anew: `npx vitest run test/functions/openapi.test.ts -u`)", async () => {
    await expect(`${JSON.stringify(openApiDocument(), undefined, 2)}\n`).toMatchFileSnapshot(COMMITTED);
  });

  test("is served, to whoever asks", async () => {
    const response = await auth.request(`${BASE}/api/openapi.json`);
    expect(response.status).toBe(200);
    const committed: unknown = JSON.parse(await readFile(new URL(COMMITTED, import.meta.url), "utf8"));
    expect(await response.json()).toEqual(committed);
  });

  test("has every route that is no page, and no other", () => {
    const described = Object.entries(PATHS).flatMap(([path, item]) =>
      Object.keys(item ?? {}).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`),
    );
    const routed = APPS.flatMap(({ routes }) => routes)
      .filter(({ method }) => method !== "ALL")
      .map(({ method, path }) => `${method} ${path}`);
    expect(new Set(routed).size).toBeGreaterThan(PAGES.length);
    expect([...new Set([...described, ...PAGES])].toSorted()).toEqual([...new Set(routed)].toSorted());
    expect(described.filter((route) => PAGES.includes(route))).toEqual([]);
  });

  test("says of every route how it fails", () => {
    for (const item of Object.values(PATHS))
      for (const operation of Object.values(item ?? {}))
        expect(operation.responses["503"].content).toHaveProperty(["application/problem+json"]);
  });
});

/** The schema by which a path's answer is described; fails where none is. */
function schemaOf(method: string, pattern: string, response: Response): z.ZodType | undefined {
  const item = PATHS[pattern] as Record<string, { responses: Record<string, { content?: object }> }> | undefined;
  const answer = item?.[method.toLowerCase()]?.responses[String(response.status)];
  const type = response.headers.get("content-type") ?? "";
  const contents: Record<string, { schema?: z.ZodType }> = { ...answer?.content };
  expect(Object.keys(contents), `${method} ${pattern} answers ${response.status}`).toContain(type);
  return contents[type]?.schema;
}

async function fits(method: string, pattern: string, answered: Promise<Response> | Response): Promise<unknown> {
  const response = await answered;
  const schema = schemaOf(method, pattern, response);
  if (schema === undefined) return undefined;
  const body: unknown = await response.json();
  const parsed = schema.safeParse(body);
  expect(parsed.success ? [] : z.prettifyError(parsed.error), `${method} ${pattern}`).toEqual([]);
  return body;
}

describe("what is answered is as it is described", () => {
  const ask = async (method: string, path: string, body?: object): Promise<Response> => {
    const headers = { ...(await signedIn(deps, ALICE)), "content-type": "application/json" };
    const init = body === undefined ? {} : { body: JSON.stringify(body) };
    return auth.request(BASE + path, { method, headers, ...init });
  };

  test("of passes, connections and keys", async () => {
    await fits("GET", "/api/me", ask("GET", "/api/me"));
    const made = (await fits("POST", "/api/passes", ask("POST", "/api/passes", { label: "x" }))) as { id: string };
    await fits("GET", "/api/passes", ask("GET", "/api/passes"));
    await fits("DELETE", "/api/passes/{id}", ask("DELETE", `/api/passes/${made.id}`));
    await fits("DELETE", "/api/passes/{id}", ask("DELETE", "/api/passes/nobodys"));
    await fits("POST", "/api/passes", ask("POST", "/api/passes", { connection: "none" }));
    await fits("POST", "/api/passes", ask("POST", "/api/passes", { connection: 1 }));
    await fits("GET", "/api/me", auth.request(`${BASE}/api/me`));
    await fits("GET", "/api/connections", ask("GET", "/api/connections"));
    await fits("GET", "/api/ca.pem", ask("GET", "/api/ca.pem"));
    await fits("GET", "/api/ssh-host-key", ask("GET", "/api/ssh-host-key"));
    const signature = await KEY.sign(sshKeyStatement(BASE, ALICE), SSH_KEY_NAMESPACE);
    const key = await fits("POST", "/api/ssh-keys", ask("POST", "/api/ssh-keys", { signature, label: "laptop" }));
    await fits("GET", "/api/ssh-keys", ask("GET", "/api/ssh-keys"));
    await fits("DELETE", "/api/ssh-keys/{id}", ask("DELETE", `/api/ssh-keys/${(key as { id: string }).id}`));
  });

  test("of a sign-in by device", async () => {
    const device = (await fits("POST", "/auth/device", ask("POST", "/auth/device", { label: "x" }))) as Device;
    const body = { grant_type: "urn:ietf:params:oauth:grant-type:device_code", device_code: device.device_code };
    await fits("POST", "/auth/token", ask("POST", "/auth/token", body));
    const row = await deps.signIns.findUserCode(device.user_code.replace("-", "") as never);
    await deps.signIns.decideDevice(row?.userCode as never, { kind: "approved", principal: ALICE }, deps.clock());
    deps.advance(60_000);
    expect(await fits("POST", "/auth/token", ask("POST", "/auth/token", body))).toHaveProperty("access_token");
    expect((await ask("POST", "/auth/logout")).status).toBe(204);
  });

  test("of approvals", async () => {
    const { id } = await approvals.put();
    const other = await approvals.put();
    await fits("GET", "/api/approvals", approvals.ask(APPROVER, "/api/approvals?waiting=me"));
    await fits("GET", "/api/approvals", approvals.ask(APPROVER, "/api/approvals?waiting=perhaps"));
    await fits("GET", "/api/approvals/{id}", approvals.ask(APPROVER, `/api/approvals/${id}`));
    const decision = { decision: "approve", words: "go on" };
    const path = `/api/approvals/${id}/decision`;
    await fits("POST", "/api/approvals/{id}/decision", approvals.ask(APPROVER, path, decision));
    await fits("POST", "/api/approvals/{id}/decision", approvals.ask(APPROVER, path, decision));
    await fits("POST", "/api/approvals/{id}/revoke", approvals.ask(APPROVER, `/api/approvals/${id}/revoke`, {}));
    await fits("POST", "/api/approvals/{id}/cancel", approvals.ask(REQUESTER, `/api/approvals/${other.id}/cancel`, {}));
    await fits("GET", "/api/approvals/{id}", approvals.ask(APPROVER, "/api/approvals/nobodys"));
  });

  test("of configurations", async () => {
    const files = Object.fromEntries(bundle());
    await fits("POST", "/api/config", config.ask(ADMIN, "POST", "/api/config", { files }));
    await fits("POST", "/api/config", config.ask(ADMIN, "POST", "/api/config", { files: {} }));
    await fits("GET", "/api/config/versions", config.ask(ADMIN, "GET", "/api/config/versions"));
  });

  test("of sessions, and what they recorded", async () => {
    const row = rowOf(1);
    await replay.record(row, shopping(row, 2));
    const live = rowOf(2, ANA, { startedAt: T0 + 2 });
    await replay.record(live, shopping(live, 1), true);
    for (const id of [row.id, live.id])
      for (const below of ["", "/statements", "/events", "/frames", "/transcript", "/verify", "/manifest"])
        await fits("GET", `/api/sessions/{id}${below}`, replay.ask(ANA, `/api/sessions/${id}${below}`));
    const rows = await fits(
      "GET",
      "/api/sessions/{id}/statements/{number}/rows",
      replay.ask(ANA, `/api/sessions/${row.id}/statements/1/rows`),
    );
    expect(rows).toMatchObject({ results: [{ rows: [expect.anything(), expect.anything()] }] });
    await fits("GET", "/api/sessions/{id}/chunks/{sequence}", replay.ask(ANA, `/api/sessions/${row.id}/chunks/0`));
    await fits(
      "GET",
      "/api/sessions/{id}/channels/{channel}/cast",
      replay.ask(ANA, `/api/sessions/${row.id}/channels/1/cast`),
    );
    await fits("GET", "/api/sessions", replay.ask(ANA, "/api/sessions?limit=1"));
    await fits("GET", "/api/sessions", replay.ask(ANA, "/api/sessions?limit=0"));
    await fits("GET", "/api/signing-keys", replay.ask(ANA, "/api/signing-keys"));
  });
});

interface Device {
  readonly device_code: string;
  readonly user_code: string;
}
