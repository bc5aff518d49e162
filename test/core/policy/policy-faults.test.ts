import { describe, expect, test } from "vitest";
import { SallyportError } from "../../../core/errors.ts";
import { loadPolicies } from "../../../core/policy/policy-set.ts";
import { lineAndColumn, splitPolicies } from "../../../core/policy/policy-text.ts";

function faultsOf(files: Record<string, string>): string[] {
  try {
    loadPolicies(new Map(Object.entries(files)));
  } catch (thrown) {
    if (!(thrown instanceof SallyportError) || thrown.code !== "configuration-invalid") throw thrown;
    return thrown.message.split("\n").slice(1);
  }
  return [];
}

const forbidding = (rest: string, scope = 'action in Action::"pg"'): string =>
  `@id("x") @reason("r") forbid (principal, ${scope}, resource) ${rest};`;

describe("a faulty policy is refused with its file, its place and its id", () => {
  test.each([
    ["no id", "permit (principal, action, resource);", /^a\.cedar:3:2: needs an @id/],
    ["an id that is no name", '@id("é; x") permit (principal, action, resource);', /:3:2: policy "é; x": needs an @id/],
    [
      "a forbid without a reason",
      '@id("x") forbid (principal, action, resource);',
      /policy "x": a forbid needs a @reason/,
    ],
    [
      "an annotation of nobody's",
      '@id("x") @approver("y") permit (principal, action, resource);',
      /@approver is no annotation/,
    ],
    ["consent that nobody can give", forbidding("unless { context.approvals >= 1 }"), /needs an @approvers/],
    [
      "a consent by nothing said",
      forbidding("when { context has approvals && context.bounded }"),
      /needs an @approvers/,
    ],
    ["approvers of what never yields", `@approvers("dba") ${forbidding("")}`, /never looks at context\.approvals/],
    [
      "a permit that waits for consents",
      '@id("x") permit (principal, action in Action::"pg", resource) when { context.approvals >= 1 };',
      /say it as a forbid/,
    ],
    [
      "a permit with approvers",
      '@id("x") @approvers("y") permit (principal, action, resource);',
      /belongs to a forbid/,
    ],
    ["the context as one value", forbidding("when { context == {approvals: 1} }"), /can only be used as/],
    [
      "an action that there is not",
      forbidding("", 'action == Action::"pg:sing"'),
      /:3:53: policy "x": unrecognized action `Action::"pg:sing"`/,
    ],
    [
      "an entity type that there is not",
      '@id("x") permit (principal in Team::"a", action, resource);',
      /unrecognized entity type `Team`/,
    ],
    ["a fact that there is not", forbidding("when { context.colour }"), /colour/],
    ["a fact that connect has not", '@id("x") permit (principal, action, resource) when { context.parsed };', /parsed/],
    ["a fact of another type", forbidding('when { context.tables == "a" }'), /policy "x"/],
    ["a rule that can never apply", forbidding("when { 1 == 2 }"), /impossible/],
    ["a slot", '@id("x") permit (principal == ?principal, action, resource);', /slot/],
    ["no Cedar", "let there be light;", /^a\.cedar:3:6: /],
    ["no end", '@id("x") permit (principal, action, resource)', /^a\.cedar:3:/],
    ["a string without an end", '@id("x) permit (principal, action, resource);', /^a\.cedar:3:/],
    [
      "what comes after é",
      '@id("x") @reason("é") forbid (principal, action, resource) when { "é" bar };',
      /:3:72: unexpected token `bar`/,
    ],
  ])("%s", (_, policy, fault) => {
    const faults = faultsOf({ "a.cedar": `// a comment; with "\n\n ${policy}` });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(fault);
  });

  test("all of them are told at once, of all files", () => {
    const faults = faultsOf({
      "b.cedar": "permit (principal, action, resource);",
      "a.cedar": "permit it;\n\npermit that;",
    });
    expect(faults.map((fault) => fault.split(": ")[0])).toEqual(["a.cedar:1:8", "a.cedar:3:8", "b.cedar:1:1"]);
  });

  test("an id is one policy's, over all files", () => {
    const one = '@id("x") permit (principal, action, resource);';
    expect(faultsOf({ "a.cedar": one, "b.cedar": `\n${one}` })).toEqual([
      'b.cedar:2:1: policy "x": there is another of that id in a.cedar',
    ]);
  });
});

describe("the text of a file", () => {
  test.each([
    ["", []],
    [" // nothing; here\n\t", []],
    ["a;b ;", ["a;", "b ;"]],
    [`a ";" "\\";" // ;\n b;c`, [`a ";" "\\";" // ;\n b;`, "c"]],
    ["/;//;", ["/;"]],
    ['";', ['";']],
  ])("falls into its policies: %j", (text, expected) => {
    expect(splitPolicies(text).map((piece) => piece.text)).toEqual(expected);
    for (const { start, text: piece } of splitPolicies(text)) expect(text.slice(start).startsWith(piece)).toBe(true);
  });

  test("places are lines and columns from 1, whatever ends a line", () => {
    expect(["", "a", "a\n", "a\r\nb", "a\rbc"].map((before) => lineAndColumn(`${before}x`, before.length))).toEqual([
      "1:1",
      "1:2",
      "2:1",
      "2:2",
      "2:3",
    ]);
  });
});
