import { createHash, randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Hono } from "hono";
import { authApp } from "../../../functions/auth/app.ts";
import type { AuthDeps } from "../../../functions/auth/deps.ts";
import type { KnownPerson } from "../../../core/ports/people-store.ts";
import { type FakeProvider, startFakeProvider } from "./fake-provider.ts";
import { CLIENT, type DepsInMemory, depsInMemory, oidcProvider } from "./installation.ts";

const BASE = "https://sallyport.example";
let provider: FakeProvider;
let deps: DepsInMemory;
let app: Hono;

beforeEach(async () => {
  provider = await startFakeProvider(CLIENT);
  deps = withIssuer(provider.issuer);
  app = authApp(deps);
});
afterEach(() => provider.close());

function withIssuer(issuer: string, over: Partial<AuthDeps> = {}): DepsInMemory {
  const plain = depsInMemory({ baseUrl: BASE, ...over });
  return { ...plain, providers: [oidcProvider(issuer)] };
}

interface Started {
  readonly ask: URLSearchParams;
  readonly cookie: string;
}

/** The first half of a sign-in: what the browser is sent away with. */
async function start(to: Hono = app): Promise<Started> {
  const response = await to.request(`${BASE}/auth/login?return_to=/sessions`);
  expect(response.status).toBe(303);
  const location = new URL(response.headers.get("location") ?? "");
  expect(location.origin + location.pathname).toBe(`${provider.issuer}/authorize`);
  return { ask: location.searchParams, cookie: response.headers.getSetCookie()[0]?.split(";")[0] ?? "" };
}

/** The second half, as an honest browser does it, unless told otherwise. */
async function comeBack(
  { ask, cookie }: Started,
  { state = ask.get("state") ?? "", iss = provider.issuer, to = app }: { state?: string; iss?: string; to?: Hono } = {},
): Promise<Response> {
  provider.nonce = ask.get("nonce");
  const query = new URLSearchParams({ code: "the-code", state, iss });
  return to.request(`${BASE}/auth/callback?${query.toString()}`, { headers: { cookie } });
}

const sessionCookie = (response: Response): string =>
  response.headers
    .getSetCookie()
    .find((line) => line.startsWith("__Host-sallyport="))
    ?.split(";")[0] ?? "";

async function me(response: Response, at: Hono = app): Promise<Record<string, unknown>> {
  const answer = await at.request(`${BASE}/api/me`, { headers: { cookie: sessionCookie(response) } });
  return (await answer.json()) as Record<string, unknown>;
}

async function expectRefused(response: Response): Promise<void> {
  expect(response.status).toBe(401);
  expect(await response.json()).toMatchObject({ code: "sign-in-failed" });
  expect(sessionCookie(response)).toBe("");
}

describe("who has signed in", () => {
  test.each([
    [{ email: "ana@shop.example", email_verified: true }, "ana@shop.example"],
    [{ email: "ana@shop.example" }, "ana@shop.example"],
    [{ email: "bob@shop.example", email_verified: false, preferred_username: "bob@shop.example" }, undefined],
    [{}, undefined],
  ])(
    "is remembered with their groups, and with an address unless it is said to be unverified: %j",
    async (claims, email) => {
      const people: KnownPerson[] = [];
      app = authApp({ ...deps, people: { ...deps.people, signedIn: async (one) => void people.push(one) } });
      provider.claims = { ...claims, groups: ["approvers"] };
      expect((await comeBack(await start())).status).toBe(303);
      expect(people).toMatchObject([{ email, groups: ["approvers"] }]);
      expect(people[0]?.id).toMatch(`${provider.issuer}|`);
    },
  );
});

