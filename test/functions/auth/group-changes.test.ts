import type { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SESSION_LIFETIME_MS } from "../../../core/identity/session-token.ts";
import type { PrincipalId } from "../../../core/identity/principal.ts";
import { authApp } from "../../../functions/auth/app.ts";
import { type FakeProvider, startFakeProvider } from "./fake-provider.ts";
import { CLIENT, type DepsInMemory, depsInMemory, oidcProvider, principal, signedIn } from "./installation.ts";
import { type OidcBrowser, oidcBrowser } from "./oidc-browser.ts";

const BASE = "https://sallyport.example";
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const MAX_AGE_MINUTES = 5;

let provider: FakeProvider;
let deps: DepsInMemory;
let app: Hono;
let browser: OidcBrowser;
let alice: PrincipalId;

beforeEach(async () => {
  provider = await startFakeProvider(CLIENT);
  install({});
  alice = `${provider.issuer}|alice` as PrincipalId;
});
afterEach(() => provider.close());

function install(over: Parameters<typeof oidcProvider>[1]): void {
  deps = { ...depsInMemory({ baseUrl: BASE }), providers: [oidcProvider(provider.issuer, over)] };
  app = authApp(deps);
  browser = oidcBrowser(app, BASE, provider);
}

/** What the provider tells from now on, when it is asked. */
function tell(...groups: string[]): void {
  provider.claims = { email: "alice@shop.example", groups };
}

async function pass(headers = browser.session()): Promise<{ status: number; code?: string; detail?: string }> {
  const init = { method: "POST", headers: { ...headers, origin: BASE } };
  const response = await app.request(`${BASE}/api/passes`, init);
  const { code, detail } = (await response.json()) as { code?: string; detail?: string };
  return response.status === 201
    ? { status: 201 }
    : { status: response.status, code: code ?? "", detail: detail ?? "" };
}

const groupsOfNewestPass = async (): Promise<readonly string[] | undefined> =>
  (await deps.passes.listFor(alice, 1))[0]?.principal.groups;
const renewals = (): number =>
  provider.tokenRequests.filter((form) => form.get("grant_type") === "refresh_token").length;
const REQUIRED = { status: 401, code: "sign-in-required" };

