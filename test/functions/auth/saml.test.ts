import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { browserless } from "../../../cli/browserless-sign-in.ts";
import type { SamlProvider } from "../../../core/config/identity.ts";
import type { PrincipalId } from "../../../core/identity/principal.ts";
import { authApp } from "../../../functions/auth/app.ts";
import { checkSamlProviders } from "../../../functions/auth/saml-sign-in.ts";
import { type DepsInMemory, depsInMemory, startInstallation } from "./installation.ts";
import { BASE, SESSION, type SamlBrowser, samlBrowser } from "./saml-browser.ts";
import * as idp from "./saml-idp.ts";

let keys: idp.KeyPair;
let ours: idp.KeyPair;
let weak: idp.KeyPair;
beforeAll(async () => {
  [keys, ours, weak] = [await idp.rsaPair(), await idp.rsaPair(), await idp.rsaPair(1024)];
});

let deps: DepsInMemory;
let browser: SamlBrowser;
function withProvider(over: Partial<SamlProvider> = {}): void {
  deps = depsInMemory({ baseUrl: BASE, providers: [idp.samlProvider(keys, over)] });
  browser = samlBrowser(authApp(deps));
}
beforeEach(() => withProvider());

/** Signs in with what the provider tells. */
async function signIn(over: Partial<idp.Told> = {}): Promise<Response> {
  const { requestId, relayState } = await browser.start();
  return browser.bring(idp.signed(idp.responseXml({ base: BASE, inResponseTo: requestId, ...over }), keys), relayState);
}

test("over HTTP, through the provider's own site, a person comes to the page that was asked for", async () => {
  let base = "";
  const provider = await idp.startIdp(
    () => `${base}/auth/saml/corp/acs`,
    ({ requestId }) => idp.signed(idp.responseXml({ base, inResponseTo: requestId }), keys),
  );
  const { entityId, certificates } = { entityId: idp.IDP_ENTITY, certificates: [keys.cert] };
  const metadata = { entityId, ssoUrl: provider.ssoUrl, certificates };
  const house = await startInstallation({}, () => [idp.samlProvider(keys, { metadata })]);
  base = house.baseUrl;
  const browsing = browserless();
  const form = await browsing.open(`${base}/ssh-keys`);
  expect(form.url.hostname).toBe("localhost");
  const page = await browsing.submit(form, {});
  expect([page.status, page.url.href]).toEqual([200, `${base}/ssh-keys`]);
  const me = await fetch(`${base}/api/me`, { headers: { cookie: browsing.cookie(base) } });
  expect(await me.json()).toMatchObject({ name: "alice@shop.example", groups: ["engineers", "approvers"] });
  await house.close();
  await provider.close();
});