describe("signing in by OIDC", () => {
  test("sends the browser away with a fresh state, nonce and S256 challenge, and with its cookie only", async () => {
    const [first, second] = [await start(), await start()];
    expect(Object.fromEntries(first.ask)).toMatchObject({
      client_id: CLIENT.id,
      response_type: "code",
      redirect_uri: `${BASE}/auth/callback`,
      scope: "openid email profile groups",
      code_challenge_method: "S256",
    });
    for (const fresh of ["state", "nonce", "code_challenge"]) {
      expect(first.ask.get(fresh)?.length).toBeGreaterThanOrEqual(43);
      expect(first.ask.get(fresh)).not.toBe(second.ask.get(fresh));
    }
    for (const secret of ["state", "nonce"]) expect(first.cookie).not.toContain(first.ask.get(secret));
  });

  test("ends with a session of the person that the ID token names, and back where it began", async () => {
    provider.claims = { email: "alice@shop.example", groups: ["engineers", "dba", "dba"] };
    const started = await start();
    const response = await comeBack(started);
    expect(response.status).toBe(303);
    expect(response.headers.get("location")).toBe(`${BASE}/sessions`);
    expect(await me(response)).toMatchObject({
      kind: "user",
      id: `${provider.issuer}|alice`,
      name: "alice@shop.example",
      groups: ["engineers", "dba"],
    });
    const verifier = provider.tokenRequests[0]?.get("code_verifier") ?? "";
    expect(createHash("sha256").update(verifier).digest("base64url")).toBe(started.ask.get("code_challenge"));
  });

  test("sets a cookie that no script, no other host and no plain connection gets", async () => {
    const line = (await comeBack(await start())).headers
      .getSetCookie()
      .find((one) => one.startsWith("__Host-sallyport="));
    for (const attribute of ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"]) expect(line).toContain(attribute);
    expect(line).not.toContain("Domain");
  });

  test("reads the provider's description and keys once for many sign-ins", async () => {
    for (let times = 0; times < 3; times++) expect((await comeBack(await start())).status).toBe(303);
    expect(provider.asked.get("/.well-known/openid-configuration")).toBe(1);
    expect(provider.asked.get("/jwks")).toBe(1);
  });

  test("accepts a key that the provider has changed to, at once and without a restart", async () => {
    expect((await comeBack(await start())).status).toBe(303);
    for (let times = 0; times < 3; times++) {
      await provider.rotate();
      expect((await comeBack(await start())).status).toBe(303);
    }
    expect(provider.asked.get("/jwks")).toBe(4);
  });
});

describe("a sign-in is refused", () => {
  test.each(["impostor", "unknown", "none", "client-secret"] as const)(
    "when the ID token is signed by: %s",
    async (signing) => {
      provider.signing = signing;
      await expectRefused(await comeBack(await start()));
      expect(provider.tokenRequests).toHaveLength(1);
    },
  );

  const past = Math.floor(Date.now() / 1000) - 120;
  test.each<[string, Record<string, unknown>]>([
    ["with the nonce of another sign-in", { nonce: "other" }],
    ["without a nonce", { nonce: undefined }],
    ["for another audience", { aud: "another-client" }],
    ["for no audience", { aud: undefined }],
    ["for us among others, authorised for another", { aud: [CLIENT.id, "other"], azp: "other" }],
    ["of another issuer", { iss: "https://evil.example" }],
    ["that has expired", { exp: past, iat: past - 60 }],
    ["that never expires", { exp: undefined }],
    ["without a subject", { sub: undefined }],
    ["with an empty subject", { sub: "" }],
    ["with a subject that is no text", { sub: 7 }],
    ["with a subject of 256 characters", { sub: "a".repeat(256) }],
    ["with groups that are no list", { groups: { admins: true } }],
    ["with a group that is no text", { groups: ["engineers", 7] }],
  ])("when the ID token is one %s", async (_what, claims) => {
    provider.claims = claims;
    await expectRefused(await comeBack(await start()));
  });

  test("when the state is another's, missing or empty", async () => {
    for (const state of [randomBytes(32).toString("base64url"), "", "undefined"])
      await expectRefused(await comeBack(await start(), { state }));
    expect(provider.tokenRequests).toHaveLength(0);
  });

  test("when the answer claims to come from another provider (RFC 9207)", async () => {
    await expectRefused(await comeBack(await start(), { iss: "https://evil.example" }));
    expect(provider.tokenRequests).toHaveLength(0);
  });

  test("when the browser did not start it, or shows another browser's or a changed cookie", async () => {
    const [mine, other] = [await start(), await start()];
    const changed = `${mine.cookie.slice(0, -4)}AAAA`;
    const cookies = [
      "",
      other.cookie,
      changed,
      "__Host-sallyport-sign-in=x",
      `__Host-sallyport-sign-in=${"a.".repeat(5000)}`,
    ];
    for (const cookie of cookies) await expectRefused(await comeBack({ ...mine, cookie }));
    expect(provider.tokenRequests).toHaveLength(0);
  });

  test("when it took more than ten minutes", async () => {
    const started = await start();
    deps.advance(10 * 60 * 1000 + 1000);
    await expectRefused(await comeBack(started));
  });

  test("when its cookie was sealed by another installation", async () => {
    const started = await start();
    const other = authApp(withIssuer(provider.issuer));
    await expectRefused(await comeBack(started, { to: other }));
  });

  test("when the person cancels it, and the page repeats nothing of what the address says", async () => {
    const { ask, cookie } = await start();
    const query = new URLSearchParams({
      error: "access_denied",
      error_description: "<script>alert(1)</script>",
      state: ask.get("state") ?? "",
      iss: provider.issuer,
    });
    const response = await app.request(`${BASE}/auth/callback?${query.toString()}`, {
      headers: { cookie, accept: "text/html" },
    });
    expect(response.status).toBe(401);
    const text = await response.text();
    expect(text).toContain("cancelled");
    expect(text).not.toContain("script>");
  });

  test("with the reason in the log, and none of the secrets", async () => {
    provider.claims = { nonce: "other" };
    await comeBack(await start());
    expect(deps.log.join("")).toContain("a sign-in failed");
    for (const secret of ["the-code", CLIENT.secret]) expect(deps.log.join("")).not.toContain(secret);
  });
});

describe("the claims of an ID token", () => {
  test.each<[string, Record<string, unknown>, { name: string; groups: string[] }]>([
    ["nothing but a subject", {}, { name: "alice", groups: [] }],
    ["a user name", { preferred_username: "ali" }, { name: "ali", groups: [] }],
    ["an e-mail address too", { preferred_username: "ali", email: "a@b.example" }, { name: "a@b.example", groups: [] }],
    ["an unverified address", { email: "ceo@b.example", email_verified: false }, { name: "alice", groups: [] }],
    ["one group as a text", { groups: "engineers" }, { name: "alice", groups: ["engineers"] }],
    ["an address that is no text", { email: ["x"] }, { name: "alice", groups: [] }],
  ])("with %s make a principal", async (_what, claims, expected) => {
    provider.claims = claims;
    expect(await me(await comeBack(await start()))).toMatchObject(expected);
  });

  test("name the groups in the claim that is configured, and in no property that every object has", async () => {
    for (const [groupsClaim, groups] of [
      ["https://idp.example/roles", ["a"]],
      ["constructor", []],
      ["__proto__", []],
    ] as const) {
      const other = withIssuer(provider.issuer);
      const at = authApp({ ...other, providers: [oidcProvider(provider.issuer, { groupsClaim })] });
      provider.claims = { "https://idp.example/roles": ["a"], groups: ["b"] };
      expect(await me(await comeBack(await start(at), { to: at }), at)).toMatchObject({ groups });
    }
  });
});

describe("a provider", () => {
  test("that is down gives a clear error, and is asked again for the next sign-in", async () => {
    provider.down = true;
    const response = await app.request(`${BASE}/auth/login`);
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ code: "identity-provider-unavailable" });
    provider.down = false;
    expect((await comeBack(await start())).status).toBe(303);
  });

  test("that goes away in the middle of a sign-in ends it without a session", async () => {
    const started = await start();
    await provider.close();
    const response = await comeBack(started);
    expect(response.status).toBe(502);
    expect(sessionCookie(response)).toBe("");
    provider = await startFakeProvider(CLIENT);
  });

  test.each(["http://idp.example", "http://10.0.0.1", "http://127.0.0.1.evil.example", "ftp://127.0.0.1", "idp", ""])(
    "at %j is not accepted at start",
    (issuer) => {
      expect(() => authApp(withIssuer(issuer))).toThrow(expect.objectContaining({ code: "configuration-invalid" }));
    },
  );

  test.each(["https://idp.example", "http://127.0.0.1:9", "http://localhost:9", "http://[::1]:9"])(
    "at %j is accepted at start, and not asked before someone signs in",
    (issuer) => {
      expect(() => authApp(withIssuer(issuer))).not.toThrow();
    },
  );
});

test.each(["http://sallyport.example", "http://127.0.0.1.evil.example", "https://h/path", "https://u@h", "x", ""])(
  "an installation at %j does not start",
  (baseUrl) => {
    expect(() => authApp(withIssuer("https://idp.example", { baseUrl }))).toThrow(
      expect.objectContaining({ code: "configuration-invalid" }),
    );
  },
);

test("a sign-in from before somebody's access was ended comes to nothing, however long it takes, and a new one is good", async () => {
  provider.claims = { email: "alice@shop.example" };
  expect((await comeBack(await start())).status).toBe(303);
  const [alice] = await deps.people.withEmail("alice@shop.example");
  if (alice === undefined) throw new Error("nobody has signed in");
  const begun = await start();
  deps.advance(1_000);
  await deps.signIns.endAccess(alice.id, deps.clock());
  deps.advance(1_000);
  const late = await comeBack(begun);
  expect([late.status, sessionCookie(late)]).toEqual([401, ""]);
  expect((await deps.people.find(alice.id))?.seenAt).toBe(alice.seenAt); // her public keys do not wake either
  expect((await comeBack(await start())).status).toBe(303);
});
