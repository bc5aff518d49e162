import { createHash } from "node:crypto";
import type { Instant } from "../brand.ts";
import { SallyportError } from "../errors.ts";
import type { PgAction } from "./actions.ts";
import { boundedMap } from "./bounded-map.ts";
import { type ActionContext, clockFacts, NO_STATEMENT, statementContext } from "./cedar-context.ts";
import { cedarEngine, cedarFaults } from "./cedar-engine.ts";
import type { StatementFacts } from "./facts.ts";
import { judgeAction, type PolicyRules } from "./judge-action.ts";
import { messageOf, offsetOf, type ParsedPolicy, parsePolicyFile, placeIn } from "./policy-file.ts";
import { EXEMPTIONS, type PolicyAction, SCHEMA } from "./schema.ts";
import { type Judged, type Scope, scopes } from "./scopes.ts";
import { type Asked, sshJudges } from "./ssh-judges.ts";
import { type Finding, strictest, verdictOf } from "./strictest.ts";
import type { Ask, Policies, Verdict } from "./verdict.ts";

/** Verdicts that are kept, whoever they are of, and how long the facts may be that they are found by: 8 MiB at most. */
const MAX_VERDICTS = 4_096;
const MAX_KEY = 2_048;
const MS_AN_HOUR = 3_600_000;

export interface LoadedPolicies extends Policies {
  /** In the order in which verdicts name them. */
  readonly ids: readonly string[];
}

/**
 * The policies of these files, by name. Throws `configuration-invalid` that tells every fault with its file and place. No
 * files, or none with a policy in it: nothing is permitted.
 */
export function loadPolicies(files: ReadonlyMap<string, string>): LoadedPolicies {
  const sorted = [...files].toSorted(([one], [other]) => (one < other ? -1 : 1));
  const policies = validPolicies(new Map(sorted));
  const version = createHash("sha256")
    .update(JSON.stringify([SCHEMA, sorted]))
    .digest("hex");
  const rules = { engine: cedarEngine(policies), byId: new Map(policies.map((policy) => [policy.id, policy])) };
  const usesClock = policies.some(({ attributes }) => attributes.has("hour") || attributes.has("weekday"));
  return { version, ids: policies.map(({ id }) => id), ...judgesOf(rules, usesClock) };
}

function validPolicies(files: ReadonlyMap<string, string>): ParsedPolicy[] {
  /** One a place: Cedar tells the same fault for every kind of question that a policy can be asked. */
  const faults = new Map<string, string>();
  const complain = (file: string, offset: number, message: string): void => {
    const place = placeIn(file, files.get(file) ?? "", offset);
    if (!faults.has(place)) faults.set(place, message);
  };
  const policies = new Map<string, ParsedPolicy>();
  for (const policy of [...files].flatMap(([file, text]) => parsePolicyFile(file, text, complain))) {
    const { id, file, start } = policy;
    const twin = policies.get(id);
    if (twin === undefined) policies.set(id, policy);
    else complain(file, start, `policy "${id}": there is another of that id in ${twin.file}`);
  }
  const valid = [...policies.values()];
  for (const { policy: id, error } of cedarFaults(valid)) {
    const policy = policies.get(id);
    if (policy) complain(policy.file, policy.start + offsetOf(policy, error), `policy "${id}": ${messageOf(error)}`);
  }
  if (faults.size === 0) return valid;
  const lines = [...faults].map(([place, message]) => `${place}: ${message}`);
  throw new SallyportError("configuration-invalid", `the policies are not valid:\n${lines.join("\n")}`);
}