describe("who has signed in", () => {
  test("is known by provider and name, by no id that an OIDC provider could give", async () => {
    expect((await signIn()).headers.get("location")).toBe(`${BASE}/sessions`);
    const me = await browser.me();
    expect(me).toMatchObject({ id: `saml:${idp.IDP_ENTITY}|alice-7`, groups: ["engineers", "approvers"] });
    expect([...browser.cookies.keys()]).toEqual([SESSION]);
  });

  test.each<[string, Partial<SamlProvider>, Partial<idp.Told>, Record<string, unknown>]>([
    ["by the e-mail address", {}, {}, { name: "alice@shop.example" }],
    ["by the name where there is none", {}, { attributes: { email: [] } }, { name: "Alice" }],
    ["by the id where there is neither", {}, { attributes: { email: [], displayName: [] } }, { name: "alice-7" }],
    [
      "by the attributes that the settings name",
      { emailAttribute: "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress" },
      { attributes: { "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress": ["a@b.example"] } },
      { name: "a@b.example" },
    ],
    [
      "by a name id that is an e-mail address",
      { nameIdFormat: "emailAddress" },
      {
        nameId: "alice@shop.example",
        format: "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
        attributes: { email: [] },
      },
      { id: `saml:${idp.IDP_ENTITY}|alice@shop.example`, name: "alice@shop.example" },
    ],
    ["with no groups where none are told", {}, { attributes: { groups: [] } }, { groups: [] }],
    ["with each group once", {}, { attributes: { groups: ["a", "b", "a"] } }, { groups: ["a", "b"] }],
    [
      "with groups marked as the settings say",
      { groupPrefix: "corp:" },
      {},
      { groups: ["corp:engineers", "corp:approvers"] },
    ],
    ["with no groups of another attribute", { groupsAttribute: "constructor" }, {}, { groups: [] }],
    [
      "with a character that XML must write differently",
      {},
      { nameId: "r&amp;d&#x40;x" },
      { id: `saml:${idp.IDP_ENTITY}|r&d@x` },
    ],
  ])("is known %s", async (_, over, told, expected) => {
    withProvider(over);
    expect((await signIn(told)).status).toBe(303);
    expect(await browser.me()).toMatchObject(expected);
  });

  test("is the same person when the whole response is signed as well", async () => {
    const { requestId, relayState } = await browser.start();
    const xml = idp.signed(idp.responseXml({ base: BASE, inResponseTo: requestId }), keys);
    expect((await browser.bring(idp.signed(xml, keys, { part: "Response" }), relayState)).status).toBe(303);
  });

  test("may be vouched for by either key while the provider changes it", async () => {
    const metadata = { entityId: idp.IDP_ENTITY, ssoUrl: idp.SSO_URL, certificates: [ours.cert, keys.cert] };
    withProvider({ metadata });
    expect((await signIn()).status).toBe(303);
  });
});

describe("the request", () => {
  test("says who asks, and where to answer", async () => {
    const { xml, requestId } = await browser.start();
    expect(requestId).toMatch(/^_[0-9a-f]{40}$/);
    expect(xml).toContain(`AssertionConsumerServiceURL="${BASE}/auth/saml/corp/acs"`);
    expect(xml).toContain(`>${BASE}/auth/saml/corp/metadata</saml:Issuer>`);
    expect(xml).toContain("nameid-format:persistent");
    expect(xml).not.toContain("ForceAuthn");
  });

  test("asks for the password again where somebody signs in as another person", async () => {
    const response = await authApp(deps).request(`${BASE}/auth/login?prompt=login`);
    expect(idp.askedBy(new URL(response.headers.get("location") ?? "")).xml).toContain('ForceAuthn="true"');
  });

  test("is never the same, nor is what comes back with it", async () => {
    const [one, other] = [await browser.start(), await browser.start()];
    expect(one.requestId).not.toBe(other.requestId);
    expect(one.relayState).not.toBe(other.relayState);
  });

  test("is not made for a page of another site, nor by a provider that is not there", async () => {
    const app = authApp(deps);
    expect((await app.request(`${BASE}/auth/saml/corp/start?return_to=//evil.example`)).status).toBe(400);
    for (const path of ["nobody/start", "nobody/metadata", "constructor/start"])
      expect((await app.request(`${BASE}/auth/saml/${path}`)).status).toBe(404);
  });
});

