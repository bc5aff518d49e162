import { readFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { SHOP_SCRIPT } from "../../../cli/demo-script.ts";
import { failedCases, parsePolicyCases } from "../../../core/policy/policy-cases.ts";
import { type LoadedPolicies, loadPolicies } from "../../../core/policy/policy-set.ts";
import { ACTIONS } from "../../../core/policy/schema.ts";
import { loadShellParser } from "../../../core/policy/shell-parser.ts";
import { loadSqlParser } from "../../../core/policy/sql-parser.ts";
import { statementFacts } from "../../../core/policy/statement-facts.ts";
import { DEMO_PEOPLE } from "../../../local/demo-people.ts";
import { readPolicyFiles } from "../../../local/policy-files.ts";
import { askOf, factsOf } from "./kit.ts";

const CONFIG = new URL("../../../config/", import.meta.url);
const CASES = parse(readFileSync(new URL("policy-cases.yaml", CONFIG), "utf8")) as {
  cases: object[];
  defaults: object;
};

let policies: LoadedPolicies;
beforeAll(async () => {
  policies = loadPolicies((await readPolicyFiles(new URL("policies", CONFIG).pathname)) ?? new Map());
  await Promise.all([loadSqlParser(), loadShellParser()]);
});

test.each(CASES.cases.map((one) => [JSON.stringify(one), one]))("the default set keeps its promise: %s", (_, one) => {
  const cases = parsePolicyCases({ defaults: CASES.defaults, cases: [one] }, "policy-cases.yaml");
  expect(failedCases(policies, cases)).toEqual([]);
});

test("every policy of the default set decides a case", () => {
  const named = new Set(CASES.cases.flatMap((one) => ("policy" in one ? [one.policy].flat() : [])));
  expect(policies.ids.filter((id) => !named.has(id))).toEqual(["not-known"]);
  // A statement that is parsed has an unknown part only where the grammar is newer than we are.
  expect(policies.statements(askOf(), [factsOf("pg:unknown")])).toMatchObject({
    kind: "block",
    policies: ["not-known"],
  });
});

test("nothing that an engineer of the demo does is held or blocked, and whom it asks for consent is there", () => {
  for (const { sql } of SHOP_SCRIPT)
    expect([sql, policies.statements(askOf(), statementFacts(sql)).kind]).toEqual([sql, "allow"]);
  const held = policies.statements(askOf(), statementFacts("delete from orders"));
  const groups = held.kind === "hold" ? held.consents.map(({ group }) => group) : [];
  for (const group of groups)
    expect(DEMO_PEOPLE.filter((one) => one.sub !== "alice" && one.groups.includes(group))).toHaveLength(1);
  expect(groups).toHaveLength(1);
});

test("no consent, group or environment opens a way out of the database", () => {
  const ways = ACTIONS.filter((action) => /^pg:(copyProgram|copyFile|file|load|largeObject|dblink|functionCall|system|unknown)$/.test(action)); // prettier-ignore
  expect(ways).toHaveLength(9);
  for (const action of ways)
    for (const environment of ["demo", "development", "production", "default"])
      for (const groups of [["admins", "approvers"], ["writing-agents"]])
        expect(policies.statements(askOf({ in: environment, groups }), [factsOf(action as never)]).kind).toBe("block");
});
