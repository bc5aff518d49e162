import { createHash, createPublicKey, createSecretKey, randomBytes } from "node:crypto";
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT, UnsecuredJWT } from "jose";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { parseServices } from "../../../core/config/services.ts";
import { CALLER_IDENTITY_TYPE, signCallerIdentity } from "../../../core/identity/caller-identity.ts";
import { hashPass, mintPass, parsePass } from "../../../core/identity/pass.ts";
import type { PrincipalId } from "../../../core/identity/principal.ts";
import type { Pass } from "../../../core/ports/pass-store.ts";
import { authApp } from "../../../functions/auth/app.ts";
import type { Fetch } from "../../../functions/auth/bounded-fetch.ts";
import { type DepsInMemory, depsInMemory } from "./installation.ts";

const BASE = "https://sallyport.example";
const ISSUER = "https://idp.example";
const AGENTS = "https://agents.example";
const JWT = "urn:ietf:params:oauth:token-type:jwt";
const GRANT = "urn:ietf:params:oauth:grant-type:token-exchange";
const ROLE = "arn:aws:sts::123456789012:assumed-role/deployer/i-0abc";

const SERVICES = parseServices({
  issuers: [
    {
      issuer: ISSUER,
      audience: "sallyport",
      maxTokenAgeMinutes: 60,
      rules: [
        {
          match: { sub: "repo:acme/shop:ref:refs/heads/main" },
          service: "migrations",
          groups: ["engineers"],
          maxPassMinutes: 15,
        },
        { match: { sub: "*", azp: "agent" }, person: true, groups: ["engineers"] },
      ],
    },
    {
      issuer: AGENTS,
      audience: "sallyport",
      jwksUri: `${AGENTS}/keys`,
      rules: [{ match: { sub: "bot-*" }, service: "bot", groups: ["robots"], maxPassMinutes: 5 }],
    },
  ],
  awsIdentities: [
    { arn: "arn:aws:iam::123456789012:role/deployer", service: "deployer", groups: ["engineers"], maxPassMinutes: 30 },
  ],
});

interface Key {
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: JWK;
}
const newKey = async (kid: string, alg = "RS256"): Promise<Key> => {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid } };
};

let [key, other]: Key[] = [];
let deps: DepsInMemory;
let asked: string[];
/** What answers at these addresses. */
let world: Record<string, (init: RequestInit) => Promise<Response> | Response>;
let app: ReturnType<typeof authApp>;

beforeAll(async () => {
  [key, other] = await Promise.all([newKey("one"), newKey("one")]);
});
beforeEach(() => {
  asked = [];
  const keys = () => Response.json({ keys: [key?.jwk] });
  world = {
    [`${ISSUER}/.well-known/openid-configuration`]: () => Response.json({ issuer: ISSUER, jwks_uri: `${ISSUER}/jwks` }),
    [`${ISSUER}/jwks`]: keys,
    [`${AGENTS}/keys`]: keys,
    "https://sts.eu-west-1.amazonaws.com/": () => sts(ROLE),
  };
  const fetch: Fetch = async (url, init) => {
    asked.push(url);
    const answer = world[url];
    if (answer === undefined) throw new TypeError("fetch failed");
    return answer(init);
  };
  deps = depsInMemory({ baseUrl: BASE, services: () => SERVICES, fetch });
  app = authApp(deps);
});

function sts(Arn: string, Account = "123456789012"): Response {
  return Response.json({ GetCallerIdentityResponse: { GetCallerIdentityResult: { Arn, Account, UserId: "x" } } });
}

const seconds = (ahead = 0): number => Math.floor(deps.clock() / 1000) + ahead;
const claimsOf = (over: Record<string, unknown> = {}): Record<string, unknown> => ({
  iss: ISSUER,
  aud: "sallyport",
  sub: "repo:acme/shop:ref:refs/heads/main",
  iat: seconds(),
  exp: seconds(300),
  ...over,
});
function token(over: Record<string, unknown> = {}, header: Record<string, unknown> = {}, by = key): Promise<string> {
  if (by === undefined) throw new Error("there is no key");
  return new SignJWT(claimsOf(over)).setProtectedHeader({ alg: "RS256", kid: "one", ...header }).sign(by.privateKey);
}