describe("a sign-in that begins at the provider", () => {
  const unasked = (over: Partial<idp.Told> = {}): string => idp.signed(idp.responseXml({ base: BASE, ...over }), keys);

  test("is refused, unless the settings allow it", async () => {
    expect((await browser.bring(unasked())).status).toBe(401);
    expect(deps.log.join()).toContain("has to start here");
  });

  test("is taken up where it is allowed, after the person has said so", async () => {
    withProvider({ allowIdpInitiated: true });
    const page = await browser.bring(unasked(), "/sessions?page=2");
    expect(page.status).toBe(200);
    expect(await page.text()).toContain("alice@shop.example");
    expect(browser.cookies.has(SESSION)).toBe(false);
    const done = await browser.post("/auth/saml/corp/finish");
    expect([done.status, done.headers.get("location")]).toEqual([303, `${BASE}/sessions?page=2`]);
    expect(await browser.me()).toMatchObject({ name: "alice@shop.example" });
  });

  test("cannot be said yes to by another site's page", async () => {
    withProvider({ allowIdpInitiated: true });
    await browser.bring(unasked());
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const headers = { cookie, origin: "https://evil.example" };
    const response = await authApp(deps).request(`${BASE}/auth/saml/corp/finish`, { method: "POST", headers });
    expect([response.status, response.headers.getSetCookie()]).toEqual([403, []]);
  });

  test.each([
    "https://evil.example/",
    "//evil.example",
    "/\\evil.example",
    "javascript:alert(1)",
    `${BASE}.evil.example/`,
    `${BASE}@evil.example/`,
    "/auth/logout",
  ])("leads to no other site: %j", async (relayState) => {
    withProvider({ allowIdpInitiated: true });
    expect((await browser.bring(unasked(), relayState)).status).toBe(400);
    expect((await browser.post("/auth/saml/corp/finish")).status).toBe(401);
  });

  test("leads to a page of ours that is named in full, or home", async () => {
    for (const [relayState, page] of [
      [`${BASE}/sessions`, "/sessions"],
      ["", "/"],
      [undefined, "/"],
    ] as const) {
      withProvider({ allowIdpInitiated: true });
      await browser.bring(unasked(), relayState);
      expect((await browser.post("/auth/saml/corp/finish")).headers.get("location")).toBe(BASE + page);
    }
  });

  test("is good once", async () => {
    withProvider({ allowIdpInitiated: true });
    const xml = unasked();
    expect((await browser.bring(xml)).status).toBe(200);
    expect((await browser.bring(xml)).status).toBe(401);
  });

  test("does not wait for its answer for long", async () => {
    withProvider({ allowIdpInitiated: true });
    await browser.bring(unasked());
    deps.advance(3 * 60_000);
    expect((await browser.post("/auth/saml/corp/finish")).status).toBe(401);
  });
});

