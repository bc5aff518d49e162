import { beforeEach, describe, expect, test } from "vitest";
import type { Hono } from "hono";
import {
  DEVICE_GRANT,
  DEVICE_LIFETIME_MS,
  MAX_PENDING_DEVICES_PER_ADDRESS,
  MAX_WRONG_CODES,
  WRONG_CODES_WINDOW_MS,
} from "../../../core/identity/device-sign-in.ts";
import { requestDevice } from "../../../core/identity/device-request.ts";
import type { Principal } from "../../../core/identity/principal.ts";
import { signInOverHttp, browserless } from "../../../cli/browserless-sign-in.ts";
import { authApp } from "../../../functions/auth/app.ts";
import { DEMO_PASSWORD } from "../../../local/demo-people.ts";
import { ALICE, type DepsInMemory, depsInMemory, principal, signedIn, startInstallation } from "./installation.ts";

const BASE = "https://sallyport.example";
const BOB = principal("bob", "approvers");
let deps: DepsInMemory;
let app: Hono;
let address: string;

beforeEach(() => {
  address = "192.0.2.7";
  deps = depsInMemory({ baseUrl: BASE, clientAddress: () => address });
  app = authApp(deps);
});

interface Started {
  device_code: string;
  user_code: string;
  verification_uri: string;
  verification_uri_complete: string;
  expires_in: number;
  interval: number;
}

const form = (path: string, fields: Record<string, string>, headers: Record<string, string> = {}): Promise<Response> =>
  Promise.resolve(app.request(BASE + path, { method: "POST", headers, body: new URLSearchParams(fields) }));

async function start(fields: Record<string, string> = { label: "sallyport on laptop" }): Promise<Started> {
  const response = await form("/auth/device", fields);
  expect(response.status).toBe(200);
  return (await response.json()) as Started;
}

const asPage = async (who: Principal): Promise<Record<string, string>> => ({
  ...(await signedIn(deps, who, "web")),
  accept: "text/html",
  origin: BASE,
});

const review = async (user_code: string, who = ALICE): Promise<Response> =>
  app.request(`${BASE}/auth/device?${new URLSearchParams({ user_code }).toString()}`, { headers: await asPage(who) });

const decide = async (user_code: string, decision: string, who = ALICE): Promise<Response> =>
  form("/auth/device/decision", { user_code, decision }, await asPage(who));

const poll = (device_code: string): Promise<Response> => form("/auth/token", { grant_type: DEVICE_GRANT, device_code });

async function pollError(device_code: string): Promise<string> {
  const response = await poll(device_code);
  expect(response.status).toBe(400);
  expect(response.headers.get("cache-control")).toBe("no-store");
  return ((await response.json()) as { error: string }).error;
}

