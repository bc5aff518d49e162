import {
  type Context,
  type DetailedError,
  type Entities,
  preparsePolicySet,
  preparseSchema,
  statefulIsAuthorized,
  validate,
} from "@cedar-policy/cedar-wasm/nodejs";
import { SallyportError } from "../errors.ts";
import type { ParsedPolicy } from "./policy-file.ts";
import { type PolicyAction, SCHEMA } from "./schema.ts";

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

const SCHEMA_NAME = "sallyport";
/** Sets live in the engine's memory under a name, until another takes it. */
let serial = 0;
const forget = new FinalizationRegistry<readonly string[]>((names) => {
  for (const name of names) preparsePolicySet(name, { staticPolicies: {} });
});
let schemaIsReady = false;

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

/**
 * Answers from validated policies. Each action has a set of its own, of those policies that can be about it, made when it is
 * first asked about: an answer costs what its policies cost.
 */
export function cedarEngine(policies: readonly ParsedPolicy[]): CedarEngine {
  const prefix = `policies-${++serial}`;
  const names: string[] = [];
  const sets = new Map<PolicyAction, string>();
  const setOf = (action: PolicyAction): string => {
    const known = sets.get(action);
    if (known !== undefined) return known;
    const name = `${prefix}/${action}`;
    names.push(name);
    const staticPolicies = textsOf(policies.filter(({ actions }) => actions.has(action)));
    const answer = preparsePolicySet(name, { staticPolicies });
    if (answer.type === "failure") throw engineFailed(answer.errors);
    sets.set(action, name);
    return name;
  };
  const engine: CedarEngine = {
    ask({ principal, resource, entities }, action, context) {
      readySchema();
      const answer = statefulIsAuthorized({
        principal,
        resource,
        entities,
        context,
        action: { type: "Action", id: action },
        preparsedPolicySetId: setOf(action),
        preparsedSchemaName: SCHEMA_NAME,
        validateRequest: true,
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

function textsOf(policies: readonly ParsedPolicy[]): Record<string, string> {
  return Object.fromEntries(policies.map(({ id, text }) => [id, text]));
}

function readySchema(): void {
  if (schemaIsReady) return;
  const answer = preparseSchema(SCHEMA_NAME, SCHEMA);
  if (answer.type === "failure") throw engineFailed(answer.errors);
  schemaIsReady = true;
}

function engineFailed(errors: readonly DetailedError[]): SallyportError {
  return new SallyportError("internal", `Cedar: ${errors.map(({ message }) => message).join("; ")}`);
}
