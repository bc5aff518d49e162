import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { signInOverHttp, browserless } from "../../../cli/browserless-sign-in.ts";
import { authApp } from "../../../functions/auth/app.ts";
import { DEMO_PASSWORD, DEMO_PEOPLE } from "../../../local/demo-people.ts";
import { ALICE, type Installation, depsInMemory, signedIn, startInstallation } from "./installation.ts";

let house: Installation;
beforeAll(async () => {
  house = await startInstallation();
});
afterAll(() => house.close());

const ALICE_LOGS_IN = { user: "alice@shop.example", password: DEMO_PASSWORD };

const me = (cookie: string): Promise<Response> => fetch(`${house.baseUrl}/api/me`, { headers: { cookie } });

/** Loads a login form by asking for a page, and fills it in. */
async function logInAt(path: string): Promise<{ url: URL; status: number; text: string }> {
  const browser = browserless();
  return browser.submit(await browser.open(house.baseUrl + path), ALICE_LOGS_IN);
}

describe("with the embedded provider", () => {
  test.each(DEMO_PEOPLE.map((person) => [person.email, person] as const))(
    "%s signs in over HTTP and is known by issuer, subject and groups",
    async (user, person) => {
      const { cookie } = await signInOverHttp(house.baseUrl, { user, password: person.password });
      expect(await (await me(cookie)).json()).toMatchObject({
        id: `${house.provider.issuer}|${person.sub}`,
        name: person.email,
        groups: person.groups,
      });
    },
  );

  test("a person comes back to the page that was asked for, with its query", async () => {
    const page = await logInAt("/auth/device?user_code=");
    expect(page.url.href).toBe(`${house.baseUrl}/auth/device?user_code=`);
  });

  test("a change of its keys does not keep anybody out", async () => {
    for (let times = 0; times < 2; times++) {
      await signInOverHttp(house.baseUrl, ALICE_LOGS_IN);
      await house.provider.rotateKeys();
    }
    await expect(signInOverHttp(house.baseUrl, ALICE_LOGS_IN)).resolves.toBeDefined();
  });

  test.each(["wrong", "", `${DEMO_PASSWORD} `, DEMO_PASSWORD.toUpperCase(), "x".repeat(10_000)])(
    "the password %.20j signs nobody in",
    async (password) => {
      await expect(signInOverHttp(house.baseUrl, { ...ALICE_LOGS_IN, password })).rejects.toMatchObject({
        code: "sign-in-failed",
      });
    },
  );

  test("an unknown user with an empty password is nobody", async () => {
    for (const user of ["eve", "", "' OR 1=1 --", "alice@shop.example\0"])
      await expect(signInOverHttp(house.baseUrl, { user, password: "" })).rejects.toMatchObject({
        code: "sign-in-failed",
      });
  });

  test("what was typed as the user comes back escaped", async () => {
    const browser = browserless();
    const form = await browser.open(`${house.baseUrl}/auth/login`);
    const again = await browser.submit(form, { user: `"><script>alert(1)</script>`, password: "x" });
    expect(again.status).toBe(401);
    expect(again.text).toContain("&lt;script&gt;");
    expect(again.text).not.toContain("<script>");
  });

  test("a person who signed in once need not type the password again, unless asked to as someone else", async () => {
    const browser = browserless();
    await browser.submit(await browser.open(`${house.baseUrl}/`), ALICE_LOGS_IN);
    expect((await browser.open(`${house.baseUrl}/auth/login`)).url.origin).toBe(house.baseUrl);
    const form = await browser.open(`${house.baseUrl}/auth/login?prompt=login`);
    const home = await browser.submit(form, { user: "bob@shop.example", password: DEMO_PASSWORD });
    expect(home.text).toContain("bob@shop.example");
    expect(home.text).not.toContain("alice@shop.example");
  });

  test("a request without PKCE is turned away by the provider", async () => {
    const url = new URL("/auth", house.provider.issuer);
    url.search = new URLSearchParams({
      client_id: "sallyport",
      response_type: "code",
      scope: "openid",
      redirect_uri: `${house.baseUrl}/auth/callback`,
    }).toString();
    const location = (await fetch(url, { redirect: "manual" })).headers.get("location") ?? "";
    expect(new URL(location).searchParams.get("error")).toBe("invalid_request");
  });

  test("twenty wrong passwords lock a person's account for a while, and nobody else's", async () => {
    const other = await startInstallation();
    const attempt = (user: string, password: string): Promise<unknown> =>
      signInOverHttp(other.baseUrl, { user, password }).catch((thrown: unknown) => thrown);
    for (let times = 0; times < 20; times++) await attempt("alice", `guess ${times}`);
    expect(await attempt("alice", DEMO_PASSWORD)).toMatchObject({ code: "sign-in-failed" });
    expect(await attempt("bob", DEMO_PASSWORD)).toHaveProperty("cookie");
    await other.close();
  });
});

