import { z } from "zod";
import { SallyportError } from "../errors.ts";
import type { PrincipalId } from "../identity/principal.ts";
import { isSshChannel, SSH_CHANNELS } from "./actions.ts";
import { commandFacts } from "./command-facts.ts";
import { FILE_OPERATIONS, type FileOperation } from "./file-operations.ts";
import { EXEMPTIONS, PG_ACTIONS } from "./schema.ts";
import { statementFacts } from "./statement-facts.ts";
import type { Ask, Policies, Verdict } from "./verdict.ts";

const MAX_CASES = 10_000;
/** A working day at noon, UTC: what a case means that tells no time. */
const A_MONDAY_NOON = "2026-11-23T12:00Z";

const name = z.string().min(1).max(256);
const moment = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?Z$/, `a moment in UTC, such as ${A_MONDAY_NOON}`)
  .refine((text) => !Number.isNaN(Date.parse(text)), "there is no such moment");

/** Who asks, and where: of one case, or of all that do not say otherwise. */
const circumstances = {
  as: name.optional(),
  kind: z.enum(["user", "service"]).optional(),
  groups: z.array(name).max(256).optional(),
  /** Who acts for them: ids. */
  actors: z.array(name).max(16).optional(),
  on: name.optional(),
  environment: name.optional(),
  at: moment.optional(),
};

const action = z.enum(["connect", ...Object.values(EXEMPTIONS), ...PG_ACTIONS, ...SSH_CHANNELS]);
const operation = z.enum(Object.keys(FILE_OPERATIONS) as FileOperation[]);
const peer = z.strictObject({ host: z.string(), port: z.number().int().min(0).max(65_535) });

const asked = {
  sql: z.string().optional(),
  command: z.string().optional(),
  file: z.strictObject({ operation, path: z.string() }).optional(),
  forward: peer.optional(),
  listen: peer.optional(),
  action: action.optional(),
};
/** What is asked: one of these. */
export type Question = Partial<z.infer<z.ZodObject<typeof asked>>>;
const ASKED = Object.keys(asked) as (keyof typeof asked)[];

const policyCase = z
  .strictObject({
    ...circumstances,
    name: z.string().max(200).optional(),
    ...asked,
    expect: z.enum(["allow", "hold", "block"]),
    /** Policies that the verdict must name. */
    policy: z.union([name, z.array(name)]).optional(),
    /** How many of which groups must consent, and nobody else. */
    consents: z.record(name, z.number().int().positive()).optional(),
  })
  .refine(
    (one) => ASKED.filter((field) => one[field] !== undefined).length === 1,
    `one of ${ASKED.map((field) => `\`${field}\``).join(", ")}, and no more`,
  );

const casesFile = z.strictObject({
  defaults: z.strictObject(circumstances).default({}),
  cases: z.array(policyCase).min(1).max(MAX_CASES),
});

export type PolicyCase = z.infer<typeof policyCase> & { readonly ask: Ask };

/** A case whose verdict is not what it expects. */
export interface FailedCase {
  /** From 1, in the file's order. */
  readonly number: number;
  readonly case: PolicyCase;
  readonly got: Verdict;
  /** What differs: expected and got. */
  readonly differences: readonly { readonly what: string; readonly expected: string; readonly got: string }[];
}

/** The cases of a parsed YAML document. Throws `configuration-invalid` naming every fault and its place. */
export function parsePolicyCases(document: unknown, file: string): PolicyCase[] {
  const parsed = casesFile.safeParse(document);
  if (!parsed.success)
    throw new SallyportError("configuration-invalid", `${file} is not valid:\n${z.prettifyError(parsed.error)}`);
  const { defaults, cases } = parsed.data;
  return cases.map((one) => ({ ...one, ask: askOf({ ...defaults, ...one }) }));
}

function askOf(one: Partial<z.infer<typeof policyCase>>): Ask {
  const { as = "somebody", kind = "user", groups = [], on = "a-connection", environment = "default" } = one;
  const acted = one.actors === undefined ? {} : { actors: one.actors as PrincipalId[] };
  const principal = { kind, id: as as PrincipalId, name: as, groups, ...acted };
  return { principal, connection: { name: on, environment }, now: Date.parse(one.at ?? A_MONDAY_NOON) };
}

/** Judges each case as the gateway would. `loadSqlParser()` and `loadShellParser()` must have resolved. */
export function failedCases(policies: Policies, cases: readonly PolicyCase[]): FailedCase[] {
  return cases.flatMap((one, index) => {
    const got = verdictOfQuestion(policies, one.ask, one);
    const differences = differencesOf(one, got);
    return differences.length === 0 ? [] : [{ number: index + 1, case: one, got, differences }];
  });
}

/** As the gateway would judge it. `loadSqlParser()` and `loadShellParser()` must have resolved. */
export function verdictOfQuestion(policies: Policies, ask: Ask, one: Question): Verdict {
  if (one.command !== undefined) return policies.command(ask, commandFacts(one.command));
  if (one.file !== undefined) return policies.file(ask, one.file);
  if (one.forward !== undefined) return policies.forward(ask, one.forward);
  if (one.listen !== undefined) return policies.listen(ask, one.listen);
  if (one.action !== undefined) return verdictOfAction(policies, ask, one.action);
  return policies.statements(ask, statementFacts(one.sql ?? ""));
}

function verdictOfAction(policies: Policies, ask: Ask, asking: z.infer<typeof action>): Verdict {
  if (asking === "connect") return policies.connect(ask);
  if (isSshChannel(asking)) return policies.ssh(ask, asking);
  if (asking !== "connectUnrecorded" && asking !== "viewUnmasked") return policies.action(ask, asking);
  const exempting = policies.exempts(ask, asking === "connectUnrecorded" ? "recording" : "masking");
  if (exempting !== undefined) return { kind: "allow", policies: [exempting] };
  return { kind: "block", policies: [], reason: "no policy exempts from it" };
}

/** What is asked, for people. */
export function tellAsked(one: Question): string {
  const { sql, command, file, forward, listen } = one;
  if (file !== undefined) return `${file.operation} ${file.path}`;
  if (forward !== undefined) return `forward to ${forward.host}:${forward.port}`;
  if (listen !== undefined) return `listen at ${listen.host}:${listen.port}`;
  return sql ?? command ?? one.action ?? "";
}

function differencesOf(one: PolicyCase, got: Verdict): FailedCase["differences"] {
  const named = one.policy === undefined ? [] : [one.policy].flat();
  const missing = named.filter((id) => !got.policies.includes(id));
  const consents = got.kind === "hold" ? got.consents : [];
  const expected = Object.entries(one.consents ?? {}).map(([group, count]) => ({ group, count }));
  return [
    { what: "verdict", expected: one.expect, got: got.kind, same: one.expect === got.kind },
    { what: "policy", expected: named.join(", "), got: got.policies.join(", ") || "none", same: missing.length === 0 },
    {
      what: "consents",
      expected: tellConsents(expected),
      got: tellConsents(consents),
      same: one.consents === undefined || tellConsents(expected) === tellConsents(consents),
    },
  ].flatMap(({ same, ...difference }) => (same ? [] : [difference]));
}

/** Such as `1 of approvers and 2 of owners`. */
export function tellConsents(consents: readonly { readonly group: string; readonly count: number }[]): string {
  const told = consents.map(({ group, count }) => `${count} of ${group}`);
  return told.toSorted().join(" and ") || "none";
}