describe("where the provider can be asked again, a pass", () => {
  beforeEach(async () => {
    provider.refreshing = true;
    tell("engineers", "dba");
    await browser.signIn();
  });

  test("has the groups of the moment, lost and gained ones alike, without a new sign-in", async () => {
    expect(await pass()).toEqual({ status: 201 });
    expect(await groupsOfNewestPass()).toEqual(["engineers", "dba"]);
    tell("accountants");
    deps.advance(MINUTE);
    expect(await pass()).toEqual({ status: 201 });
    expect(await groupsOfNewestPass()).toEqual(["accountants"]);
    expect((await deps.people.find(alice))?.groups).toEqual(["accountants"]); // whoever is asked for consent by group, too
  });

  test("may be asked for by whoever has just come into a group: their connections are listed as of now", async () => {
    const listed = async (): Promise<unknown> =>
      (await app.request(`${BASE}/api/connections`, { headers: browser.session() })).json();
    tell("accountants");
    deps.advance(MINUTE);
    expect(await listed()).toMatchObject({ connections: [{ name: "billing" }] });
    expect(await (await browser.get("/")).text()).toContain("member of accountants");
    deps.advance(MINUTE);
    provider.renewal = "down";
    expect(await listed()).toMatchObject({ connections: [{ name: "billing" }] }); // as they were told of last
  });

  test("is refused for a connection that the lost group had opened", async () => {
    tell("accountants");
    deps.advance(MINUTE);
    const init = {
      method: "POST",
      headers: { ...browser.session(), origin: BASE, "content-type": "application/json" },
    };
    const response = await app.request(`${BASE}/api/passes`, { ...init, body: '{"connection":"shop"}' });
    expect([response.status, await response.json()]).toMatchObject([404, { code: "connection-unknown" }]);
  });

  test("is refused once the provider does not vouch for the person any more, and it is not asked about them again", async () => {
    deps.advance(MINUTE);
    provider.renewal = "invalid_grant";
    expect(await pass()).toMatchObject({
      ...REQUIRED,
      detail: "your identity provider does not vouch for you any more",
    });
    provider.renewal = "honest";
    expect(await pass()).toMatchObject(REQUIRED);
    expect(renewals()).toBe(1);
    expect(await deps.passes.listFor(alice, 1)).toEqual([]);
    await browser.signIn();
    expect(await pass()).toEqual({ status: 201 });
  });

  test.each(["down", "slow_down"] as const)(
    "waits for a provider that is %s: it is refused, and given later",
    async (how) => {
      deps.advance(MINUTE);
      provider.renewal = how;
      expect(await pass()).toMatchObject({ status: 502, code: "identity-provider-unavailable" });
      provider.renewal = "honest";
      expect(await pass()).toEqual({ status: 201 });
    },
  );

  test.each([
    ["one that another key signed", () => (provider.signing = "impostor")],
    ["one that nobody signed", () => (provider.signing = "none")],
    ["one of another person", () => (provider.claims = { sub: "bob", groups: ["admins"] })],
    ["one for another client", () => (provider.claims = { aud: "other" })],
    ["one of another issuer", () => (provider.claims = { iss: "https://evil.example" })],
    ["one of eleven minutes ago", () => (provider.claims = { iat: Math.floor(Date.now() / 1000) - 660 })],
    ["one that has expired", () => (provider.claims = { exp: Math.floor(Date.now() / 1000) - 60 })],
    ["groups that are none", () => (provider.claims = { groups: [{}] })],
  ])("is refused where the provider answers with %s", async (_what, lie) => {
    deps.advance(MINUTE);
    lie();
    expect(await pass()).toMatchObject(REQUIRED);
    expect((await deps.people.find(alice))?.groups).toEqual(["engineers", "dba"]);
    expect(await deps.people.find(`${provider.issuer}|bob` as PrincipalId)).toBeUndefined();
  });

  test("has the groups of the moment also where the provider dates its tokens five minutes back, as Entra ID does", async () => {
    const now = Math.floor(Date.now() / 1000);
    provider.claims = { email: "alice@shop.example", groups: ["accountants"], iat: now - 300, nbf: now - 300 };
    deps.advance(MINUTE);
    expect(await pass()).toEqual({ status: 201 });
    expect(await groupsOfNewestPass()).toEqual(["accountants"]);
  });

  test.each(["503", "no JSON", "hung up"] as const)(
    "waits for the provider's keys where they have changed and it answers %s: the renewal is not lost, nor used twice",
    async (how) => {
      await provider.rotate();
      tell("accountants");
      provider.keys = how;
      for (let time = 0; time < 2; time++) {
        deps.advance(MINUTE);
        expect(await pass()).toMatchObject({ status: 502, code: "identity-provider-unavailable" });
      }
      provider.keys = "published";
      expect(await pass()).toEqual({ status: 201 });
      expect(await groupsOfNewestPass()).toEqual(["accountants"]);
      const shown = provider.tokenRequests.map((form) => form.get("refresh_token")).filter((text) => text !== null);
      expect(new Set(shown).size).toBe(3);
    },
  );

  test.each([
    ["without an ID token", () => (provider.renewal = "without an ID token")],
    ["without the address that it told at the sign-in", () => (provider.claims = { groups: ["admins"] })],
  ])("rests on the sign-in, for as long as that may be old, where the provider answers %s", async (_what, lessThan) => {
    lessThan();
    deps.advance(MINUTE);
    expect(await pass()).toEqual({ status: 201 });
    expect(await groupsOfNewestPass()).toEqual(["engineers", "dba"]);
    expect(await deps.people.find(alice)).toMatchObject({ name: "alice@shop.example", email: "alice@shop.example" });
    deps.advance((MAX_AGE_MINUTES - 1) * MINUTE);
    expect(await pass()).toMatchObject(REQUIRED);
    expect(renewals()).toBe(1);
  });

  test("is given ten times within a minute for one question, also where all ask at once", async () => {
    deps.advance(MINUTE);
    let goOn = (): void => undefined;
    provider.pause = new Promise((resolve) => (goOn = resolve));
    const asked = Promise.all(Array.from({ length: 10 }, () => pass()));
    await expect.poll(renewals).toBe(1);
    goOn();
    expect(await asked).toEqual(Array.from({ length: 10 }, () => ({ status: 201 })));
    expect(renewals()).toBe(1);
  });

  test("uses each refresh token once, hour after hour, and none after the eight hours of the sign-in", async () => {
    const device = await signedIn(deps, principal("bob")); // somebody else's session changes nothing
    const token = browser.session();
    for (let hour = 1; hour < 8; hour++) {
      deps.advance(HOUR);
      expect([hour, await pass(token)]).toEqual([hour, { status: 201 }]);
    }
    const shown = provider.tokenRequests.map((form) => form.get("refresh_token")).filter((text) => text !== null);
    expect(new Set(shown).size).toBe(7);
    deps.advance(HOUR);
    expect(await pass(token)).toMatchObject(REQUIRED);
    expect(await deps.signIns.takeRenewal(alice, deps.clock(), deps.clock() + 1)).toBeUndefined();
    expect(device).toBeDefined();
  });

  test("of an ended access has no way back: what the provider gave is forgotten", async () => {
    const dave = await signedIn(deps, principal("dave", "admins"));
    const path = `${BASE}/api/people/${encodeURIComponent(alice)}/end-access`;
    expect((await app.request(path, { method: "POST", headers: dave })).status).toBe(200);
    expect(await deps.signIns.takeRenewal(alice, deps.clock(), deps.clock() + 1)).toBeUndefined();
    deps.advance(MINUTE);
    expect(await pass()).toMatchObject(REQUIRED);
    expect(renewals()).toBe(0);
  });

  test("is not asked for by a refresh token that anybody could read or use: it is sealed where it rests", async () => {
    const kept = await deps.signIns.takeRenewal(alice, deps.clock(), deps.clock() + 1);
    if (kept === undefined || kept === "taken") throw new Error("there is no renewal");
    expect(kept.sealed).toMatch(/^ey[\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+$/);
    expect(kept.expiresAt - deps.clock()).toBeLessThanOrEqual(SESSION_LIFETIME_MS);
    expect(deps.log.join("")).not.toContain(kept.sealed);
  });
});

describe("where the provider cannot be asked without the person, a pass", () => {
  beforeEach(async () => {
    tell("engineers", "dba");
    await browser.signIn();
  });

  test("needs a sign-in of the last minutes, and has what that told", async () => {
    deps.advance(MAX_AGE_MINUTES * MINUTE - 1000);
    expect(await pass()).toEqual({ status: 201 });
    deps.advance(1000);
    expect(await pass()).toMatchObject({
      ...REQUIRED,
      detail: "your identity provider has to tell again which groups you are in",
    });
    tell("accountants");
    await browser.signIn();
    expect(await pass()).toEqual({ status: 201 });
    expect(await groupsOfNewestPass()).toEqual(["accountants"]);
    expect(renewals()).toBe(0);
  });

  test("may rest on an older sign-in where the settings say so", async () => {
    install({ groupsMaxAgeMinutes: 120 });
    await browser.signIn();
    deps.advance(2 * HOUR - 1000);
    expect(await pass()).toEqual({ status: 201 });
    deps.advance(1000);
    expect(await pass()).toMatchObject(REQUIRED);
  });

  test("is given to whoever has come back from the provider just now, while somebody else looked for a renewal", async () => {
    deps.advance(MAX_AGE_MINUTES * MINUTE);
    const session = browser.session();
    const plain = { ...deps.signIns };
    deps.signIns.takeRenewal = async (...asked) => {
      await browser.signIn();
      return plain.takeRenewal(...asked);
    };
    expect(await pass(session)).toEqual({ status: 201 });
  });

  test("of a session of before a new sign-in has what the new one told", async () => {
    const old = browser.session();
    tell("engineers");
    await browser.signIn();
    expect(await pass(old)).toEqual({ status: 201 });
    expect(await groupsOfNewestPass()).toEqual(["engineers"]);
  });

  test("is not given to somebody of whom nobody has told", async () => {
    const authority = await signedIn(
      { ...deps, people: { ...deps.people, signedIn: async () => undefined } },
      principal("eve"),
    );
    expect(await pass(authority)).toMatchObject(REQUIRED);
  });

  test("is given on the home page after a way through the provider, with what was typed still in the form", async () => {
    deps.advance(MAX_AGE_MINUTES * MINUTE);
    tell("engineers");
    const typed = { connection: "shop", label: "o'laptop & co" };
    const home = await (await browser.post("/passes", typed)).text();
    expect(home).toContain('<option value="shop" selected>');
    expect(home).toContain("o&#39;laptop &amp; co");
    expect(await deps.passes.listFor(alice, 1)).toEqual([]);
    expect(await (await browser.post("/passes", typed)).text()).toContain("It expires at");
    expect(await groupsOfNewestPass()).toEqual(["engineers"]);
  });
});

describe("a device is let in", () => {
  async function device(): Promise<{ code: string; poll: () => Promise<unknown> }> {
    const started = await app.request(`${BASE}/auth/device`, { method: "POST" });
    const { user_code: code, device_code } = (await started.json()) as { user_code: string; device_code: string };
    const grant_type = "urn:ietf:params:oauth:grant-type:device_code";
    const body = new URLSearchParams({ grant_type, device_code });
    return { code, poll: async () => (await app.request(`${BASE}/auth/token`, { method: "POST", body })).json() };
  }

  test("with the groups of the moment: the page goes through the provider before it asks", async () => {
    tell("engineers", "dba");
    await browser.signIn();
    deps.advance(HOUR);
    tell("accountants");
    const { code, poll } = await device();
    expect(await (await browser.get(`/auth/device?user_code=${code}`)).text()).toContain("Approve only if you started");
    const decided = await browser.post("/auth/device/decision", { user_code: code, decision: "approve" });
    expect(await decided.text()).toContain("Approved.");
    const { access_token } = (await poll()) as { access_token: string };
    const me = await app.request(`${BASE}/api/me`, { headers: { authorization: `Bearer ${access_token}` } });
    expect(await me.json()).toMatchObject({ groups: ["accountants"] });
  });

  test("by nobody who has waited too long on the page: they are led through the provider and asked again", async () => {
    await browser.signIn();
    const { code, poll } = await device();
    await browser.get(`/auth/device?user_code=${code}`);
    deps.advance(MAX_AGE_MINUTES * MINUTE);
    const back = await browser.post("/auth/device/decision", { user_code: code, decision: "approve" });
    expect(await back.text()).toContain("Approve only if you started");
    expect(await poll()).toMatchObject({ error: "authorization_pending" });
  });

  test("or denied, which needs no word of the provider's", async () => {
    await browser.signIn();
    const { code, poll } = await device();
    deps.advance(MAX_AGE_MINUTES * MINUTE);
    const decided = await browser.post("/auth/device/decision", { user_code: code, decision: "deny" });
    expect(await decided.text()).toContain("Denied.");
    expect(await poll()).toMatchObject({ error: "access_denied" });
  });

  test("by a browser only: no session prolongs itself by another device", async () => {
    const { code, poll } = await device();
    const body = new URLSearchParams({ user_code: code, decision: "approve" });
    const headers = await signedIn(deps, principal("bob"));
    const response = await app.request(`${BASE}/auth/device/decision`, { method: "POST", headers, body });
    expect(response.status).toBe(403);
    expect(await poll()).toMatchObject({ error: "authorization_pending" });
  });
});

test("no session outlives eight hours", async () => {
  expect(SESSION_LIFETIME_MS).toBe(8 * HOUR);
  for (const use of ["web", "cli"] as const) {
    const headers = await signedIn(deps, principal("bob"), use);
    deps.advance(SESSION_LIFETIME_MS);
    expect((await app.request(`${BASE}/api/me`, { headers })).status).toBe(401);
  }
});
