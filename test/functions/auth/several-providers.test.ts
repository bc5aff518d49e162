import type { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Provider } from "../../../core/config/identity.ts";
import { authApp } from "../../../functions/auth/app.ts";
import { type FakeProvider, startFakeProvider } from "./fake-provider.ts";
import { CLIENT, depsInMemory, oidcProvider } from "./installation.ts";
import { BASE, samlBrowser } from "./saml-browser.ts";
import { SSO_URL, responseXml, rsaPair, samlProvider, signed } from "./saml-idp.ts";

const keys = await rsaPair();
const CORP = samlProvider(keys, { domains: ["corp.example"] });

let shop: FakeProvider;
let partner: FakeProvider;
let app: Hono;
let log: string[];

beforeEach(async () => {
  [shop, partner] = [await startFakeProvider(CLIENT), await startFakeProvider(CLIENT)];
  use([
    oidcProvider(shop.issuer, { domains: ["shop.example", "xn--mnchen-3ya.example"] }),
    oidcProvider(partner.issuer, { id: "partner", domains: ["partner.example"], groupPrefix: "partner:" }),
    CORP,
  ]);
});
afterEach(async () => {
  await Promise.all([shop.close(), partner.close()]);
});

function use(providers: readonly Provider[]): void {
  const deps = depsInMemory({ baseUrl: BASE, providers });
  [app, log] = [authApp(deps), deps.log];
}

const FORM = { "content-type": "application/x-www-form-urlencoded", origin: BASE };
const ask = (fields: Record<string, string>, headers: Record<string, string> = FORM): Promise<Response> =>
  Promise.resolve(
    app.request(`${BASE}/auth/login`, { method: "POST", body: new URLSearchParams(fields).toString(), headers }),
  );

/** Where a browser goes that followed the page after the address was given. */
async function sentTo(email: string): Promise<URL> {
  const page = await ask({ email, return_to: "/sessions" });
  expect(page.status).toBe(200);
  const onward = /^0; url=(.*)$/.exec(page.headers.get("refresh") ?? "")?.[1] ?? "";
  const away = await app.request(BASE + onward);
  return new URL(away.headers.get("location") ?? "");
}

interface Back {
  readonly response: Response;
  readonly me: Record<string, unknown>;
}

/** A sign-in by OIDC at this provider, which comes back to this address. */
async function signInAt(
  provider: FakeProvider,
  id: string,
  claims: Record<string, unknown>,
  path?: string,
): Promise<Back> {
  const away = await app.request(`${BASE}/auth/login?provider=${id}`);
  const query = new URL(away.headers.get("location") ?? "").searchParams;
  const redirect = new URL(query.get("redirect_uri") ?? "");
  provider.claims = claims;
  provider.nonce = query.get("nonce");
  const back = new URLSearchParams({ code: "the-code", state: query.get("state") ?? "", iss: provider.issuer });
  const cookie = away.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  const response = await app.request(`${BASE}${path ?? redirect.pathname}?${back.toString()}`, { headers: { cookie } });
  const session = response.headers.getSetCookie().find((line) => line.startsWith("__Host-sallyport=")) ?? "";
  const me = await app.request(`${BASE}/api/me`, { headers: { cookie: session.split(";")[0] ?? "" } });
  return { response, me: (await me.json()) as Record<string, unknown> };
}

describe("which provider", () => {
  test("is asked by e-mail address, and the page remembers nothing", async () => {
    const page = await app.request(`${BASE}/auth/login?return_to=/sessions`);
    expect([page.status, page.headers.getSetCookie()]).toEqual([200, []]);
    expect(await page.text()).toContain('type="email"');
    const answer = await ask({ email: "ana@shop.example", return_to: "/sessions" });
    expect([answer.headers.getSetCookie(), answer.headers.get("cache-control")]).toEqual([[], "no-store"]);
    expect((await answer.text()) + (answer.headers.get("refresh") ?? "") + log.join("")).not.toContain("ana@");
  });

  test("is that of the address's domain, however it is written", async () => {
    for (const [email, origin] of [
      ["ana@shop.example", shop.issuer],
      [" ANA@Shop.Example ", shop.issuer],
      ["ana@münchen.example", shop.issuer],
      ["bo@partner.example", partner.issuer],
      ["cy@corp.example", new URL(SSO_URL).origin],
    ] as const)
      expect((await sentTo(email)).origin).toBe(new URL(origin).origin);
  });

  test.each([
    "x@evil.example",
    "x@x.shop.example",
    "x@shop.example.evil.example",
    "shop.example",
    "@shop.example",
    "",
    "a@b@shop.example",
    "x".repeat(999),
  ])("is none for %j, and what was typed is not shown again", async (email) => {
    const page = await ask({ email, return_to: "/sessions" });
    expect(page.status).toBe(404);
    const text = await page.text();
    expect(text).toContain("No identity provider");
    expect(text).not.toMatch(/value="[^"]*(?:evil|shop)\.example/);
  });

  test("without domains has every address that no other has", async () => {
    use([oidcProvider(shop.issuer), CORP]);
    expect((await sentTo("x@anywhere.example")).origin).toBe(shop.issuer);
    expect((await sentTo("x@corp.example")).origin).toBe(new URL(SSO_URL).origin);
  });

  test("is not asked where there is only one", async () => {
    use([CORP]);
    const response = await app.request(`${BASE}/auth/login`);
    expect(new URL(response.headers.get("location") ?? "").href).toContain(SSO_URL);
  });

  test("cannot be one that is not there, nor lead to another site", async () => {
    expect((await app.request(`${BASE}/auth/login?provider=evil`)).status).toBe(404);
    expect((await ask({ email: "ana@shop.example", return_to: "//evil.example" })).status).toBe(400);
    expect((await ask({ email: "ana@shop.example" }, { ...FORM, origin: "https://evil.example" })).status).toBe(403);
  });
});

