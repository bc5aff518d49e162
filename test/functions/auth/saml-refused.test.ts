import type { Hono } from "hono";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { authApp } from "../../../functions/auth/app.ts";
import { type DepsInMemory, depsInMemory } from "./installation.ts";
import { BASE, SESSION, type SamlBrowser, samlBrowser } from "./saml-browser.ts";
import { type Asked, type KeyPair, type Told, responseXml, rsaPair, samlProvider, signed } from "./saml-idp.ts";

let idp: KeyPair;
let other: KeyPair;
let deps: DepsInMemory;
let app: Hono;
let browser: SamlBrowser;
let asked: Asked;

beforeAll(async () => {
  [idp, other] = [await rsaPair(), await rsaPair()];
});
beforeEach(async () => {
  deps = depsInMemory({ baseUrl: BASE, providers: [samlProvider(idp, { domains: ["shop.example"] })] });
  app = authApp(deps);
  browser = samlBrowser(app);
  asked = await browser.start();
});

const told = (over: Partial<Told> = {}): string => responseXml({ base: BASE, inResponseTo: asked.requestId, ...over });
const good = (over: Partial<Told> = {}): string => signed(told(over), idp);

/** Nobody was signed in, and whoever tried learns no more than that. */
async function expectRefused(response: Response, status = 401): Promise<void> {
  const body = await response.text();
  expect([response.status, browser.cookies.has(SESSION)], body).toEqual([status, false]);
  expect(await browser.me()).toMatchObject({ code: "sign-in-required" });
}

/** What the log says the refusal was for: a case that is refused for something else proves nothing. */
const logged = (): string => deps.log.join("\n");

test("the same response, left alone, signs a person in: what is refused below is refused for its one fault", async () => {
  expect((await browser.bring(good(), asked.relayState)).status).toBe(303);
  expect(await browser.me()).toMatchObject({ name: "alice@shop.example" });
});

describe("an assertion is refused", () => {
  const HOUR = 3_600_000;
  test.each<[string, Partial<Told>, string]>([
    ["that has expired", { until: -HOUR, issuedAt: 0 }, "expired"],
    ["that is not yet valid", { notBefore: HOUR, until: 2 * HOUR }, "not yet valid"],
    ["that was issued long ago and is good for long", { issuedAt: -HOUR, until: HOUR }, "too old"],
    ["that was issued in the future", { issuedAt: HOUR, until: 2 * HOUR }, "future"],
    ["whose subject's confirmation has expired", { confirmedUntil: -HOUR }, "no confirmation"],
    ["of a session that has ended", { sessionUntil: -HOUR }, "session has ended"],
    ["for another audience", { audience: "https://other.example" }, "audience"],
    ["for a name that begins as ours does", { audience: `${BASE}/auth/saml/corp/metadata/x` }, "audience"],
    ["for another recipient", { recipient: "https://other.example/acs" }, "no confirmation"],
    ["for another provider's address here", { recipient: `${BASE}/auth/saml/corp2/acs` }, "no confirmation"],
    ["in a response for another destination", { destination: "https://other.example/acs" }, "another address"],
    ["of another issuer", { issuer: "https://evil.example" }, "another provider issued"],
    ["in a response of another issuer", { responseIssuer: "https://evil.example" }, "another provider sent"],
    ["of a failed sign-in", { status: "Requester" }, "status:Requester"],
    ["of a holder of a key", { method: "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key" }, "no confirmation"],
    ["without a confirmation", { confirmation: "" }, "not as it must be"],
    ["without conditions", { conditions: "" }, ""],
    [
      "without an audience",
      { conditions: `<saml:Conditions NotOnOrAfter="2999-01-01T00:00:00Z"/>` },
      "AudienceRestriction",
    ],
    ["that was not for signing in", { statement: "" }, "not as it must be"],
    ["with a name for this once", { format: "urn:oasis:names:tc:SAML:2.0:nameid-format:transient" }, "another format"],
    [
      "with a name of another format than is agreed",
      { format: "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress" },
      "another format",
    ],
    ["with an empty name", { nameId: "" }, "not as it must be"],
    ["with a name in blanks", { nameId: " alice-7 " }, "not as it must be"],
    ["with a name that turns its direction", { nameId: "alice&#x202e;7" }, "not as it must be"],
    ["with a longer name than any", { nameId: "a".repeat(300) }, "not as it must be"],
    ["with an element inside the name", { nameId: "<saml:b>alice-7</saml:b>" }, "not as it must be"],
    ["with two e-mail addresses", { attributes: { email: ["alice@shop.example", "bob@shop.example"] } }, "one value"],
    ["with groups that are no text", { attributes: { groups: ["<saml:x>admins</saml:x>"] } }, "list of groups"],
    ["with too long a group", { attributes: { groups: ["g".repeat(256)] } }, "list of groups"],
    ["with an e-mail of a foreign domain", { attributes: { email: ["alice@evil.example"] } }, "not its own"],
    ["with an e-mail of a domain below", { attributes: { email: ["alice@x.shop.example"] } }, "not its own"],
    ["with an e-mail of two domains", { attributes: { email: ["alice@evil.example@shop.example"] } }, "not its own"],
    [
      "with a name like a foreign e-mail",
      { attributes: { email: [], displayName: ["alice＠evil.example"] } },
      "not its own",
    ],
  ])("%s", async (_, over, why) => {
    await expectRefused(await browser.bring(good(over), asked.relayState));
    expect(logged()).toContain(why);
  });

  test("with more groups than a session can carry", async () => {
    const groups = Array.from({ length: 150 }, (_, n) => `a-group-with-a-long-name-number-${n}`);
    const response = await browser.bring(good({ attributes: { groups } }), asked.relayState);
    await expectRefused(response);
  });
});