describe("an encrypted assertion", () => {
  const CBC = "http://www.w3.org/2001/04/xmlenc#aes256-cbc";
  const decryption = (): SamlProvider["decryption"] => ({ certificate: ours.cert, key: ours.key });
  beforeEach(() => withProvider({ decryption: decryption(), domains: ["shop.example"] }));

  async function metadata(): Promise<string> {
    return (await authApp(deps).request(`${BASE}/auth/saml/corp/metadata`)).text();
  }
  async function bring(make: (xml: string) => string, algorithms = {}): Promise<Response> {
    const { requestId, relayState } = await browser.start();
    const xml = make(idp.responseXml({ base: BASE, inResponseTo: requestId }));
    return browser.bring(await idp.encrypted(xml, keys, await metadata(), algorithms), relayState);
  }

  test.each([{}, { data: CBC }])("signs a person in: %j", async (algorithms) => {
    const response = await bring((xml) => idp.signed(xml, keys), algorithms);
    expect(response.status, deps.log.join("\n")).toBe(303);
    expect(await browser.me()).toMatchObject({ id: `saml:${idp.IDP_ENTITY}|alice-7` });
  });

  test.each<[string, (xml: string) => string, object, string]>([
    ["that nobody signed", (xml) => xml, {}, "Invalid signature"],
    ["that another key signed", (xml) => idp.signed(xml, ours), {}, "Invalid signature"],
    [
      "that was changed after it was signed",
      (xml) => idp.signed(xml, keys).replace("alice-7", "bob-7"),
      {},
      "Invalid signature",
    ],
    ["with a comment in it", (xml) => idp.signed(xml, keys).replace("alice-7", "alice<!---->-7"), {}, "a comment"],
    [
      "that is signed with SHA-1",
      (xml) => idp.signed(xml, keys, { algorithm: "http://www.w3.org/2000/09/xmldsig#rsa-sha1" }),
      {},
      "algorithm",
    ],
    [
      "whose key is encrypted by PKCS #1 v1.5",
      (xml) => idp.signed(xml, keys),
      { key: "http://www.w3.org/2001/04/xmlenc#rsa-1_5" },
      "algorithm",
    ],
    [
      "by triple DES",
      (xml) => idp.signed(xml, keys),
      { data: "http://www.w3.org/2001/04/xmlenc#tripledes-cbc" },
      "algorithm",
    ],
    ["of a foreign domain", (xml) => idp.signed(xml.replace("alice@shop", "alice@evil"), keys), {}, "not its own"],
  ])("%s is refused", async (_, make, algorithms, why) => {
    expect((await bring(make, algorithms)).status).toBe(401);
    expect(deps.log.join("\n")).toContain(why);
    expect(browser.cookies.has(SESSION)).toBe(false);
  });

  test("for another key is refused, and one that was cut", async () => {
    const theirs = depsInMemory({
      baseUrl: BASE,
      providers: [idp.samlProvider(keys, { decryption: { certificate: keys.cert, key: keys.key } })],
    });
    const foreign = await (await authApp(theirs).request(`${BASE}/auth/saml/corp/metadata`)).text();
    for (const cut of [
      (xml: string) => xml,
      (xml: string) => xml.replace(/(<xenc:CipherValue[^>]*>)[^<]{20}/g, "$1"),
    ]) {
      const { requestId, relayState } = await browser.start();
      const xml = idp.signed(idp.responseXml({ base: BASE, inResponseTo: requestId }), keys);
      expect((await browser.bring(cut(await idp.encrypted(xml, keys, foreign)), relayState)).status).toBe(401);
    }
  });
});

describe("our metadata", () => {
  test("says to a provider where to send assertions, that they must be signed, and what to encrypt them for", async () => {
    withProvider({ decryption: { certificate: ours.cert, key: ours.key } });
    const response = await authApp(deps).request(`${BASE}/auth/saml/corp/metadata`);
    expect(response.headers.get("content-type")).toBe("application/samlmetadata+xml");
    const text = await response.text();
    const read = idp.readMetadata(text);
    expect(read.getEntityID()).toBe(`${BASE}/auth/saml/corp/metadata`);
    expect(read.getAssertionConsumerService("post")).toBe(`${BASE}/auth/saml/corp/acs`);
    expect(read.isWantAssertionsSigned()).toBe(true);
    expect(text).toContain('use="encryption"');
    expect(text).not.toContain("PRIVATE KEY");
  });
});

describe("a provider's metadata", () => {
  const xml = (over: { key?: string; binding?: string } = {}): string =>
    `<?xml version="1.0"?><md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="${idp.IDP_ENTITY}"><md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>${over.key ?? keys.cert.replaceAll(/-----[^-]+-----/g, "")}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor><md:KeyDescriptor use="encryption"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/></md:KeyDescriptor><md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.example/post"/><md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:${over.binding ?? "HTTP-Redirect"}" Location="https://idp.example/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>`;

  test("says where it is and what it signs with", async () => {
    withProvider({ metadata: xml() });
    expect((await signIn()).status).toBe(303);
    await checkSamlProviders([idp.samlProvider(keys, { metadata: xml() })]);
  });

  test.each<[string, () => Partial<SamlProvider>, string]>([
    ["no XML", () => ({ metadata: "<a" }), "no XML"],
    ["XML of something else", () => ({ metadata: "<a/>" }), "not of one identity provider"],
    ["a DOCTYPE", () => ({ metadata: `<!DOCTYPE a>${xml()}` }), "DOCTYPE"],
    ["a certificate that is none", () => ({ metadata: xml({ key: "AAAA" }) }), "certificate"],
    ["a weak key", () => ({ metadata: xml({ key: weak.cert.replaceAll(/-----[^-]+-----/g, "") }) }), "2048 bits"],
    ["no sign-on service for browsers", () => ({ metadata: xml({ binding: "SOAP" }) }), "HTTP-Redirect"],
    [
      "a decryption key of another certificate",
      () => ({ decryption: { certificate: ours.cert, key: keys.key } }),
      "does not belong",
    ],
    ["a decryption key that is none", () => ({ decryption: { certificate: ours.cert, key: "x" } }), "cannot be read"],
  ])("with %s is refused at the start", async (_, over, why) => {
    await expect(checkSamlProviders([idp.samlProvider(keys, over())])).rejects.toMatchObject({
      code: "configuration-invalid",
      message: expect.stringContaining(why) as string,
    });
  });

  test("that two providers share is refused at the start", async () => {
    const two = [idp.samlProvider(keys), idp.samlProvider(keys, { id: "again", metadata: xml() })];
    await expect(checkSamlProviders(two)).rejects.toMatchObject({ code: "configuration-invalid" });
  });
});