describe("a provider", () => {
  test("signs in its own, each by an id of its own", async () => {
    const one = await signInAt(shop, "oidc", { sub: "7", email: "ana@shop.example", groups: ["dba"] });
    expect(one.me).toMatchObject({ id: `${shop.issuer}|7`, name: "ana@shop.example", groups: ["dba"] });
    const two = await signInAt(partner, "partner", { sub: "7", email: "bo@partner.example", groups: ["dba"] });
    expect(two.me).toMatchObject({ id: `${partner.issuer}|7`, groups: ["partner:dba"] });
    const three = samlBrowser(app);
    const { requestId, relayState } = await three.start();
    const attributes = { email: ["cy@corp.example"] };
    const xml = responseXml({ base: BASE, inResponseTo: requestId, nameId: "7", attributes });
    await three.bring(signed(xml, keys), relayState);
    expect(await three.me()).toMatchObject({ id: "saml:https://idp.example/saml|7", name: "cy@corp.example" });
  });

  test.each<[string, Record<string, unknown>]>([
    ["another provider's address", { email: "ana@shop.example" }],
    ["another provider's address in capitals", { email: "ANA@SHOP.EXAMPLE" }],
    ["an address of nobody's", { email: "x@evil.example" }],
    ["a domain below its own", { email: "x@a.partner.example" }],
    ["a user name like an address", { preferred_username: "ana@shop.example" }],
    ["a user name like an address in other letters", { preferred_username: "ana＠shop.example" }],
    [
      "an unverified address as user name",
      { email: "ana@shop.example", email_verified: false, preferred_username: "ana@shop.example" },
    ],
    ["an address in quotes", { email: `"ana@shop.example"@partner.example` }],
    ["two addresses", { email: "ana@shop.example,bo@partner.example" }],
  ])("may not vouch for %s", async (_, claims) => {
    const { response, me } = await signInAt(partner, "partner", { sub: "7", ...claims });
    expect([response.status, me["code"]]).toEqual([401, "sign-in-required"]);
    expect(log.join()).toContain("not its own");
  });

  test("without domains may not vouch for those of another", async () => {
    use([oidcProvider(shop.issuer), CORP]);
    expect((await signInAt(shop, "oidc", { sub: "7", email: "cy@corp.example" })).response.status).toBe(401);
    expect((await signInAt(shop, "oidc", { sub: "7", email: "cy@else.example" })).response.status).toBe(303);
  });

  test("has an address of its own to come back to, and cannot pass off what another gave (mix-up)", async () => {
    const claims = { sub: "7", email: "bo@partner.example" };
    const { response } = await signInAt(partner, "partner", claims, "/auth/callback");
    expect([response.status, await response.json()]).toMatchObject([
      401,
      { detail: expect.stringContaining("not started in this browser") as string },
    ]);
    expect(log.join()).not.toContain("a sign-in failed"); // the other provider was not asked to redeem the code
    expect((await signInAt(partner, "partner", claims, "/auth/callback/corp")).response.status).toBe(404);
    const away = await app.request(`${BASE}/auth/login?provider=partner`);
    const query = new URL(away.headers.get("location") ?? "").searchParams;
    expect(query.get("redirect_uri")).toBe(`${BASE}/auth/callback/partner`);
  });

  test("cannot end a sign-in that began at another: neither OIDC by SAML nor the other way", async () => {
    const browser = samlBrowser(app);
    const { requestId, relayState } = await browser.start();
    const other = await app.request(`${BASE}/auth/login?provider=oidc`);
    const [name = "", value = ""] = other.headers.getSetCookie()[0]?.split(";")[0]?.split("=") ?? [];
    browser.cookies.set(name, value);
    const xml = responseXml({ base: BASE, inResponseTo: requestId, attributes: { email: ["cy@corp.example"] } });
    expect((await browser.bring(signed(xml, keys), relayState)).status).toBe(401);
  });
});