describe("a device", () => {
  test("is told all that RFC 8628 §3.2 asks for", async () => {
    const started = await start();
    expect(started).toEqual({
      device_code: expect.stringMatching(/^[\w-]{43}$/),
      user_code: expect.stringMatching(/^[B-Z]{4}-[B-Z]{4}$/),
      verification_uri: `${BASE}/auth/device`,
      verification_uri_complete: `${BASE}/auth/device?user_code=${started.user_code}`,
      expires_in: 600,
      interval: 5,
    });
  });

  test("that was approved gets a token of the person who approved, good as bearer and not as cookie", async () => {
    const { device_code, user_code } = await start();
    expect(await pollError(device_code)).toBe("authorization_pending");
    expect(await (await decide(user_code, "approve")).text()).toContain("Approved");
    deps.advance(5000);
    const response = await poll(device_code);
    expect(response.status).toBe(200);
    const token = (await response.json()) as { access_token: string };
    expect(token).toEqual({ access_token: expect.any(String), token_type: "Bearer", expires_in: 8 * 60 * 60 });
    const bearer = { authorization: `Bearer ${token.access_token}` };
    expect(await (await app.request(`${BASE}/api/me`, { headers: bearer })).json()).toMatchObject({
      id: ALICE.id,
      groups: ALICE.groups,
    });
    const cookie = { cookie: `__Host-sallyport=${token.access_token}` };
    expect((await app.request(`${BASE}/api/me`, { headers: cookie })).status).toBe(401);
  });

  test("gets one token for its code, and no second one however it asks", async () => {
    const { device_code, user_code } = await start();
    await decide(user_code, "approve");
    const answers = await Promise.all([poll(device_code), poll(device_code), poll(device_code)]);
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1);
    deps.advance(5000);
    expect(await pollError(device_code)).toBe("invalid_grant");
  });

  test("that was denied is told so", async () => {
    const { device_code, user_code } = await start();
    await decide(user_code, "deny");
    expect(await pollError(device_code)).toBe("access_denied");
  });

  test("that asks too often is told to slow down, also after the approval", async () => {
    const { device_code, user_code } = await start();
    expect(await pollError(device_code)).toBe("authorization_pending");
    deps.advance(1000);
    expect(await pollError(device_code)).toBe("slow_down");
    await decide(user_code, "approve");
    deps.advance(1000);
    expect(await pollError(device_code)).toBe("slow_down");
    deps.advance(5000);
    expect((await poll(device_code)).status).toBe(200);
  });

  test("that waited for ten minutes is told that its code expired, and approving it is too late", async () => {
    const { device_code, user_code } = await start();
    deps.advance(DEVICE_LIFETIME_MS);
    expect((await decide(user_code, "approve")).status).toBe(404);
    expect(await pollError(device_code)).toBe("expired_token");
  });

  test.each(["", "x", "a".repeat(43), "a".repeat(256), "' OR 1=1 --"])("cannot guess a code: %j", async (code) => {
    const { user_code } = await start();
    await decide(user_code, "approve");
    expect(await pollError(code)).toBe("invalid_grant");
  });

  test("cannot use its user code as a device code", async () => {
    const { user_code } = await start();
    await decide(user_code, "approve");
    expect(await pollError(user_code)).toBe("invalid_grant");
  });

  test.each<[Record<string, string>, string]>([
    [{}, "invalid_request"],
    [{ grant_type: DEVICE_GRANT }, "invalid_request"],
    [{ device_code: "x" }, "invalid_request"],
    [{ grant_type: "authorization_code", device_code: "x" }, "unsupported_grant_type"],
  ])("that sends %j as a token request gets the error of RFC 6749", async (fields, error) => {
    const response = await form("/auth/token", fields);
    expect([response.status, await response.json()]).toEqual([400, { error, error_description: expect.any(String) }]);
  });

  test("never has its code stored or logged, nor its token", async () => {
    const kept: unknown[] = [];
    const putDevice = (request: unknown): Promise<void> => Promise.resolve(void kept.push(request));
    app = authApp({ ...deps, signIns: { ...deps.signIns, putDevice } });
    const { device_code } = await start();
    expect(kept).toHaveLength(1);
    expect(JSON.stringify(kept)).not.toContain(device_code);
    app = authApp(deps);
    const second = await start();
    await decide(second.user_code, "approve");
    const { access_token } = (await (await poll(second.device_code)).json()) as { access_token: string };
    for (const secret of [second.device_code, access_token]) expect(deps.log.join("")).not.toContain(secret);
  });

  test("from an address where too many wait already must wait, and others need not", async () => {
    for (let times = 0; times < MAX_PENDING_DEVICES_PER_ADDRESS; times++) await start();
    expect((await form("/auth/device", {})).status).toBe(429);
    address = "192.0.2.8";
    await start();
    address = "192.0.2.7";
    deps.advance(DEVICE_LIFETIME_MS);
    await start();
  });

  test.each(["a".repeat(101), "two\nlines", "bell\u0007", "turned\u202Etxet", "\u0000"])(
    "may not call itself %j",
    async (label) => {
      expect((await form("/auth/device", { label })).status).toBe(400);
    },
  );
});

