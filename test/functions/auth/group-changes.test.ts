import type { Hono } from "hono";
import { beforeEach, expect, test } from "vitest";
import { SESSION_LIFETIME_MS } from "../../../core/identity/session-token.ts";
import { authApp } from "../../../functions/auth/app.ts";
import { ALICE, type DepsInMemory, depsInMemory, principal, signedIn } from "./installation.ts";

const BASE = "https://sallyport.example";
const HOUR = 3_600_000;
let deps: DepsInMemory;
let app: Hono;
beforeEach(() => {
  deps = depsInMemory({ baseUrl: BASE });
  app = authApp(deps);
});

/** The provider told of Alice, now, that she is in these groups. */
async function providerTells(...groups: string[]): Promise<Record<string, string>> {
  const { id, name } = ALICE;
  await deps.people.signedIn({ id, name, email: name, groups, seenAt: deps.clock() });
  return signedIn(deps, { ...ALICE, groups });
}

const getPass = (headers: Record<string, string>): Promise<Response> =>
  Promise.resolve(app.request(`${BASE}/api/passes`, { method: "POST", headers }));
const groupsOfNewestPass = async (): Promise<readonly string[] | undefined> =>
  (await deps.passes.listFor(ALICE.id, 1))[0]?.principal.groups;

test("a new pass after a new sign-in has the new groups, gained and lost", async () => {
  expect((await getPass(await providerTells("engineers", "dba"))).status).toBe(201);
  expect(await groupsOfNewestPass()).toEqual(["engineers", "dba"]);
  deps.advance(1000);
  expect((await getPass(await providerTells("accountants"))).status).toBe(201);
  expect(await groupsOfNewestPass()).toEqual(["accountants"]);
});

test("a session of before a new sign-in gets no pass with groups that were lost", async () => {
  const old = await providerTells("engineers", "dba");
  deps.advance(1000);
  await providerTells("engineers");
  expect((await getPass(old)).status).toBe(201);
  expect(await groupsOfNewestPass()).toEqual(["engineers"]);
});

test("no pass is given on the strength of a sign-in of longer ago than a session lives, whatever session asks", async () => {
  await providerTells("engineers");
  deps.advance(SESSION_LIFETIME_MS - HOUR);
  const late = await signedIn(deps, ALICE);
  expect((await getPass(late)).status).toBe(201);
  deps.advance(HOUR);
  const response = await getPass(late);
  expect([response.status, await response.json()]).toMatchObject([401, { code: "sign-in-required" }]);
});

test("no session outlives eight hours", async () => {
  expect(SESSION_LIFETIME_MS).toBe(8 * HOUR);
  for (const use of ["web", "cli"] as const) {
    const headers = await signedIn(deps, principal("bob"), use);
    deps.advance(SESSION_LIFETIME_MS);
    expect((await app.request(`${BASE}/api/me`, { headers })).status).toBe(401);
  }
});

test("a device cannot let in another device, so that no session prolongs itself", async () => {
  const started = await app.request(`${BASE}/auth/device`, { method: "POST" });
  const { user_code, device_code } = (await started.json()) as { user_code: string; device_code: string };
  const decide = (headers: Record<string, string>): Promise<Response> => {
    const body = new URLSearchParams({ user_code, decision: "approve" });
    return Promise.resolve(app.request(`${BASE}/auth/device/decision`, { method: "POST", headers, body }));
  };
  expect((await decide(await signedIn(deps, ALICE))).status).toBe(403);
  const grant_type = "urn:ietf:params:oauth:grant-type:device_code";
  const poll = await app.request(`${BASE}/auth/token`, {
    method: "POST",
    body: new URLSearchParams({ grant_type, device_code }),
  });
  expect(await poll.json()).toMatchObject({ error: "authorization_pending" });
  expect((await decide({ ...(await signedIn(deps, ALICE, "web")), origin: BASE })).status).toBe(200);
});