const post = (body: string | Record<string, string>, headers: Record<string, string> = {}) =>
  app.request("/oauth/token", {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
    body: typeof body === "string" ? body : new URLSearchParams(body).toString(),
  });
const exchanging = async (subject_token: string, over: Record<string, string> = {}) => {
  const response = await post({ grant_type: GRANT, subject_token, subject_token_type: JWT, ...over });
  return {
    status: response.status,
    body: (await response.json()) as Record<string, unknown>,
    headers: response.headers,
  };
};
const refused = (error: string, description: string | RegExp = /./) => ({
  status: 400,
  body: { error, error_description: expect.stringMatching(description) },
});
async function passOf(body: Record<string, unknown>): Promise<Pass> {
  const text = parsePass(String(body["access_token"]));
  const pass = text && (await deps.passes.find(hashPass(text)));
  if (pass === undefined) throw new Error(`no pass: ${JSON.stringify(body)}`);
  return pass;
}

describe("a token of a trusted issuer", () => {
  test("is exchanged for a pass of its rule's service, as RFC 8693 answers", async () => {
    const { status, body, headers } = await exchanging(await token({ exp: seconds(3600) }));
    expect([status, headers.get("cache-control")]).toEqual([200, "no-store"]);
    expect(body).toMatchObject({
      issued_token_type: "urn:sallyport:params:oauth:token-type:pass",
      token_type: "N_A",
      expires_in: 15 * 60,
    });
    const pass = await passOf(body);
    expect(pass.principal).toEqual({
      kind: "service",
      id: "service|migrations",
      name: "migrations",
      groups: ["engineers"],
    });
    expect(pass).toMatchObject({ connection: undefined, label: `repo:acme/shop:ref:refs/heads/main by ${ISSUER}` });
    expect(deps.log.join()).not.toContain(String(body["access_token"]));
  });

  test("is written to the audit log with the pass that it gave, or refused, and gives none while that is down", async () => {
    const { body } = await exchanging(await token());
    await exchanging("no token");
    expect(deps.audited.codes()).toEqual(["pass-issued", "sign-in-failed"]);
    expect(deps.audited.events[0]).toMatchObject({
      actor: { user: { uid: "service|migrations", type_id: 4 } },
      resources: [{ uid: body["pass_id"] }],
    });
    expect(deps.audited.events[1]).toMatchObject({ class_uid: 3002, auth_protocol: "OAUTH 2.0", status: "Failure" });
    deps.audited.down = true;
    expect((await exchanging(await token())).body).toMatchObject({ code: "store-unavailable" });
  });

  test("gives no pass beyond its own end", async () => {
    const exp = seconds(61);
    const pass = await passOf((await exchanging(await token({ exp }))).body);
    expect(pass.expiresAt).toBe(exp * 1000);
  });

  test.each([
    { audience: "shop" },
    { scope: "shop" },
    { resource: `${BASE}/connections/shop` },
    { audience: "shop", scope: "shop" },
  ])("opens one connection only where that is asked for: %j", async (wish: Record<string, string>) => {
    const { body } = await exchanging(await token(), wish);
    expect([body["scope"], (await passOf(body)).connection]).toEqual(["shop", "shop"]);
  });

  test.each([
    [{ audience: "billing" }, "invalid_target"],
    [{ audience: "nothing" }, "invalid_target"],
    [{ audience: "shop", scope: "billing" }, "invalid_request"],
    [{ resource: "https://evil.example/connections/shop" }, "invalid_request"],
    [{ grant_type: "client_credentials" }, "unsupported_grant_type"],
    [{ grant_type: "" }, "invalid_request"],
    [{ subject_token_type: "urn:ietf:params:oauth:token-type:saml2" }, "invalid_request"],
    [{ subject_token: "" }, "invalid_request"],
    [{ requested_token_type: "urn:ietf:params:oauth:token-type:access_token" }, "invalid_request"],
    [{ actor_token: "x" }, "invalid_request"],
    [{ actor_token_type: JWT }, "invalid_request"],
  ])("is refused with %j", async (over, error) => {
    expect(await exchanging(await token(), over as Record<string, string>)).toMatchObject(refused(error));
    expect(await deps.passes.listFor("service|migrations" as PrincipalId, 9)).toEqual([]);
  });

  test("is refused as anything but a form, or with a member twice", async () => {
    const body = { grant_type: GRANT, subject_token: await token(), subject_token_type: JWT };
    expect((await post(JSON.stringify(body), { "content-type": "application/json" })).status).toBe(400);
    expect((await post(`${new URLSearchParams(body).toString()}&subject_token=x`)).status).toBe(400);
  });

  test.each<[string, () => Promise<string>, RegExp]>([
    ["another issuer", () => token({ iss: "https://evil.example" }), /not in services.yaml/],
    ["an issuer with a slash more", () => token({ iss: `${ISSUER}/` }), /not in services.yaml/],
    ["no issuer", () => token({ iss: undefined }), /not in services.yaml/],
    ["another audience", () => token({ aud: "someone" }), /it is for someone/],
    ["no audience", () => token({ aud: undefined }), /aud/],
    ["no subject", () => token({ sub: undefined }), /sub/],
    ["no end", () => token({ exp: undefined }), /exp/],
    ["no beginning", () => token({ iat: undefined }), /iat/],
    ["an end that is over", () => token({ exp: seconds(-31) }), /expired/],
    ["an end within the clocks' tolerance, but over", () => token({ exp: seconds(-5) }), /expired/],
    ["a beginning to come", () => token({ nbf: seconds(120) }), /nbf/],
    ["an issue to come", () => token({ iat: seconds(600) }), /iat/],
    ["more age than its issuer's tokens may have", () => token({ iat: seconds(-3_700), exp: seconds(300) }), /older/],
    ["another's key under the same id", () => token({}, {}, other), /signature/],
    ["an unknown key id", () => token({}, { kid: "two" }), /no key/],
    ["no signature", async () => new UnsecuredJWT(claimsOf()).encode(), /not taken/],
    ["the type of something else", () => token({}, { typ: "dpop+jwt" }), /typ/],
    ["a critical header that nobody knows", () => token({}, { crit: ["x"], x: 1 }).catch(() => "a.b.c"), /not taken/],
    ["nothing", async () => "x", /no JWT/],
    ["five parts", async () => "a.b.c.d.e", /no JWT/],
    ["too many characters", async () => `${"a".repeat(20_000)}.b.c`, /longer/],
  ])("is refused with %s", async (_what, make, why) => {
    expect(await exchanging(await make())).toMatchObject(refused("invalid_grant", why));
  });

  test("is refused where the public key itself was the secret (RFC 8725 §2.1)", async () => {
    if (key === undefined) throw new Error("there is no key");
    const pem = await exportSPKI(key.publicKey);
    const der = createPublicKey(pem).export({ type: "spki", format: "der" });
    for (const secret of [
      Buffer.from(pem),
      der,
      Buffer.from(JSON.stringify(key.jwk)),
      createHash("sha256").update(pem).digest(),
    ])
      for (const alg of ["HS256", "HS384", "HS512"]) {
        const forged = new SignJWT(claimsOf())
          .setProtectedHeader({ alg, kid: "one" })
          .sign(createSecretKey(Buffer.concat([secret, Buffer.alloc(64)])));
        expect(await exchanging(await forged)).toMatchObject(refused("invalid_grant", /public-key/));
      }
    expect(asked.filter((url) => url.endsWith("/jwks")).length).toBeLessThan(2);
  });

  test("that no rule is for is told what was seen and what to do", async () => {
    const { status, body } = await exchanging(await token({ sub: "repo:acme/shop:pull_request" }));
    expect([status, body["error"], body["code"]]).toEqual([400, "unauthorized_client", "access-denied"]);
    expect(body["error_description"]).toContain("sub=repo:acme/shop:pull_request");
    expect(body["hint"]).toContain("add a rule");
  });
});

