import { describe, expect, test } from "vitest";
import { parseServices, type TokenIssuer } from "../../../core/config/services.ts";
import { actorsFromClaims, demandMayAct, MAX_ACTORS, withActor } from "../../../core/identity/actors.ts";
import { matchesPattern } from "../../../core/identity/claim-pattern.ts";
import type { PrincipalId } from "../../../core/identity/principal.ts";
import { recogniseToken } from "../../../core/identity/service-rules.ts";

const ISSUER = "https://idp.example";
const GITHUB = "https://token.actions.githubusercontent.com";

function issuer(match: Record<string, string>, over: object = {}, name = ISSUER): TokenIssuer {
  const rule = { match, service: "ci", groups: ["deployers"], ...over };
  const [only] = parseServices({ issuers: [{ issuer: name, audience: "us", rules: [rule] }] }).issuers;
  if (only === undefined) throw new Error("there is no issuer");
  return only;
}

describe("a pattern", () => {
  test.each([
    ["repo:acme/shop:ref:refs/heads/main", "repo:acme/shop:ref:refs/heads/main"],
    ["repo:acme/*:ref:refs/heads/main", "repo:acme/shop:ref:refs/heads/main"],
    ["repo:acme/shop:**", "repo:acme/shop:ref:refs/heads/feature/x"],
    ["*", ""],
    ["**", "a:b/c"],
    ["a*b*c", "a--b--c"],
    ["a.c", "a.c"],
  ])("%s matches %s", (pattern, text) => expect(matchesPattern(pattern, text)).toBe(true));

  test.each([
    ["repo:acme/shop:ref:refs/heads/main", "repo:acme/shop:ref:refs/heads/main2"],
    ["repo:acme/shop:ref:refs/heads/main", "xrepo:acme/shop:ref:refs/heads/main"],
    ["repo:acme/shop:ref:refs/heads/main", "repo:acme/shop:ref:refs/heads/main\n"],
    ["repo:acme/shop:ref:refs/heads/main", "REPO:acme/shop:ref:refs/heads/main"],
    ["repo:acme/*:ref:refs/heads/main", "repo:acme/shop:pull_request:ref:refs/heads/main"],
    ["repo:acme/*:ref:refs/heads/main", "repo:acme/a/b:ref:refs/heads/main"],
    ["repo:acme/*", "repo:acme-evil/shop"],
    ["repo:acme/shop:*", "repo:acme/shop:ref:refs/heads/main"],
    ["system:serviceaccount:billing:*", "system:serviceaccount:billing:a:b"],
    ["a.c", "abc"],
    ["[a-z]", "a"],
    ["(a|b)", "a"],
    ["a", ""],
    ["^a$", "a"],
  ])("%s does not match %j", (pattern, text) => expect(matchesPattern(pattern, text)).toBe(false));

  test("of nothing but wildcards takes no time that grows beyond text times pattern", () => {
    expect(matchesPattern(`${"a*".repeat(200)}!`, "a".repeat(2_000))).toBe(false);
    expect(matchesPattern(`${"**a".repeat(150)}!`, "a".repeat(2_000))).toBe(false);
  });
});

describe("the rules of an issuer", () => {
  test("make a service of what they match, in their groups, and of nothing that the token says beyond", () => {
    const recognised = recogniseToken(issuer({ sub: "system:serviceaccount:billing:*" }, { maxPassMinutes: 5 }), {
      sub: "system:serviceaccount:billing:reporter",
      groups: ["admins"],
      kind: "user",
    });
    expect(recognised).toEqual({
      principal: { kind: "service", id: "service|ci", name: "ci", groups: ["deployers"] },
      maxPassMinutes: 5,
      proof: `system:serviceaccount:billing:reporter by ${ISSUER}`,
    });
  });

  test("take all of a rule's claims, one value of several, numbers and truth values, and no inherited property", () => {
    const rule = issuer({ client_id: "export", roles: "dba", n: "7", ok: "true" });
    const good = { sub: "x", client_id: "export", roles: ["dev", "dba"], n: 7, ok: true };
    expect(recogniseToken(rule, good).principal.name).toBe("ci");
    for (const wrong of [
      { client_id: "other" },
      { roles: [] },
      { roles: { dba: 1 } },
      { n: 8 },
      { ok: "no" },
      { ok: null },
    ])
      expect(() => recogniseToken(rule, { ...good, ...wrong })).toThrow(/no rule of services.yaml matches/);
    expect(() => recogniseToken(issuer({ constructor: "**" }), { sub: "x" })).toThrow(/no rule/);
  });

  test("tell who matches none what was seen and what to do, and no more than was asked for", () => {
    const claims = { sub: "repo:acme/shop:pull_request", ref: "x".repeat(10_000), email: "a@b.example" };
    let thrown: unknown;
    try {
      recogniseToken(issuer({ sub: "repo:acme/shop:ref:**", ref: "main", env: "prod" }), claims);
    } catch (error) {
      thrown = error;
    }
    const message = thrown instanceof Error ? thrown.message : "";
    expect(thrown).toMatchObject({ code: "access-denied", hint: expect.stringContaining("add a rule") });
    expect(message).toContain("sub=repo:acme/shop:pull_request, ref=xxx");
    expect(message).toContain("env=(absent)");
    expect(message).not.toContain("a@b.example");
    expect(message.length).toBeLessThan(1_000);
  });

  test("make a person of a person's token, who keeps their own id", () => {
    const person = issuer({ azp: "agent" }, { service: undefined, person: true });
    const claims = { sub: "alice", azp: "agent", email: "alice@shop.example", act: { sub: "support-agent" } };
    expect(recogniseToken(person, claims).principal).toEqual({
      kind: "user",
      id: `${ISSUER}|alice`,
      name: "alice@shop.example",
      groups: ["deployers"],
      actors: [`${ISSUER}|support-agent`],
    });
  });

  test("refuse a token without a subject", () => {
    for (const sub of [undefined, "", 7, "x".repeat(256)])
      expect(() => recogniseToken(issuer({ azp: "a" }), { sub, azp: "a" })).toThrow(/no subject/);
  });
});

