import { type Context, isAuthorized } from "@cedar-policy/cedar-wasm/nodejs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Principal, PrincipalId } from "../../../core/identity/principal.ts";
import type { PgAction } from "../../../core/policy/actions.ts";
import { cedarEngine } from "../../../core/policy/cedar-engine.ts";
import { parsePolicyFile } from "../../../core/policy/policy-file.ts";
import { loadPolicies } from "../../../core/policy/policy-set.ts";
import { ACTIONS, SCHEMA } from "../../../core/policy/schema.ts";
import { askOf, contextOf, factsOf, guarded, NOON } from "./kit.ts";

const forbid = (id: string, when: string, more = ""): string =>
  `@id("${id}") @reason("because of ${id}") ${more} forbid (principal, action == Action::"pg:delete", resource) ${when};`;

/** What becomes of a DELETE under these policies, without a WHERE clause. */
const deleting = (text: string) => guarded(text).statements(askOf(), [factsOf("pg:delete", { bounded: false })]);

describe("a set of policies", () => {
  test("permits nothing that no policy permits, and says so", () => {
    const policies = loadPolicies(new Map());
    expect(policies.connect(askOf())).toEqual({
      kind: "block",
      policies: [],
      reason: "no policy permits connect on shop to you",
    });
    expect(policies.statements(askOf(), [factsOf("pg:select")])).toMatchObject({ kind: "block", policies: [] });
    expect(policies.action(askOf(), "pg:functionCall")).toMatchObject({ kind: "block", policies: [] });
    expect(policies.statements(askOf(), [factsOf([])])).toMatchObject({ kind: "block" });
    expect(policies.statements(askOf(), [])).toEqual({ kind: "allow", policies: [] }); // an empty query
  });

  test("names the policy that allows, and the one that blocks with its reason", () => {
    expect(guarded("").statements(askOf(), [factsOf("pg:delete")])).toEqual({ kind: "allow", policies: ["all"] });
    expect(deleting(forbid("never", "when { !context.bounded }"))).toEqual({
      kind: "block",
      policies: ["never"],
      reason: "because of never",
    });
  });

  test("sees who acts for a person, and tells a service from one, also where they were judged before", () => {
    const policies = guarded(`
      @id("by-agent") @reason("agents do not delete") forbid (principal, action == Action::"pg:delete", resource)
        when { !principal.actors.isEmpty() };
      @id("by-robot") @reason("robots do not delete") forbid (principal is Service, action == Action::"pg:delete", resource);`);
    const { principal, ...where } = askOf();
    const by = (over: Partial<Principal>) =>
      policies.statements({ ...where, principal: { ...principal, ...over } }, [factsOf("pg:delete")]).policies;
    for (let times = 0; times < 2; times++) {
      expect(by({})).toEqual(["all"]);
      expect(by({ actors: ["https://idp.example|agent" as PrincipalId] })).toEqual(["by-agent"]);
      expect(by({ kind: "service" })).toEqual(["by-robot"]);
    }
  });

  test.each([1, 2, 5])("holds what %i consents allow, for so many of the group that may give them", (count) => {
    const text = forbid("dear", `unless { context.approvals >= ${count} }`, '@approvers("dba")');
    expect(deleting(text)).toEqual({
      kind: "hold",
      policies: ["dear"],
      reason: "because of dear",
      consents: [{ group: "dba", count }],
    });
  });

  test.each([
    ["more consents than are ever asked for", "unless { context.approvals >= 6 }"],
    ["consents that make no difference", "when { context.approvals >= 0 }"],
    ["consents that make it worse", "when { context.approvals == 0 || context.approvals >= 1 }"],
  ])("blocks what would need %s", (_, when) => {
    expect(deleting(forbid("stubborn", when, '@approvers("dba")'))).toMatchObject({
      kind: "block",
      policies: ["stubborn"],
    });
  });

  test("asks each forbidding policy's group for as many as that policy needs, and the largest number of a group", () => {
    const yields = (id: string, count: number, group: string) =>
      forbid(id, `unless { context.approvals >= ${count} }`, `@approvers("${group}")`);
    expect(deleting([yields("a", 3, "dba"), yields("b", 2, "owners"), yields("c", 1, "dba")].join("\n"))).toEqual({
      kind: "hold",
      policies: ["a", "b", "c"],
      reason: "because of a; because of b; because of c",
      consents: [
        { group: "dba", count: 3 },
        { group: "owners", count: 2 },
      ],
    });
  });

  test("blocks where one policy yields and another does not, by the one that does not", () => {
    const text =
      forbid("soft", "unless { context.approvals >= 1 }", '@approvers("dba")') +
      forbid("hard", "unless { context.bounded }");
    expect(deleting(text)).toEqual({ kind: "block", policies: ["hard"], reason: "because of hard" });
  });

  test("blocks what no policy permits, however many consent", () => {
    const only = loadPolicies(
      new Map([["a.cedar", forbid("soft", "unless { context.approvals >= 1 }", '@approvers("dba")')]]),
    );
    expect(only.statements(askOf(), [factsOf("pg:delete")])).toMatchObject({
      kind: "block",
      reason: "no policy permits pg:delete on shop to you",
    });
  });

  test("blocks where a policy cannot be evaluated, whichever that is", () => {
    const overflow = "context.approvals + 9223372036854775807 + 1 > 0";
    expect(deleting(forbid("broken", `when { ${overflow} }`, '@approvers("dba")'))).toMatchObject({
      kind: "block",
      policies: ["broken"],
      reason: "the policy broken cannot be evaluated",
    });
    const permit = `@id("broken") permit (principal, action == Action::"pg:delete", resource) when { context.hour * 9223372036854775807 > 1 };`;
    expect(deleting(permit)).toMatchObject({ kind: "block", policies: ["broken"] });
    // What the engine itself cannot take: a lone surrogate is no text, no number is an hour.
    const policies = guarded(
      '@id("late") @reason("late") forbid (principal, action, resource) when { context.hour > 22 };',
    );
    expect(policies.statements(askOf({ now: Number.NaN }), [factsOf("pg:select")])).toMatchObject({ kind: "block" });
    expect(policies.exempts(askOf({ now: Number.NaN }), "recording")).toBeUndefined();
    const exempt = '@id("x") permit (principal, action == Action::"connectUnrecorded", resource);';
    const unsure =
      '@id("y") @reason("y") forbid (principal, action, resource) when { context.hour * 9223372036854775807 > 1 };';
    expect(loadPolicies(new Map([["a", exempt]])).exempts(askOf(), "recording")).toBe("x");
    expect(loadPolicies(new Map([["a", exempt + unsure]])).exempts(askOf(), "recording")).toBeUndefined();
  });

  test("judges every action of a statement and every statement of a message, and the strictest counts", () => {
    const policies = guarded(
      forbid("held", "unless { context.approvals >= 1 }", '@approvers("dba")') +
        '@id("no") @reason("no") forbid (principal, action == Action::"pg:drop", resource);' +
        '@id("grants") @reason("grants") @approvers("owners") forbid (principal, action == Action::"pg:grant", resource) unless { context.approvals >= 2 };',
    );
    const kinds = (...statements: PgAction[][]): string =>
      policies.statements(
        askOf(),
        statements.map((actions) => factsOf(actions)),
      ).kind;
    expect(kinds(["pg:select"], ["pg:insert"])).toBe("allow");
    expect(kinds(["pg:select", "pg:delete"])).toBe("hold");
    expect(kinds(["pg:select"], ["pg:delete"])).toBe("hold");
    expect(kinds(["pg:delete"], ["pg:drop"], ["pg:select"])).toBe("block");
    expect(kinds(["pg:delete", "pg:drop"])).toBe("block");
    const first = policies.statements(askOf(), [factsOf("pg:drop"), factsOf([])]);
    expect(first).toEqual({ kind: "block", policies: ["no"], reason: "no" }); // the first that is blocked
    expect(policies.statements(askOf(), [factsOf("pg:delete"), factsOf("pg:grant"), factsOf("pg:delete")])).toEqual({
      kind: "hold",
      policies: ["held", "grants"],
      reason: "because of held; grants",
      consents: [
        { group: "dba", count: 1 },
        { group: "owners", count: 2 },
      ],
    });
  });

  test("blocks the PREPARE of what is blocked, and leaves what is held to its EXECUTE", () => {
    const policies = guarded(
      forbid("held", "unless { context.approvals >= 1 }", '@approvers("dba")') +
        '@id("no") @reason("no") forbid (principal, action == Action::"pg:drop", resource);',
    );
    const prepare = (action: PgAction) =>
      policies.statements(askOf(), [factsOf("pg:prepare", { prepares: { name: "p", facts: factsOf(action) } })]);
    expect(prepare("pg:drop")).toEqual({ kind: "block", policies: ["no"], reason: "no" });
    expect(prepare("pg:delete")).toEqual({ kind: "allow", policies: ["all"] });
  });

  test("sees a qualified name by its last part as well", () => {
    const policies = guarded(
      '@id("hr") @reason("hr") forbid (principal, action in Action::"pg", resource) when { context.tables.contains("employees") || context.functions.contains("pg_read_file") || context.predicates.contains("ssn") || context.written.contains("log") };',
    );
    const kind = (facts: Parameters<typeof factsOf>[1]) =>
      policies.statements(askOf(), [factsOf("pg:select", facts)]).kind;
    expect(kind({ tables: ["hr.employees"] })).toBe("block");
    expect(kind({ functions: ["pg_catalog.pg_read_file"] })).toBe("block");
    expect(kind({ predicates: ["people.ssn"] })).toBe("block");
    expect(kind({ written: ["audit.log"] })).toBe("block");
    expect(kind({ tables: ["hr.staff"], functions: ["pg_read"], predicates: ["ssn.x"], written: ["logs"] })).toBe(
      "allow",
    );
  });

  test("knows people from services, their groups, the connection and its environment", () => {
    const permits = (scope: string) => loadPolicies(new Map([["a", `@id("it") permit (${scope});`]]));
    const connect = 'action == Action::"connect"';
    const agent = askOf({ kind: "service", groups: ["agents", "readers"], on: "ledger", in: "production" });
    expect(permits(`principal is User, ${connect}, resource`).connect(agent).kind).toBe("block");
    for (const scope of [
      `principal is Service, ${connect}, resource`,
      `principal == Service::"https://id.example|alice", ${connect}, resource`,
      `principal in Group::"readers", ${connect}, resource == Connection::"ledger"`,
      `principal in Group::"agents", ${connect}, resource in Environment::"production"`,
    ]) {
      expect([scope, permits(scope).connect(agent)]).toEqual([scope, { kind: "allow", policies: ["it"] }]);
      expect([scope, permits(scope).connect(askOf()).kind]).toEqual([scope, "block"]);
    }
  });

  test("exempts only where a permit names the exemption, whatever else is permitted to whomever", () => {
    const all = '@id("all") permit (principal, action, resource);';
    const unrecorded = (text: string) => loadPolicies(new Map([["a", text]])).exempts(askOf(), "recording");
    const named = '@id("x") permit (principal, action == Action::"connectUnrecorded", resource);';
    expect(unrecorded(all)).toBeUndefined();
    expect(unrecorded(named)).toBe("x");
    expect(loadPolicies(new Map([["a", all + named]])).exempts(askOf(), "masking")).toBeUndefined();
    expect(unrecorded(`${named} @id("no") @reason("no") forbid (principal, action, resource);`)).toBeUndefined();
    const listed = 'action in [Action::"viewUnmasked", Action::"connectUnrecorded"]';
    expect(unrecorded(`@id("y") permit (principal, ${listed}, resource);`)).toBe("y");
  });

  test("tells the hour and the weekday in UTC, and forgets a verdict when they change", () => {
    const policies = guarded(
      '@id("late") @reason("late") forbid (principal, action == Action::"pg:select", resource) when { context.hour >= 20 || context.weekday >= 6 };',
    );
    const facts = [factsOf("pg:select")];
    const HOUR = 3_600_000;
    const at = (hours: number) => policies.statements(askOf({ now: NOON + hours * HOUR }), facts).kind;
    // 23 November 2026 is a Monday, and it is noon.
    expect([0, 7, 7.999, 8, 12, 24, 5 * 24, 6 * 24, 7 * 24].map(at)).toEqual([
      "allow",
      "allow",
      "allow",
      "block",
      "allow",
      "allow",
      "block",
      "block",
      "allow",
    ]);
  });

  test("answers the same from its cache as without, for everybody by themselves", () => {
    const policies = guarded(
      '@id("mine") @reason("mine") forbid (principal, action == Action::"pg:select", resource) when { principal in Group::"guests" || resource in Environment::"production" };',
    );
    const facts = factsOf("pg:select");
    const asks = [askOf(), askOf({ groups: ["guests"] }), askOf({ in: "production" }), askOf({ groups: [] })];
    const first = asks.map((ask) => policies.statements(ask, [facts]).kind);
    expect(first).toEqual(["allow", "block", "block", "allow"]);
    for (let round = 0; round < 3; round++) {
      expect(asks.map((ask) => policies.statements(ask, [facts]).kind)).toEqual(first);
      expect(asks.map((ask) => policies.statements(structuredClone(ask), [structuredClone(facts)]).kind)).toEqual(
        first,
      );
    }
    expect(policies.statements(asks[0] ?? askOf(), [facts])).toBe(policies.statements(asks[0] ?? askOf(), [facts]));
  });

  test("has a version that is the content's own: the same of the same files in any order, another of any other", () => {
    const files: [string, string][] = [
      ["a", '@id("a") permit (principal, action, resource);'],
      ["b", '@id("b") permit (principal, action, resource);'],
    ];
    const version = loadPolicies(new Map(files)).version;
    expect(version).toMatch(/^[0-9a-f]{64}$/);
    expect(loadPolicies(new Map(files.toReversed())).version).toBe(version);
    const others = [
      files.slice(0, 1),
      [["c", files[0]?.[1] ?? ""] as const, ...files.slice(1)],
      [["a", `${files[0]?.[1]} `] as const],
    ];
    for (const other of others) expect(loadPolicies(new Map(other)).version).not.toBe(version);
  });
});