test("an assertion from before somebody's access was ended signs nobody in, nor does it wake what they registered", async () => {
  withProvider({ allowIdpInitiated: true });
  const id = `saml:${idp.IDP_ENTITY}|alice-7` as PrincipalId;
  const { requestId, relayState } = await browser.start();
  const asked = idp.signed(idp.responseXml({ base: BASE, inResponseTo: requestId }), keys);
  const unasked = idp.signed(idp.responseXml({ base: BASE, inResponseTo: undefined }), keys);
  deps.advance(1_000);
  await deps.signIns.endAccess(id, deps.clock());
  deps.advance(1_000);
  expect((await browser.bring(asked, relayState)).status).toBe(401);
  await browser.bring(unasked);
  const confirmed = await browser.post("/auth/saml/corp/finish");
  expect(await confirmed.json()).toMatchObject({ status: 401, code: "sign-in-required" });
  expect(browser.cookies.has(SESSION)).toBe(false);
  expect(await deps.people.find(id)).toBeUndefined();
});

test("groups count from the moment in which the provider told of them, however long the answer was under way", async () => {
  const MINUTE = 60_000;
  const id = `saml:${idp.IDP_ENTITY}|alice-7` as PrincipalId;
  const good = async (): Promise<number> => ((await deps.people.find(id))?.freshUntil ?? 0) - deps.clock();
  await signIn();
  expect(await good()).toBeGreaterThan(4.9 * MINUTE);
  await signIn({ issuedAt: -3 * MINUTE });
  expect(await good()).toBeLessThanOrEqual(2 * MINUTE);
  await signIn({ issuedAt: -4.9 * MINUTE });
  expect(Math.abs((await good()) - MINUTE)).toBeLessThan(2_000);
});

test("what a browser brings to the address that takes an assertion up makes one session, however often it is brought", async () => {
  const { requestId, relayState } = await browser.start();
  const kept = new Map(browser.cookies);
  const xml = idp.signed(idp.responseXml({ base: BASE, inResponseTo: requestId }), keys);
  const form = new URLSearchParams({ SAMLResponse: Buffer.from(xml).toString("base64"), RelayState: relayState });
  const app = authApp(deps);
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const taken = await app.request(`${BASE}/auth/saml/corp/acs`, { method: "POST", body: form.toString(), headers });
  const [arrived = ""] = taken.headers.getSetCookie()[0]?.split(";") ?? [];
  const cookie = [...[...kept].map(([name, value]) => `${name}=${value}`), arrived].join("; ");
  const finish = async (): Promise<number> =>
    (await app.request(`${BASE}/auth/saml/corp/finish`, { headers: { cookie } })).status;
  expect([await finish(), await finish(), await finish()]).toEqual([303, 401, 401]);
});