describe("return_to", () => {
  const hostile = [
    "https://evil.example",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "?x",
    "",
    "/ünïcode",
    "/\0",
    "/sessions\r\nSet-Cookie: a=b",
    `/${"a".repeat(2000)}`,
    "/auth/login",
    "/auth/login?return_to=/auth/login",
    "/auth/callback?code=x",
    "/x/../auth/login",
    "/auth/./logout",
    "/%2e%2e/auth/login",
  ];
  const app = authApp(depsInMemory({ baseUrl: "https://sallyport.example" }));

  test.each(hostile)("is refused as %j, before the provider is asked", async (text) => {
    const response = await app.request(`/auth/login?return_to=${encodeURIComponent(text)}`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: "bad-request" });
  });

  test.each([
    "/.//evil.example",
    "/x/..//evil.example",
    "/%2f/evil.example",
    "/@evil.example",
    "/:80",
    "/?//evil.example",
  ])("as %j stays on this site", async (text) => {
    const page = await logInAt(`/auth/login?return_to=${encodeURIComponent(text)}`);
    expect(page.url.origin).toBe(house.baseUrl);
  });

  test("never leads to another origin, whatever page was asked for without a session", async () => {
    for (const path of ["//evil.example", "/\\evil.example", "/auth/device//evil.example", "/?next=//evil.example"]) {
      const response = await fetch(`${house.baseUrl}${path}`, { headers: { accept: "text/html" }, redirect: "manual" });
      const location = response.headers.get("location");
      if (location !== null) expect(new URL(location, house.baseUrl).origin).toBe(house.baseUrl);
    }
  });
});

describe("signing out", () => {
  const post = (cookie: string, origin = house.baseUrl): Promise<Response> =>
    fetch(`${house.baseUrl}/auth/logout`, { method: "POST", headers: { cookie, origin }, redirect: "manual" });

  test("ends the session in the browser and every copy of its cookie", async () => {
    const { cookie } = await signInOverHttp(house.baseUrl, ALICE_LOGS_IN);
    expect((await me(cookie)).status).toBe(200);
    const response = await post(cookie);
    expect(response.status).toBe(303);
    expect(response.headers.getSetCookie().join()).toMatch(/sallyport=;.*Max-Age=0/);
    expect((await me(cookie)).status).toBe(401);
    const after = await fetch(new URL(response.headers.get("location") ?? "", house.baseUrl));
    expect(await after.text()).toContain("signed out");
  });

  test("leaves the person's other sessions alone", async () => {
    const [first, second] = [
      await signInOverHttp(house.baseUrl, ALICE_LOGS_IN),
      await signInOverHttp(house.baseUrl, ALICE_LOGS_IN),
    ];
    await post(first.cookie);
    expect((await me(second.cookie)).status).toBe(200);
  });

  test("cannot be done to somebody by another site", async () => {
    const { cookie } = await signInOverHttp(house.baseUrl, ALICE_LOGS_IN);
    expect((await post(cookie, "https://evil.example")).status).toBe(403);
    expect((await me(cookie)).status).toBe(200);
  });

  test("cannot be forced on a browser that withholds its cookie from another site's form", async () => {
    const response = await post("", "https://evil.example");
    expect([response.status, response.headers.getSetCookie()]).toEqual([403, []]);
  });

  test("works without a session, and with an unreadable one", async () => {
    for (const cookie of ["", "sallyport=x"]) expect((await post(cookie)).status).toBe(303);
  });

  test("ends a bearer token too", async () => {
    const headers = await signedIn(house.deps, ALICE);
    const url = (path: string): string => house.baseUrl + path;
    expect((await fetch(url("/api/me"), { headers })).status).toBe(200);
    expect((await fetch(url("/auth/logout"), { method: "POST", headers })).status).toBe(204);
    expect((await fetch(url("/api/me"), { headers })).status).toBe(401);
  });

  test("is not said to be done when the store cannot keep it", async () => {
    const broken = depsInMemory({ baseUrl: "https://sallyport.example" });
    const signOut = async (): Promise<never> => Promise.reject(new Error("disk full"));
    const app = authApp({ ...broken, signIns: { ...broken.signIns, signOut } });
    const headers = await signedIn(broken, ALICE);
    expect((await app.request("/auth/logout", { method: "POST", headers })).status).toBe(500);
  });
});