describe("services.yaml", () => {
  test.each([
    ["a rule without claims", { match: {} }],
    ["neither service nor person", { service: undefined }],
    ["both", { person: true }],
    ["no groups", { groups: [] }],
    ["a pass for ever", { maxPassMinutes: 1e9 }],
    ["a pass for no time", { maxPassMinutes: 0 }],
    ["a word that means nothing", { group: ["x"] }],
    ["a name with a bar", { service: "a|b" }],
  ])("takes no %s", (_what, over) => {
    expect(() => issuer({ sub: "x" }, over)).toThrow(/services.yaml is not valid/);
  });

  test("takes issuers over https, or http on loopback, once each", () => {
    for (const url of [
      "http://idp.example",
      "ftp://x",
      "https://u:p@idp.example",
      "https://idp.example|x",
      "",
      "idp.example",
      "http://127.0.0.1.evil.example",
    ])
      expect(() => issuer({ sub: "x" }, {}, url), url).toThrow(/not valid/);
    expect(issuer({ sub: "x" }, {}, "http://127.0.0.1:9").issuer).toBe("http://127.0.0.1:9");
    const one = { issuer: ISSUER, audience: "a", rules: [{ match: { sub: "x" }, service: "s", groups: ["g"] }] };
    expect(() => parseServices({ issuers: [one, one] })).toThrow(/listed twice/);
    expect(parseServices(null)).toEqual({ issuers: [], awsIdentities: [] });
  });

  test("takes no rule for GitHub that strangers could match", () => {
    for (const match of [
      { sub: "**" },
      { sub: "repo:*/shop:ref:refs/heads/main" },
      { sub: "repo:ac*/shop:**" },
      { sub: "repo:**" },
      { ref: "refs/heads/main" },
      { repository: "*/shop" },
      { repository_owner: "*" },
      { repository_owner_id: "12*" },
    ] as Record<string, string>[])
      expect(() => issuer(match, {}, GITHUB), JSON.stringify(match)).toThrow(/everybody on GitHub/);
    for (const match of [
      { sub: "repo:acme/*:ref:refs/heads/main" },
      { repository_owner_id: "1", ref: "**" },
      { repository: "acme/*" },
    ] as Record<string, string>[])
      expect(issuer(match, {}, GITHUB).rules).toHaveLength(1);
  });
});

describe("actors", () => {
  const chain = (depth: number): unknown => (depth === 0 ? undefined : { sub: `a${depth}`, act: chain(depth - 1) });

  test("are kept in the order of the claim, each under its own issuer or the token's", () => {
    const act = { sub: "agent", iss: "https://agents.example", act: { sub: "tool" } };
    expect(actorsFromClaims(ISSUER, { act })).toEqual(["https://agents.example|agent", `${ISSUER}|tool`]);
    expect(actorsFromClaims(ISSUER, {})).toEqual([]);
    expect(actorsFromClaims(ISSUER, { act: chain(MAX_ACTORS) })).toHaveLength(MAX_ACTORS);
  });

  test("are refused where they cannot all be told", () => {
    for (const act of [
      chain(MAX_ACTORS + 1),
      chain(100),
      null,
      "agent",
      [],
      {},
      { sub: "" },
      { sub: 7 },
      { sub: "a", act: 1 },
    ])
      expect(() => actorsFromClaims(ISSUER, { act })).toThrow(/actor/);
  });

  test("who shows a token of their own stands before the subject's, behind whoever acts for them", () => {
    const [a, b, c] = ["a", "b", "c"] as PrincipalId[];
    if (!a || !b || !c) throw new Error();
    expect(withActor([c], { id: b, actors: [a] })).toEqual([a, b, c]);
    expect(() => withActor([a, b, c], { id: b, actors: [a, c] })).toThrow(/longer/);
  });

  test("may_act lets its own actor act, and nobody else", () => {
    const subject = (may_act: unknown) => ({ issuer: ISSUER, claims: { may_act } });
    const actor = { issuer: ISSUER, sub: "agent" };
    demandMayAct({ issuer: ISSUER, claims: {} }, actor);
    demandMayAct(subject({ sub: "agent" }), actor);
    for (const other of [{ sub: "x" }, { sub: "agent", iss: "https://evil.example" }, {}, null, "agent"])
      expect(() => demandMayAct(subject(other), actor)).toThrow(/another actor/);
  });
});