describe("an issuer's keys", () => {
  test("are read once for many tokens, and again when it has changed them", async () => {
    for (let times = 0; times < 3; times++) expect((await exchanging(await token())).status).toBe(200);
    expect(asked).toEqual([`${ISSUER}/.well-known/openid-configuration`, `${ISSUER}/jwks`]);
    const fresh = await newKey("two", "ES256");
    world[`${ISSUER}/jwks`] = () => Response.json({ keys: [key?.jwk, fresh.jwk] });
    const signed = () =>
      new SignJWT(claimsOf()).setProtectedHeader({ alg: "ES256", kid: "two" }).sign(fresh.privateKey);
    const app2 = authApp(deps); // without what was read before
    app = app2;
    expect((await exchanging(await signed())).status).toBe(200);
  });

  test("that are asked for again and again by made-up ids are not read again and again", async () => {
    for (let times = 0; times < 10; times++) await exchanging(await token({}, { kid: `made-up-${times}` }));
    expect(asked.filter((url) => url.endsWith("/jwks"))).toHaveLength(1);
  });

  test.each<[string, () => Response | Promise<Response>]>([
    ["are elsewhere", () => new Response(null, { status: 302, headers: { location: "https://evil.example/jwks" } })],
    ["are too long", () => new Response("x".repeat(300 << 10))],
    ["never end", () => new Response(new ReadableStream({ pull: (to) => to.enqueue(Buffer.alloc(64 << 10)) }))],
    ["are too many", () => Response.json({ keys: Array.from({ length: 101 }, () => key?.jwk) })],
    ["are no key set", () => Response.json([])],
    ["are no JSON", () => new Response("<html>")],
    ["fail", () => new Response(null, { status: 500 })],
    ["break off", () => Promise.reject(new TypeError("terminated"))],
  ])("that %s let nobody in, and are not asked for by every caller", async (_what, answer) => {
    world[`${ISSUER}/jwks`] = answer;
    for (let times = 0; times < 5; times++)
      expect(await exchanging(await token())).toMatchObject({
        status: 503,
        body: { error: "temporarily_unavailable" },
      });
    expect(asked.filter((url) => url.endsWith("/jwks"))).toHaveLength(1);
    expect(asked).not.toContain("https://evil.example/jwks");
  });

  test("that do not come in time let nobody in", async () => {
    world[`${ISSUER}/jwks`] = ({ signal }) =>
      new Promise((_, reject) => signal?.addEventListener("abort", () => reject(new Error("aborted"))));
    expect(await exchanging(await token())).toMatchObject({ status: 503 });
  }, 20_000);

  test.each([
    ["another issuer", { issuer: "https://evil.example", jwks_uri: `${ISSUER}/jwks` }],
    ["keys over http", { issuer: ISSUER, jwks_uri: "http://idp.example/jwks" }],
    ["keys on our own loopback", { issuer: ISSUER, jwks_uri: "http://127.0.0.1/jwks" }],
    ["keys in a file", { issuer: ISSUER, jwks_uri: "file:///etc/passwd" }],
    ["no keys", { issuer: ISSUER }],
  ])("are not looked for where a description names %s", async (_what, description) => {
    world[`${ISSUER}/.well-known/openid-configuration`] = () => Response.json(description);
    expect((await exchanging(await token())).status).toBe(503);
    expect(asked).toEqual([`${ISSUER}/.well-known/openid-configuration`]);
  });
});

