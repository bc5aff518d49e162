import type { CedarAnswer, CedarAsk, CedarEngine } from "./cedar-engine.ts";
import type { ActionContext, ClockFacts } from "./cedar-context.ts";
import type { ParsedPolicy } from "./policy-file.ts";
import type { PolicyAction } from "./schema.ts";
import { allConsents, type Finding } from "./strictest.ts";

/** More people than this are never asked for one consent: what still forbids then, forbids for good. */
const MAX_CONSENTS = 5;

export interface PolicyRules {
  readonly engine: CedarEngine;
  /** In the order in which verdicts name them. */
  readonly byId: ReadonlyMap<string, ParsedPolicy>;
}

export interface Question {
  readonly ask: CedarAsk;
  readonly action: PolicyAction;
  readonly clock: ClockFacts;
  /** Beside the clock's and the consents; none where there is no more to say. */
  readonly context: ActionContext | undefined;
}

/**
 * What becomes of one action, by how Cedar answers without consent and with more and more of it (design §5). Throws where
 * Cedar cannot answer.
 */
export function judgeAction(rules: PolicyRules, question: Question): Finding {
  const none = answerWith(rules, question, 0);
  if (none.failed.length > 0) return notEvaluated(rules, none.failed);
  if (none.allowed) return { kind: "allow", policies: inOrder(rules, none.decided), reasons: [], consents: [] };
  const forbidding = forbidsIn(rules, none.decided);
  if (forbidding.length === 0) return notPermitted(question);
  const firm = forbidding.filter(({ approvers }) => approvers === undefined);
  return firm.length > 0 ? blockedBy(firm) : withConsents(rules, question, forbidding);
}

/** Where every forbid yields to some number of consents and something permits then, it is held for those. */
function withConsents(rules: PolicyRules, question: Question, forbidding: readonly ParsedPolicy[]): Finding {
  const needed = new Map<ParsedPolicy, number>();
  let stubborn: readonly ParsedPolicy[] = forbidding;
  for (let count = 1; count <= MAX_CONSENTS; count++) {
    const answer = answerWith(rules, question, count);
    if (answer.failed.length > 0) return notEvaluated(rules, answer.failed);
    for (const policy of forbidding)
      if (!answer.decided.has(policy.id) && !needed.has(policy)) needed.set(policy, count);
    if (answer.allowed) return held(forbidding, needed);
    stubborn = forbidsIn(rules, answer.decided);
    if (stubborn.length === 0) return notPermitted(question);
  }
  return blockedBy(stubborn);
}

function held(forbidding: readonly ParsedPolicy[], needed: ReadonlyMap<ParsedPolicy, number>): Finding {
  const consents = forbidding.map((policy) => ({ group: policy.approvers ?? "", count: needed.get(policy) ?? 0 }));
  return { kind: "hold", ...told(forbidding), consents: allConsents(consents) };
}

function blockedBy(policies: readonly ParsedPolicy[]): Finding {
  return { kind: "block", ...told(policies), consents: [] };
}

function told(policies: readonly ParsedPolicy[]): Pick<Finding, "policies" | "reasons"> {
  return { policies: policies.map(({ id }) => id), reasons: [...new Set(policies.map(({ reason }) => reason))] };
}

function notPermitted({ ask, action }: Question): Finding {
  const reason = `no policy permits ${action} on ${ask.resource.id} to you`;
  return { kind: "block", policies: [], reasons: [reason], consents: [] };
}

/** Invariant 2: a rule that cannot be evaluated might have forbidden it. */
function notEvaluated(rules: PolicyRules, failed: readonly string[]): Finding {
  const policies = inOrder(rules, new Set(failed));
  return { kind: "block", policies, reasons: [`the policy ${policies.join(", ")} cannot be evaluated`], consents: [] };
}

function answerWith({ engine }: PolicyRules, question: Question, approvals: number): CedarAnswer {
  const { ask, action, clock, context } = question;
  return engine.ask(ask, action, { ...(context as Record<string, never> | undefined), ...clock, approvals });
}

function forbidsIn({ byId }: PolicyRules, ids: ReadonlySet<string>): ParsedPolicy[] {
  return [...byId.values()].filter(({ id, effect }) => effect === "forbid" && ids.has(id));
}

function inOrder({ byId }: PolicyRules, ids: ReadonlySet<string>): string[] {
  return [...byId.keys()].filter((id) => ids.has(id));
}
