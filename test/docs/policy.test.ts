import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { failedCases, parsePolicyCases } from "../../core/policy/policy-cases.ts";
import { loadPolicies } from "../../core/policy/policy-set.ts";
import { ACTIONS, actionsNamed, SCHEMA } from "../../core/policy/schema.ts";
import { loadShellParser } from "../../core/policy/shell-parser.ts";
import { loadSqlParser } from "../../core/policy/sql-parser.ts";

const PAGE = readFileSync(new URL("../../docs/policy.md", import.meta.url), "utf8");
const BLOCKS = [...PAGE.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language = "", text = ""]) => ({
  language,
  text,
}));
const EXAMPLES = BLOCKS.filter(({ language }) => language === "cedar").map(({ text }) => text);
const CASES = BLOCKS.filter(({ language }) => language === "yaml").map(({ text }) => text);
const OPEN = `@id("open") permit (principal, action in Action::"pg", resource);
@id("open-ssh") permit (principal, action in Action::"ssh", resource);
@id("log-in") permit (principal, action == Action::"connect", resource);`;

beforeAll(async () => {
  await Promise.all([loadSqlParser(), loadShellParser()]);
});

describe("docs/policy.md", () => {
  test("has cases for every example", () => {
    expect(EXAMPLES.length).toBeGreaterThan(4);
    expect(BLOCKS.filter(({ language }) => language !== "").map(({ language }) => language)).toEqual(
      EXAMPLES.flatMap(() => ["cedar", "yaml"]),
    );
  });

  test.each(EXAMPLES.map((example, n) => [example.split("\n")[0], example, CASES[n] ?? ""] as const))(
    "tells the truth: %s",
    (_, example, cases) => {
      const policies = loadPolicies(
        new Map([
          ["open.cedar", OPEN],
          ["example.cedar", example],
        ]),
      );
      expect(failedCases(policies, parsePolicyCases(parse(cases), "docs/policy.md"))).toEqual([]);
    },
  );

  test("lists every action, in its group, and every fact", () => {
    for (const action of ACTIONS) expect(PAGE).toContain(`\`${action}\``);
    for (const group of ["read", "session", "write", "ddl", "admin", "ssh"]) {
      const row = PAGE.split("\n").find((line) => line.startsWith(`| \`${group}\` `)) ?? "";
      expect([...row.matchAll(/`((?:pg|ssh):\w+)`/g)].map(([, action]) => action)).toEqual(actionsNamed(group));
    }
    for (const [name, count] of [
      ["Statement", 11],
      ["Command", 15],
      ["File", 5],
      ["Peer", 5],
    ] as const) {
      const type = new RegExp(`type ${name} = \\{(.*?)\\}`, "s").exec(SCHEMA)?.[1] ?? "";
      const facts = [...type.matchAll(/(\w+): ([\w<>]+)/g)].map(([, fact, kind]) => [fact, kind]);
      expect(facts).toHaveLength(count);
      for (const [fact, kind] of facts)
        if (name === "Statement" || name === "Command")
          expect(PAGE).toMatch(new RegExp(`^\\| \`${fact}\` +\\| ${kind} `, "m"));
        else expect(PAGE).toContain(`\`${fact}\``);
    }
  });
});
