import {
  type Context,
  type DetailedError,
  type Entities,
  preparsePolicySet,
  statefulIsAuthorized,
  validate,
} from "@cedar-policy/cedar-wasm/nodejs";
import { SallyportError } from "../errors.ts";
import type { ParsedPolicy } from "./policy-file.ts";
import { groupsOf, type PolicyAction, SCHEMA } from "./schema.ts";

/** Who asks for what of which connection, as Cedar takes it. */
export interface CedarAsk {
  readonly principal: { type: string; id: string };
  readonly resource: { type: string; id: string };
  readonly entities: Entities;
}

/** Ids of the policies that decided, or that could not be evaluated; sorted by nothing. */
export interface CedarAnswer {
  readonly allowed: boolean;
  readonly decided: ReadonlySet<string>;
  readonly failed: readonly string[];
}

export interface CedarEngine {
  /** Throws where Cedar cannot answer at all. */
  ask(ask: CedarAsk, action: PolicyAction, context: Context): CedarAnswer;
}

/** Sets live in the engine's memory under a name, until another takes it. */
let serial = 0;
const forget = new FinalizationRegistry<readonly string[]>((names) => {
  for (const name of names) preparsePolicySet(name, { staticPolicies: {} });
});

/** What Cedar's validator has to say against these policies, warnings as well: a rule that can never apply protects nothing. */
export function cedarFaults(policies: readonly ParsedPolicy[]): { policy: string; error: DetailedError }[] {
  const answer = validate({ schema: SCHEMA, policies: { staticPolicies: textsOf(policies) } });
  if (answer.type === "failure") throw engineFailed(answer.errors);
  const errors = answer.validationErrors;
  const wrong = new Set(errors.map(({ policyId }) => policyId));
  const warnings = answer.validationWarnings.filter(({ policyId }) => !wrong.has(policyId));
  return [...errors, ...warnings]
    .map(({ policyId: policy, error }) => ({ policy, error }))
    .toSorted((one, other) => (one.error.message < other.error.message ? -1 : 1)); // it tells them in any order
}

/** The policies that can be about an action, in the engine's memory, and what they must be told. */
interface ActionSet {
  readonly name: string;
  readonly entities: Entities;
  readonly attributes: readonly string[];
}

/**
 * Answers from validated policies. Each action has a set of its own, made when it is first asked about, and is given no more
 * of the context than its policies look at. The engine is not given the schema again: that alone would cost as much as an
 * answer. What a policy should miss for it is an error in its evaluation, and so a block.
 */
export function cedarEngine(policies: readonly ParsedPolicy[]): CedarEngine {
  const prefix = `policies-${++serial}`;
  const names: string[] = [];
  const sets = new Map<PolicyAction, ActionSet>();
  const setOf = (action: PolicyAction): ActionSet => {
    const known = sets.get(action);
    if (known !== undefined) return known;
    const about = policies.filter(({ actions }) => actions.has(action));
    const name = `${prefix}/${action}`;
    names.push(name);
    const answer = preparsePolicySet(name, { staticPolicies: textsOf(about) });
    if (answer.type === "failure") throw engineFailed(answer.errors);
    const parents = groupsOf(action).map(actionUid);
    const attributes = [...new Set(about.flatMap((policy) => [...policy.attributes]))];
    const made = { name, entities: [{ uid: actionUid(action), attrs: {}, parents }], attributes };
    sets.set(action, made);
    return made;
  };
  const engine: CedarEngine = {
    ask({ principal, resource, entities }, action, context) {
      const set = setOf(action);
      const answer = statefulIsAuthorized({
        principal,
        resource,
        action: actionUid(action),
        entities: [...entities, ...set.entities],
        context: only(context, set.attributes),
        preparsedPolicySetId: set.name,
        validateRequest: false,
      });
      if (answer.type === "failure") throw engineFailed(answer.errors);
      const { decision, diagnostics } = answer.response;
      return {
        allowed: decision === "allow",
        decided: new Set(diagnostics.reason),
        failed: diagnostics.errors.map(({ policyId }) => policyId),
      };
    },
  };
  forget.register(engine, names);
  return engine;
}

function actionUid(id: string): { type: string; id: string } {
  return { type: "Action", id };
}

function textsOf(policies: readonly ParsedPolicy[]): Record<string, string> {
  return Object.fromEntries(policies.map(({ id, text }) => [id, text]));
}

function engineFailed(errors: readonly DetailedError[]): SallyportError {
  return new SallyportError("internal", `Cedar: ${errors.map(({ message }) => message).join("; ")}`);
}

/** What an action's context does not have stays out of it, so that `context has` tells. */
function only(context: Context, names: readonly string[]): Context {
  const chosen: Context = {};
  for (const name of names) {
    const value = context[name];
    if (value !== undefined) chosen[name] = value;
  }
  return chosen;
}