/** The one thing that the judge adds to Cedar: not asking policies that cannot be about an action. */
test("an action that is asked of its own policies gets the answer that all policies together give", () => {
  const names = [...ACTIONS, "pg", "ssh", "read", "session", "write", "ddl", "admin"].map(
    (name) => `Action::"${name}"`,
  );
  const some = fc.constantFrom(...names);
  const anyScope = fc.oneof(
    fc.constant("action"),
    some.map((name) => `action == ${name}`),
    some.map((name) => `action in ${name}`),
    fc.array(some, { minLength: 1, maxLength: 3 }).map((list) => `action in [${list.join(", ")}]`),
  );
  const policy = fc.record({ effect: fc.constantFrom("permit", "forbid"), about: anyScope });
  fc.assert(
    fc.property(fc.array(policy, { maxLength: 6 }), fc.constantFrom(...ACTIONS), (list, action) => {
      const text = list
        .map(({ effect, about }, n) => `@id("p${n}") @reason("r") ${effect} (principal, ${about}, resource);`)
        .join("\n");
      const policies = parsePolicyFile("x", text, () => expect.unreachable());
      const who = { type: "User", id: "a" };
      const where = { type: "Connection", id: "c" };
      const ask = { principal: who, resource: where, entities: [] };
      const clock = { hour: 1, weekday: 1 };
      const exemption = action === "connectUnrecorded" || action === "viewUnmasked";
      const context = { ...clock, ...(exemption ? {} : { approvals: 0, ...contextOf(action) }) } as Context;
      const mine = cedarEngine(policies).ask(ask, action, context);
      const counted = policies.filter(
        ({ text: one, effect }) => !(exemption && effect === "permit" && /, action, /.test(one)),
      );
      const all = isAuthorized({
        ...ask,
        action: { type: "Action", id: action },
        context,
        schema: SCHEMA,
        policies: { staticPolicies: Object.fromEntries(counted.map((one) => [one.id, one.text])) },
      });
      if (all.type === "failure") throw new Error(JSON.stringify(all.errors));
      expect(mine.allowed).toBe(all.response.decision === "allow");
      expect(mine.decided).toEqual(new Set(all.response.diagnostics.reason));
    }),
    { numRuns: 200 },
  );
});
