import { describe, expect, test } from "vitest";
import { SallyportError } from "../../../core/errors.ts";
import { SESSION_LIFETIME_MS } from "../../../core/identity/session-token.ts";
import { authApp } from "../../../functions/auth/app.ts";
import { ALICE, type DepsInMemory, depsInMemory, signedIn } from "../auth/installation.ts";

const BASE = "https://sallyport.example";
const deps = depsInMemory({ baseUrl: BASE });
const app = authApp(deps);

const ask = async (headers: Record<string, string>, method = "GET", path = "/api/passes"): Promise<Response> =>
  app.request(BASE + path, { method, headers });

const { cookie = "", authorization = "" } = {
  ...(await signedIn(deps, ALICE, "web")),
  ...(await signedIn(deps, ALICE)),
};
const webToken = cookie.split("=")[1] ?? "";
const cliToken = authorization.split(" ")[1] ?? "";
const strangers: readonly [string, Record<string, string>][] = [
  ["with nothing", {}],
  ["with an empty cookie", { cookie: "__Host-sallyport=" }],
  ["with the cookie under the name for plain http", { cookie: `sallyport=${webToken}` }],
  ["with a bearer token in the cookie", { cookie: `__Host-sallyport=${cliToken}` }],
  ["with the cookie's token as bearer", { authorization: `Bearer ${webToken}` }],
  ["with another scheme", { authorization: `Basic ${cliToken}` }],
  ["with two tokens in the header", { authorization: `Bearer ${cliToken} ${cliToken}` }],
  ["with the token alone in the header", { authorization: cliToken }],
  ["with an empty header", { authorization: "" }],
  ["with a header of a megabyte", { authorization: `Bearer ${"a".repeat(1 << 20)}` }],
  ["with a good cookie but a bad header", { cookie, authorization: "Bearer x" }],
  ["signed by another installation", await signedIn(depsInMemory({ baseUrl: BASE }), ALICE)],
];

describe("a request", () => {
  test("with a session in the cookie or a bearer token is let through as that person", async () => {
    for (const use of ["web", "cli"] as const)
      expect(await (await ask(await signedIn(deps, ALICE, use), "GET", "/api/me")).json()).toMatchObject({
        id: ALICE.id,
        groups: ["engineers"],
      });
  });

  test.each(strangers)("%s is refused as a stranger's", async (_what, headers) => {
    const response = await ask(headers);
    expect(response.status).toBe(401);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(response.headers.get("www-authenticate")).toMatch(/^Bearer/);
    expect(await response.json()).toMatchObject({ status: 401, code: "sign-in-required" });
  });

  test.each(strangers)("%s is sent to sign in when a browser asks for a page", async (_what, headers) => {
    const response = await ask({ ...headers, accept: "text/html,*/*" }, "GET", "/auth/device?user_code=BCDF-GHJK");
    expect(response.status).toBe(303);
    expect(response.headers.get("location")).toBe(
      `/auth/login?return_to=${encodeURIComponent("/auth/device?user_code=BCDF-GHJK")}`,
    );
  });

  test("of a program, or one that changes something, is never sent to sign in", async () => {
    const accept = "text/html";
    for (const [method, path] of [
      ["GET", "/api/me"],
      ["POST", "/passes"],
      ["DELETE", "/api/passes/x"],
    ] as const)
      expect((await ask({ accept }, method, path)).status).toBe(401);
  });

  test("is a stranger's again when the session is over", async () => {
    const own = depsInMemory({ baseUrl: BASE });
    const at = authApp(own);
    const headers = await signedIn(own, ALICE);
    own.advance(SESSION_LIFETIME_MS - 60_000);
    expect((await at.request("/api/me", { headers })).status).toBe(200);
    own.advance(60_000);
    expect((await at.request("/api/me", { headers })).status).toBe(401);
  });

  test("is let through by nobody while the store cannot tell whether the session was signed out", async () => {
    const isSignedOut = async (): Promise<never> =>
      Promise.reject(new SallyportError("store-unavailable", "the store is away"));
    const at = authApp({ ...deps, signIns: { ...deps.signIns, isSignedOut } });
    const response = await at.request("/api/me", {
      headers: { ...(await signedIn(deps, ALICE)), accept: "text/html" },
    });
    expect(response.status).toBe(503);
  });
});

describe("a request that changes something", () => {
  const forged: readonly Record<string, string>[] = [
    {},
    { origin: "https://evil.example" },
    { origin: "null" },
    { origin: "" },
    { origin: `${BASE}.evil.example` },
    { origin: "http://sallyport.example" },
    { origin: `${BASE}:8443` },
    { origin: BASE, "sec-fetch-site": "cross-site" },
    { origin: BASE, "sec-fetch-site": "same-site" },
    { origin: BASE, "sec-fetch-site": "none" },
    { origin: "https://evil.example", "sec-fetch-site": "same-origin" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "" },
    { referer: BASE },
  ];
  const changes: readonly [string, string][] = [
    ["POST", "/api/passes"],
    ["POST", "/passes"],
    ["DELETE", "/api/passes/x"],
    ["POST", "/passes/x/revoke"],
    ["POST", "/auth/device/decision"],
    ["POST", "/auth/logout"],
  ];

  test.each(forged)("with the cookie and %j is refused as forged", async (headers) => {
    const session = await signedIn(deps, ALICE, "web");
    for (const [method, path] of changes) {
      const response = await ask({ ...session, ...headers }, method, path);
      expect([path, response.status]).toEqual([path, 403]);
    }
    expect(await deps.passes.listFor(ALICE.id, 10)).toEqual([]);
  });

  test("with the cookie from a page of ours is let through, as any browser sends it", async () => {
    const own: DepsInMemory = depsInMemory({ baseUrl: BASE });
    const at = authApp(own);
    for (const headers of [
      { origin: BASE },
      { origin: BASE, "sec-fetch-site": "same-origin" },
      { origin: "null", "sec-fetch-site": "same-origin" },
      { "sec-fetch-site": "same-origin" },
    ]) {
      const all = { ...(await signedIn(own, ALICE, "web")), ...headers };
      expect((await at.request(`${BASE}/api/passes`, { method: "POST", headers: all })).status).toBe(201);
    }
  });

  test("with a bearer token needs no origin, as no page can make a browser send one", async () => {
    const own = depsInMemory({ baseUrl: BASE });
    const headers = { ...(await signedIn(own, ALICE)), origin: "https://evil.example" };
    expect((await authApp(own).request(`${BASE}/api/passes`, { method: "POST", headers })).status).toBe(201);
  });
});