function judgesOf(rules: PolicyRules, usesClock: boolean): Omit<Policies, "version"> {
  const scopeOf = scopes();
  const verdicts = boundedMap<string, Judged>(MAX_VERDICTS);
  /** What does not look at the clock is true at any time. */
  const hourOf = (now: Instant): number => (usesClock ? Math.floor(now / MS_AN_HOUR) : 0);

  const judge = (scope: Scope, now: Instant, action: PolicyAction, context: ActionContext | undefined): Finding =>
    judgeAction(rules, { ask: scope.ask, action, clock: clockFacts(now), context });

  const cached = (scope: Scope, now: Instant, what: readonly unknown[], findings: () => readonly Finding[]): Judged => {
    const key = JSON.stringify([scope.serial, hourOf(now), ...what]);
    const known = verdicts.get(key);
    if (known !== undefined) return known;
    const finding = strictest(findings());
    const judged = { finding, verdict: verdictOf(finding) };
    if (key.length <= MAX_KEY) verdicts.set(key, judged);
    return judged;
  };

  const one = (scope: Scope, now: Instant, facts: StatementFacts): Judged => {
    const hour = hourOf(now);
    if (scope.hour !== hour) [scope.hour, scope.byFacts] = [hour, new WeakMap()];
    const known = scope.byFacts.get(facts);
    if (known !== undefined) return known;
    const context = statementContext(facts);
    // No action is not nothing: whoever made these facts did not understand the statement.
    const actions: readonly PgAction[] = facts.actions.length > 0 ? facts.actions : ["pg:unknown"];
    const own = cached(scope, now, [actions, context], () =>
      actions.map((action) => judge(scope, now, action, context)),
    );
    const judged = facts.prepares === undefined ? own : preparing(own, one(scope, now, facts.prepares.facts));
    scope.byFacts.set(facts, judged);
    return judged;
  };

  const asking = (ask: Ask, asked: readonly Asked[]): Verdict =>
    orBlock(() => {
      const scope = scopeOf(ask);
      const findings = () => asked.map(({ action, context }) => judge(scope, ask.now, action, context));
      return cached(scope, ask.now, [asked], findings).verdict;
    });

  return {
    connect: (ask) => asking(ask, [{ action: "connect", context: undefined }]),
    statements: (ask, facts) =>
      orBlock(() => {
        const scope = scopeOf(ask);
        const [first] = facts;
        if (first !== undefined && facts.length === 1) return one(scope, ask.now, first).verdict;
        return severalVerdicts(facts, (each) => one(scope, ask.now, each));
      }),
    action: (ask, action: PgAction) => asking(ask, [{ action, context: NO_STATEMENT }]),
    ...sshJudges(asking),
    exempts: (ask, from) => exempting(rules, scopeOf(ask), ask.now, EXEMPTIONS[from]),
  };
}

/** Invariant 2. Not cached: what WebAssembly throws for want of stack or memory may be gone the next time. */
function orBlock(judge: () => Verdict): Verdict {
  try {
    return judge();
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : "";
    return { kind: "block", policies: [], reason: `the policies cannot be evaluated: ${why}` };
  }
}

/** Nothing runs yet at PREPARE: what is held is held at EXECUTE; what is blocked cannot even be prepared. */
function preparing(own: Judged, prepared: Judged): Judged {
  if (prepared.finding.kind !== "block") return own;
  const finding = strictest([own.finding, prepared.finding]);
  return { finding, verdict: verdictOf(finding) };
}

/** None of them runs where one is blocked: those behind the first such one need not be judged. */
function severalVerdicts(facts: readonly StatementFacts[], judge: (facts: StatementFacts) => Judged): Verdict {
  const findings = new Set<Finding>();
  for (const each of facts) {
    const { finding } = judge(each);
    findings.add(finding);
    if (finding.kind === "block") break;
  }
  return verdictOf(strictest([...findings]));
}

/** No consent exempts, and what cannot be evaluated does not. */
function exempting(rules: PolicyRules, scope: Scope, now: Instant, action: PolicyAction): string | undefined {
  try {
    const { allowed, decided, failed } = rules.engine.ask(scope.ask, action, { ...clockFacts(now) });
    return allowed && failed.length === 0 ? [...rules.byId.keys()].find((id) => decided.has(id)) : undefined;
  } catch {
    return undefined;
  }
}