test("a pass that stands where a connection's name should is not logged", async () => {
  const { text } = mintPass(randomBytes);
  expect(await exchanging(await token(), { audience: text })).toMatchObject(refused("invalid_target"));
  expect(deps.log.join("")).toContain("an exchange was refused");
  expect(deps.log.join("")).not.toContain(text);
});

describe("who acts for somebody", () => {
  const aliceBy = (over: object = {}): Promise<string> => token({ sub: "alice", azp: "agent", ...over });
  const bot = (over: object = {}): Promise<string> => token({ iss: AGENTS, sub: "bot-7", ...over });
  const anybody = parseServices({
    issuers: [
      {
        issuer: ISSUER,
        audience: "sallyport",
        rules: [{ match: { roles: "agents" }, person: true, groups: ["engineers"] }],
      },
    ],
  });
  const acting = async (subject: string, actor: string) =>
    exchanging(subject, { actor_token: actor, actor_token_type: JWT });

  test("is kept from the act claim, before the person whom the pass is of", async () => {
    const act = { sub: "agent", act: { sub: "tool", iss: AGENTS } };
    const pass = await passOf((await exchanging(await aliceBy({ act }))).body);
    expect(pass.principal).toMatchObject({
      kind: "user",
      id: `${ISSUER}|alice`,
      actors: [`${ISSUER}|agent`, `${AGENTS}|tool`],
    });
  });

  test("is kept from an actor's own token, and the pass outlives neither proof", async () => {
    const exp = seconds(120);
    const { body } = await acting(await aliceBy({ act: { sub: "agent" } }), await bot({ exp }));
    const pass = await passOf(body);
    expect(pass.expiresAt).toBe(exp * 1000);
    expect(pass.principal).toMatchObject({
      id: `${ISSUER}|alice`,
      groups: ["engineers"],
      actors: ["service|bot", `${ISSUER}|agent`],
      actorNames: ["bot"],
    });
  });

  test("is whom the token was issued to, where it names nobody else: a pass of an agent is never the person's own", async () => {
    expect((await passOf((await exchanging(await aliceBy())).body)).principal).toMatchObject({
      id: `${ISSUER}|alice`,
      actors: [`${ISSUER}|agent`],
    });
    expect((await passOf((await exchanging(await aliceBy({ act: { sub: "tool" } }))).body)).principal.actors).toEqual([
      `${ISSUER}|tool`,
    ]);
    expect(await exchanging(await aliceBy({ may_act: { sub: "another" } }))).toMatchObject(
      refused("unauthorized_client", /may_act/),
    );
    expect((await exchanging(await aliceBy({ may_act: { sub: "agent" } }))).status).toBe(200);
    deps = { ...deps, services: () => anybody };
    app = authApp(deps);
    const byRole = { sub: "alice", azp: undefined, roles: "agents" };
    expect(await exchanging(await token(byRole))).toMatchObject(
      refused("unauthorized_client", /nothing tells who acts/),
    );
    const { actors } = (await passOf((await exchanging(await token({ ...byRole, client_id: "desk" }))).body)).principal;
    expect(actors).toEqual([`${ISSUER}|desk`]);
  });

  test("is refused where the chain is too long, nobody's rule is for the actor, or the subject lets another act", async () => {
    const long = [1, 2, 3, 4, 5].reduce<object | undefined>(
      (act, n) => ({ sub: `a${n}`, ...(act && { act }) }),
      undefined,
    );
    expect(await acting(await aliceBy({ act: long }), await bot())).toMatchObject(refused("invalid_grant", /longer/));
    expect(await acting(await aliceBy(), await bot({ sub: "stranger" }))).toMatchObject(refused("unauthorized_client"));
    expect(await acting(await aliceBy({ may_act: { sub: "bot-8", iss: AGENTS } }), await bot())).toMatchObject(
      refused("unauthorized_client", /may_act/),
    );
    expect(await acting(await aliceBy(), "x")).toMatchObject(refused("invalid_grant"));
    expect((await acting(await aliceBy({ may_act: { sub: "bot-7", iss: AGENTS } }), await bot())).status).toBe(200);
  });
});