describe("a signature", () => {
  const SHA1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1";
  test.each<[string, () => string, string]>([
    ["is demanded", () => told(), "Invalid signature"],
    [
      "of the response alone is not one of the assertion",
      () => signed(told(), idp, { part: "Response" }),
      "Invalid signature",
    ],
    ["by another key is none, though it brings its own certificate", () => signed(told(), other), "Invalid signature"],
    ["by SHA-1 is none", () => signed(told(), idp, { algorithm: SHA1 }), "algorithm"],
    ["does not fit another name", () => good().replace("alice-7", "bob-777"), "Invalid signature"],
    ["does not fit another attribute", () => good().replace(">engineers<", ">admins<"), "Invalid signature"],
    [
      "does not fit another time",
      () => good().replace(/(<saml:Conditions[^>]*NotOnOrAfter=")\d{4}/, "$12999"),
      "Invalid signature",
    ],
    [
      "does not fit another request",
      () => good().replaceAll(asked.requestId, `_${"0".repeat(40)}`),
      "Invalid signature",
    ],
    ["that is empty is none", () => good().replace(/(<ds:SignatureValue>)[^<]*/, "$1"), ""],
    ["whose digest was changed is none", () => good().replace(/(<ds:DigestValue>)..../, "$1AAAA"), "Invalid signature"],
    ["with a reference to nothing is none", () => good().replace(/URI="#[^"]*"/, `URI=""`), ""],
    [
      "that was taken off leaves nothing",
      () => good().replace(/<ds:Signature[\s\S]*<\/ds:Signature>/, ""),
      "Invalid signature",
    ],
    [
      "by HMAC with the public certificate is none",
      () =>
        good().replace(
          "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
          "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        ),
      "algorithm",
    ],
    [
      "with comments in what it covers is none",
      () => good().replaceAll("xml-exc-c14n#", "xml-exc-c14n#WithComments"),
      "algorithm",
    ],
    [
      "with a comment in its digest is none (CVE-2025-29775)",
      () => good().replace(/<ds:DigestValue>/, "<ds:DigestValue><!-- -->"),
      "a comment",
    ],
    [
      "with a second SignedInfo is none (CVE-2025-29774)",
      () => good().replace(/<ds:SignedInfo>[\s\S]*<\/ds:SignedInfo>/, "$&$&"),
      "",
    ],
    ["with a second reference is none", () => good().replace(/<ds:Reference[\s\S]*<\/ds:Reference>/, "$&$&"), ""],
    [
      "with a stylesheet in its transforms is none",
      () =>
        good().replace(
          "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
          "http://www.w3.org/TR/1999/REC-xslt-19991116",
        ),
      "algorithm",
    ],
  ])("%s", async (_, make, why) => {
    await expectRefused(await browser.bring(make(), asked.relayState));
    expect(logged()).toContain(why);
  });
});

describe("XML signature wrapping", () => {
  /** A good response in parts, and an assertion of another person's that nobody signed. */
  function parts(): { xml: string; assertion: string; bare: string; signature: string; evil: string } {
    const xml = good();
    const assertion = /<saml:Assertion[\s\S]*<\/saml:Assertion>/.exec(xml)?.[0] ?? "";
    const signature = /<ds:Signature[\s\S]*<\/ds:Signature>/.exec(assertion)?.[0] ?? "";
    const bare = assertion.replace(signature, "");
    const evil = bare.replace("alice-7", "mallory").replace(/ ID="[^"]+"/, ' ID="_evil"');
    return { xml, assertion, bare, signature, evil };
  }
  const withSignature = (assertion: string, signature: string): string =>
    assertion.replace("</saml:Issuer>", `</saml:Issuer>${signature}`);
  const inside = (signature: string, what: string): string =>
    signature.replace("</ds:Signature>", `<ds:Object>${what}</ds:Object></ds:Signature>`);

  /** The whole response signed, wrapped by one that is not. */
  function response(): { original: string; signature: string; bare: string; evil: string } {
    const original = signed(good(), idp, { part: "Response" });
    const outer =
      /^(<samlp:Response[^>]*>)(<saml:Issuer>[^<]*<\/saml:Issuer>)(<ds:Signature[\s\S]*?<\/ds:Signature>)/.exec(
        original,
      );
    const signature = outer?.[3] ?? "";
    const bare = original.replace(signature, "");
    const evil = bare.replace("alice-7", "mallory").replace(/ ID="[^"]+"/, ' ID="_evil"');
    return { original, signature, bare, evil };
  }

  test.each<[string, () => string]>([
    [
      "XSW1: the signed response inside the signature of another",
      () => {
        const { signature, bare, evil } = response();
        return evil.replace("</saml:Issuer>", `</saml:Issuer>${inside(signature, bare)}`);
      },
    ],
    [
      "XSW2: the signed response before a signature apart from it",
      () => {
        const { signature, bare, evil } = response();
        return evil.replace("</saml:Issuer>", `</saml:Issuer>${bare}${signature}`);
      },
    ],
    [
      "XSW3: an assertion before the signed one",
      () => {
        const { xml, assertion, evil } = parts();
        return xml.replace(assertion, evil + assertion);
      },
    ],
    [
      "XSW3: an assertion after the signed one",
      () => {
        const { xml, assertion, evil } = parts();
        return xml.replace(assertion, assertion + evil);
      },
    ],
    [
      "XSW4: the signed assertion inside another",
      () => {
        const { xml, assertion, evil } = parts();
        return xml.replace(assertion, evil.replace("</saml:Assertion>", `${assertion}</saml:Assertion>`));
      },
    ],
    [
      "XSW5: another assertion with the signature of one that follows",
      () => {
        const { xml, assertion, bare, signature, evil } = parts();
        return xml.replace(assertion, withSignature(evil, signature) + bare);
      },
    ],
    [
      "XSW6: the signed assertion inside the signature of another",
      () => {
        const { xml, assertion, bare, signature, evil } = parts();
        return xml.replace(assertion, withSignature(evil, inside(signature, bare)));
      },
    ],
    [
      "XSW7: another assertion in the extensions",
      () => {
        const { xml, evil } = parts();
        return xml.replace("<samlp:Status>", `<samlp:Extensions>${evil}</samlp:Extensions><samlp:Status>`);
      },
    ],
    [
      "XSW7: an assertion in the extensions with the same id",
      () => {
        const { xml, assertion, bare } = parts();
        const same = bare.replace("alice-7", "mallory");
        return xml
          .replace("<samlp:Status>", `<samlp:Extensions>${same}</samlp:Extensions><samlp:Status>`)
          .replace(assertion, assertion);
      },
    ],
    [
      "XSW8: the signed assertion inside an object of the signature of another",
      () => {
        const { xml, assertion, bare, signature, evil } = parts();
        return xml.replace(
          assertion,
          withSignature(evil, signature.replace("<ds:KeyInfo>", `<ds:Object>${bare}</ds:Object><ds:KeyInfo>`)),
        );
      },
    ],
    [
      "the signed assertion under a name of another namespace",
      () => {
        const { xml, assertion, evil } = parts();
        return xml.replace(
          assertion,
          evil +
            assertion
              .replaceAll("saml:Assertion", "x:Assertion")
              .replace("<x:Assertion", '<x:Assertion xmlns:x="urn:x"'),
        );
      },
    ],
    [
      "two signatures of one assertion",
      () => {
        const { xml, signature } = parts();
        return xml.replace(signature, signature + signature);
      },
    ],
    [
      "a response inside a response",
      () => {
        const { xml } = parts();
        return xml.replace("</samlp:Response>", `${xml}</samlp:Response>`);
      },
    ],
  ])("%s signs in neither", async (_, make) => {
    const xml = make();
    expect(xml).not.toBe(good());
    await expectRefused(await browser.bring(xml, asked.relayState));
  });
});

describe("what is no plain XML of SAML is not read", () => {
  const entity = `<!DOCTYPE r [<!ENTITY a "alice-7">]>`;
  const laughs = `<!DOCTYPE r [<!ENTITY a "ha">${Array.from({ length: 20 }, (_, n) => `<!ENTITY a${n} "&a${n - 1 < 0 ? "" : n - 1};&a${n - 1 < 0 ? "" : n - 1};">`).join("")}]>`;
  test.each<[string, () => string]>([
    ["a comment in the name", () => good({ nameId: "alice-7.evil" }).replace("alice-7.evil", "alice-7<!---->.evil")],
    [
      "a comment in the e-mail address",
      () => good().replace("alice@shop.example", "alice@shop.example<!-- -->.evil.example"),
    ],
    ["CDATA in the name", () => good().replace("alice-7", "<![CDATA[alice-7]]>")],
    ["an instruction in the name", () => good().replace("alice-7", "alice<?x ?>-7")],
    ["a DOCTYPE", () => `<!DOCTYPE r>${good()}`],
    ["a DOCTYPE after the declaration", () => `<?xml version="1.0"?><!DOCTYPE r>${good()}`],
    ["an entity of its own", () => entity + good().replace("alice-7", "&a;")],
    [
      "an external entity",
      () => `<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]>${good().replace("alice-7", "&a;")}`,
    ],
    ["entities that grow", () => laughs + good().replace("alice-7", "&a19;")],
    [
      "elements nested without end",
      () => good().replace("<samlp:Status>", `${"<x>".repeat(2000)}${"</x>".repeat(2000)}<samlp:Status>`),
    ],
    ["more elements than make sense", () => good().replace("<samlp:Status>", `${"<x/>".repeat(9_000)}<samlp:Status>`)],
    ["tags without an end", () => `${good()}${`<a "`.repeat(3_000)}`],
    ["half a document", () => good().slice(0, 900)],
    ["another document", () => "<html/>"],
    ["a response without an assertion", () => good().replace(/<saml:Assertion[\s\S]*<\/saml:Assertion>/, "")],
    ["a logout", () => `<samlp:LogoutResponse xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"/>`],
    [
      "an encrypted assertion that we have no key for",
      () => good().replaceAll("saml:Assertion", "saml:EncryptedAssertion"),
    ],
    ["nothing", () => " "],
    ["bytes that are no text", () => "\uD800"],
  ])("%s", async (_, make) => {
    await expectRefused(await browser.bring(make(), asked.relayState));
  });

  test("what is no base64", async () => {
    for (const text of ["<samlp:Response/>", "%00", "a", "====", "AAAA*AAA"]) {
      const form = new URLSearchParams({ SAMLResponse: text }).toString();
      const headers = { "content-type": "application/x-www-form-urlencoded" };
      const response = await app.request(`${BASE}/auth/saml/corp/acs`, { method: "POST", body: form, headers });
      await expectRefused(response);
    }
  });

  test("more than a form of ours may have", async () => {
    const xml = good().replace("<samlp:Status>", `<x>${"a".repeat(70_000)}</x><samlp:Status>`);
    await expectRefused(await browser.bring(xml, asked.relayState), 413);
  });
});

describe("a response belongs to the browser that asked", () => {
  test("and is good once, in that browser and in every other", async () => {
    const xml = good();
    expect((await browser.bring(xml, asked.relayState)).status).toBe(303);
    for (const again of [samlBrowser(app), browser]) {
      await again.start();
      const response = await again.bring(xml, asked.relayState);
      expect(response.status).toBe(401);
    }
    expect(logged()).toContain("used before");
  });

  test("and of many that bring it at once only one is heard", async () => {
    const xml = good();
    const form = new URLSearchParams({ SAMLResponse: Buffer.from(xml).toString("base64") }).toString();
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const post = async (): Promise<number> =>
      (await app.request(`${BASE}/auth/saml/corp/acs`, { method: "POST", body: form, headers })).status;
    const statuses = await Promise.all(Array.from({ length: 6 }, post));
    expect(statuses.toSorted((a, b) => a - b)).toEqual([303, 401, 401, 401, 401, 401]);
  });

  test("so that one for another's request signs nobody in (login CSRF)", async () => {
    const attacker = samlBrowser(app);
    const theirs = await attacker.start();
    const xml = signed(responseXml({ base: BASE, inResponseTo: theirs.requestId, nameId: "mallory" }), idp);
    for (const relayState of [theirs.relayState, asked.relayState, undefined]) {
      const victim = samlBrowser(app);
      await victim.start();
      expect((await victim.bring(xml, relayState)).status).toBe(401);
      expect(victim.cookies.has(SESSION)).toBe(false);
    }
  });

  test.each<[string, () => Partial<Told>]>([
    ["another request", () => ({ inResponseTo: `_${"0".repeat(40)}` })],
    ["no request, though one was made", () => ({ inResponseTo: undefined })],
    ["another request around the assertion", () => ({ responseTo: `_${"0".repeat(40)}` })],
    ["a request that only the unsigned part names", () => ({ inResponseTo: undefined, responseTo: asked.requestId })],
  ])("one that answers %s is refused", async (_, over) => {
    await expectRefused(await browser.bring(good(over()), asked.relayState));
  });

  test.each(["", "https://evil.example/", "//evil.example", "/sessions", "x"])(
    "one that brings %j as its RelayState is refused",
    async (relayState) => {
      await expectRefused(await browser.bring(good(), relayState));
    },
  );

  test("one without the cookies of the request is refused", async () => {
    browser.cookies.clear();
    await expectRefused(await browser.bring(good(), asked.relayState));
  });

  test("one that comes after the request has grown old is refused", async () => {
    deps.advance(11 * 60 * 1000);
    const xml = good({ issuedAt: 11 * 60_000, until: 15 * 60_000, confirmedUntil: 15 * 60_000, notBefore: 0 });
    await expectRefused(await browser.bring(xml, asked.relayState));
  });

  test("the address that takes it up does nothing by itself, and cannot be posted to instead", async () => {
    expect((await app.request(`${BASE}/auth/saml/corp/finish`)).status).toBe(401);
    await browser.bring(good(), "wrong");
    await expectRefused(await browser.post("/auth/saml/corp/finish"));
  });

  test("the page that asks about a sign-in of the provider's own cannot be used for one that answers a request", async () => {
    const form = new URLSearchParams({ SAMLResponse: Buffer.from(good()).toString("base64") }).toString();
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const answer = await app.request(`${BASE}/auth/saml/corp/acs`, { method: "POST", body: form, headers });
    const [name = "", value = ""] = answer.headers.getSetCookie()[0]?.split(";")[0]?.split("=") ?? [];
    expect([answer.status, name]).toEqual([303, "__Host-sallyport-arrived"]);
    const victim = samlBrowser(app);
    victim.cookies.set(name, value);
    expect((await victim.post("/auth/saml/corp/finish")).status).toBe(401);
    expect(victim.cookies.has(SESSION)).toBe(false);
  });

  test("a sign-in is not kept when nobody can tell whether it is new", async () => {
    const useOnce = async (): Promise<never> => Promise.reject(new Error("disk full"));
    const broken = samlBrowser(authApp({ ...deps, signIns: { ...deps.signIns, useOnce } }));
    const { requestId, relayState } = await broken.start();
    expect((await broken.bring(good({ inResponseTo: requestId }), relayState)).status).toBe(500);
    expect(broken.cookies.has(SESSION)).toBe(false);
  });
});
