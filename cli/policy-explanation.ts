import type { StatementFacts } from "../core/policy/facts.ts";
import { tellAsked, tellConsents } from "../core/policy/policy-cases.ts";
import type { CommandFacts } from "../core/policy/shell/facts.ts";
import type { Verdict } from "../core/policy/verdict.ts";
import { moment } from "./output.ts";
import type { Explained } from "./policy-tool.ts";

/** For people: who asks, and the facts and verdict of each statement, or of a command. */
export function explanation({ ask, version, access, connect, statements, question, command }: Explained): string[] {
  const { principal, connection, now } = ask;
  const groups = principal.groups.join(", ") || "no group";
  const lines = [
    `${principal.id} (${principal.kind}; ${groups}) on ${connection.name} (${connection.environment}), ${moment(new Date(now).toISOString())}`,
    `by the policies of version ${version.slice(0, 12)}`,
  ];
  if (access !== undefined && !principal.groups.some((group) => access.includes(group)))
    lines.push(`NOTE: \`access\` of ${connection.name} names none of these groups: they cannot connect at all`);
  if (connect.kind !== "allow") lines.push(...linesOfVerdict(connect, "Connecting: "));
  for (const [index, { facts, verdict }] of statements.entries())
    lines.push(
      "",
      `Statement ${index + 1}`,
      ...indented(linesOfFacts(facts)),
      ...indented(linesOfVerdict(verdict, "")),
    );
  if (question !== undefined && command === undefined) lines.push("", tellAsked(question));
  if (command !== undefined) lines.push("", "Command", ...indented(linesOfCommand(command)));
  return [...lines, ""];
}

export function linesOfVerdict(verdict: Verdict, before: string): string[] {
  const by = verdict.policies.length > 0 ? ` by ${verdict.policies.join(", ")}` : "";
  const lines = [`${before}${verdict.kind}${by}`];
  if (verdict.kind !== "allow") lines.push(`  because ${verdict.reason}`);
  if (verdict.kind === "hold") lines.push(`  needs consent: ${tellConsents(verdict.consents)}`);
  return lines;
}

function linesOfFacts(facts: StatementFacts): string[] {
  const lists = ["tables", "written", "functions", "objects", "predicates", "settings"] as const;
  const prepared = facts.prepares;
  return [
    `actions     ${facts.actions.join(", ")}`,
    ...(facts.parsed ? [] : ["parsed      no"]),
    ...(facts.bounded ? [] : ["bounded     no"]),
    ...lists.filter((name) => facts[name].length > 0).map((name) => `${name.padEnd(11)} ${facts[name].join(", ")}`),
    ...(facts.executes === undefined ? [] : [`executes    ${facts.executes}, which is judged when it runs`]),
    ...(prepared === undefined ? [] : [`prepares    ${prepared.name}:`, ...indented(linesOfFacts(prepared.facts))]),
  ];
}

function linesOfCommand(facts: CommandFacts): string[] {
  if (!facts.parsed) return ["not understood"];
  const lists = ["programs", "arguments", "read", "written"] as const;
  const flags = ["dynamic", "sudo", "network", "interpreter", "substitutions", "background", "forkBomb"] as const;
  const { transfer } = facts;
  const set = flags.filter((name) => facts[name]);
  return [
    ...lists.filter((name) => facts[name].length > 0).map((name) => `${name.padEnd(11)} ${facts[name].join(" ")}`),
    ...(set.length > 0 ? [`it is       ${set.join(", ")}`] : []),
    ...(transfer === undefined
      ? []
      : [`transfer    ${transfer.kind}, ${transfer.direction}: ${transfer.paths.join(" ")}`]),
  ];
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