describe("an identity of AWS", () => {
  const CREDENTIALS = { accessKeyId: "ASIAEXAMPLEEXAMPLE12", secretAccessKey: "s3cret", sessionToken: "tok" };
  const signed = (audience = BASE): string =>
    signCallerIdentity(CREDENTIALS, { audience, region: "eu-west-1", now: deps.clock() });
  const byAws = (text = signed()) => exchanging(text, { subject_token_type: CALLER_IDENTITY_TYPE });

  test("is asked of STS by the signed request, without a redirect, and gets a pass of its entry's service", async () => {
    let sent: RequestInit = {};
    world["https://sts.eu-west-1.amazonaws.com/"] = (init) => {
      sent = init;
      return sts(ROLE);
    };
    const { status, body } = await byAws();
    expect([status, body["expires_in"]]).toEqual([200, 30 * 60]);
    expect((await passOf(body)).principal).toMatchObject({
      kind: "service",
      id: "service|deployer",
      groups: ["engineers"],
    });
    expect(sent).toMatchObject({
      method: "POST",
      redirect: "manual",
      body: "Action=GetCallerIdentity&Version=2011-06-15",
    });
    expect(Object.keys(sent.headers as object).toSorted()).toEqual([
      "accept",
      "authorization",
      "content-type",
      "x-amz-date",
      "x-amz-security-token",
      "x-sallyport-audience",
    ]);
  });

  test("is good for one pass, however many ask at once", async () => {
    const once = signed();
    const answers = await Promise.all(Array.from({ length: 6 }, () => byAws(once)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(await byAws(once)).toMatchObject(refused("invalid_grant", /used before/));
    deps.advance(1000);
    expect((await byAws()).status).toBe(200);
  });

  test("that was signed for another Sallyport never reaches STS", async () => {
    expect(await byAws(signed("https://other.example"))).toMatchObject(refused("invalid_grant"));
    expect(asked).toEqual([]);
  });

  test.each<[string, () => Response | Promise<Response>, object]>([
    ["does not take the signature", () => new Response("{}", { status: 403 }), refused("invalid_grant", /signature/)],
    [
      "redirects",
      () => new Response(null, { status: 302, headers: { location: "https://evil.example/" } }),
      refused("invalid_grant"),
    ],
    [
      "knows another role",
      () => sts(ROLE.replace("deployer", "intern")),
      refused("unauthorized_client", /role\/intern/),
    ],
    ["names two accounts", () => sts(ROLE, "999999999999"), refused("invalid_grant")],
    ["answers in XML", () => new Response("<GetCallerIdentityResponse/>"), refused("invalid_grant")],
    ["answers too much", () => new Response("x".repeat(100_000)), { status: 503 }],
    ["fails", () => new Response("", { status: 500 }), { status: 503, body: { error: "temporarily_unavailable" } }],
    ["is throttling", () => new Response("", { status: 429 }), { status: 503 }],
    ["is not reached", () => Promise.reject(new TypeError("fetch failed")), { status: 503 }],
  ])("gets no pass where STS %s", async (_what, answer, expected) => {
    world["https://sts.eu-west-1.amazonaws.com/"] = answer;
    expect(await byAws()).toMatchObject(expected);
    expect(asked).toHaveLength(1);
  });
});

describe("whoever tries", () => {
  test("is held up after many refusals from one address, and nobody else is", async () => {
    for (let times = 0; times < 50; times++) await exchanging("x");
    const { status, body } = await exchanging(await token());
    expect([status, body["error"]]).toEqual([429, "slow_down"]);
    deps = { ...deps, clientAddress: () => "192.0.2.99" };
    app = authApp(deps);
    expect((await exchanging(await token())).status).toBe(200);
  });

  test("with a token of before their access was ended gets none, and no pass stays behind", async () => {
    const before = await token();
    await deps.signIns.endAccess("service|migrations" as PrincipalId, deps.clock());
    expect(await exchanging(before)).toMatchObject(refused("invalid_grant", /ended/));
    for (const pass of await deps.passes.listFor("service|migrations" as PrincipalId, 9))
      expect(pass.revokedAt).toBeDefined();
    deps.advance(2_000);
    expect((await exchanging(await token())).status).toBe(200);
  });
});