describe("the page of a device", () => {
  test("shows who is asked, what asks, from where, and the code, all escaped", async () => {
    const { user_code } = await start({ label: `<img src=x onerror="alert('1')">` });
    const text = await (await review(user_code.toLowerCase())).text();
    for (const shown of [user_code, ALICE.name, "192.0.2.7", "&lt;img src=x onerror=&quot;alert("])
      expect(text).toContain(shown);
    expect(text).not.toContain("<img");
  });

  test("says which connection somebody at an SSH client asks for, and to a program of that name what it would really get", async () => {
    const asking = { address: "192.0.2.9", label: "OpenSSH_9.2", connection: "web-<1>" };
    const { userCode } = await requestDevice(deps.signIns, asking, deps.clock());
    const text = await (await review(userCode)).text();
    expect(text).toContain(`asks to open <strong>web-&lt;1&gt;</strong> as <strong>${ALICE.name}</strong>`);
    expect(text).toContain("192.0.2.9");
    const program = await start({ label: "ssh to web-<1>" });
    expect(await (await review(program.user_code)).text()).toContain("to get passes and to read what you may read");
  });

  test("asks for the code when the address has none, and changes nothing by being looked at", async () => {
    const { user_code, device_code } = await start();
    const plain = await app.request(`${BASE}/auth/device`, { headers: await asPage(ALICE) });
    expect(await plain.text()).toContain('name="user_code"');
    for (let times = 0; times < 3; times++) expect((await review(user_code)).status).toBe(200);
    expect(await pollError(device_code)).toBe("authorization_pending");
  });

  test("is for people who are signed in: neither shown to nor decided by anybody else", async () => {
    const { user_code, device_code } = await start();
    expect((await app.request(`${BASE}/auth/device?user_code=${user_code}`)).status).toBe(401);
    const origin = BASE;
    expect((await form("/auth/device/decision", { user_code, decision: "approve" }, { origin })).status).toBe(401);
    expect(await pollError(device_code)).toBe("authorization_pending");
  });

  test("cannot be answered by another site in a person's name", async () => {
    const { user_code, device_code } = await start();
    const headers = { ...(await asPage(ALICE)), origin: "https://evil.example" };
    expect((await form("/auth/device/decision", { user_code, decision: "approve" }, headers)).status).toBe(403);
    expect(await pollError(device_code)).toBe("authorization_pending");
  });

  test("takes one decision: the first", async () => {
    const { user_code, device_code } = await start();
    expect((await decide(user_code, "deny", BOB)).status).toBe(200);
    expect((await decide(user_code, "approve")).status).toBe(404);
    expect(await pollError(device_code)).toBe("access_denied");
  });

  test.each(["", "yes", "approve,deny", "APPROVE"])("takes no decision %j", async (decision) => {
    const { user_code, device_code } = await start();
    expect((await decide(user_code, decision)).status).toBe(400);
    expect(await pollError(device_code)).toBe("authorization_pending");
  });

  test("answers no more guesses of a person after ten wrong ones, not even a right one, for ten minutes", async () => {
    const { user_code } = await start();
    for (let times = 0; times < MAX_WRONG_CODES; times++)
      expect((await (times % 2 ? review("BCDF-GHJK") : decide("BCDF-GHJK", "approve"))).status).toBe(404);
    expect((await review(user_code)).status).toBe(429);
    expect((await decide(user_code, "approve")).status).toBe(429);
    expect((await review(user_code, BOB)).status).toBe(200);
    deps.advance(WRONG_CODES_WINDOW_MS + 1);
    const later = await start();
    expect((await review(later.user_code)).status).toBe(200);
  });
});

test("a terminal is signed in over HTTP from end to end, by a person who was not signed in when it asked", async () => {
  const house = await startInstallation();
  const post = (path: string, fields: Record<string, string>): Promise<Response> =>
    fetch(house.baseUrl + path, { method: "POST", body: new URLSearchParams(fields) });
  const started = (await (await post("/auth/device", { label: "sallyport" })).json()) as Started;
  const browser = browserless();
  const logIn = await browser.open(started.verification_uri_complete);
  const page = await browser.submit(logIn, { user: "alice", password: DEMO_PASSWORD });
  expect(page.text).toContain(started.user_code);
  expect(page.text).toContain("127.0.0.1");
  const done = await browser.submit(page, { decision: "approve" });
  expect(done.text).toContain("Approved");
  const answer = await post("/auth/token", { grant_type: DEVICE_GRANT, device_code: started.device_code });
  const { access_token } = (await answer.json()) as { access_token: string };
  const headers = { authorization: `Bearer ${access_token}` };
  expect(await (await fetch(`${house.baseUrl}/api/me`, { headers })).json()).toMatchObject({
    name: "alice@shop.example",
  });
  await expect(signInOverHttp(house.baseUrl, { user: "alice", password: DEMO_PASSWORD })).resolves.toBeDefined();
  await house.close();
});
