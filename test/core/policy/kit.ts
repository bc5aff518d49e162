import type { PgAction } from "../../../core/policy/actions.ts";
import { commandContext, NO_STATEMENT } from "../../../core/policy/cedar-context.ts";
import type { StatementFacts } from "../../../core/policy/facts.ts";
import { type LoadedPolicies, loadPolicies } from "../../../core/policy/policy-set.ts";
import type { PolicyAction } from "../../../core/policy/schema.ts";
import { NOT_PARSED } from "../../../core/policy/shell/facts.ts";
import type { Ask } from "../../../core/policy/verdict.ts";
import type { PrincipalId } from "../../../core/identity/principal.ts";

/** A Monday, at noon UTC. */
export const NOON = Date.UTC(2026, 10, 23, 12);

export function askOf(
  options: Partial<{ kind: "user" | "service"; groups: string[]; on: string; in: string; now: number }> = {},
): Ask {
  const { kind = "user", groups = ["engineers"], on = "shop", in: environment = "demo", now = NOON } = options;
  const principal = { kind, id: "https://id.example|alice" as PrincipalId, name: "alice", groups };
  return { principal, connection: { name: on, environment }, now };
}

/** Facts of one statement that does only this. */
export function factsOf(actions: PgAction | readonly PgAction[], others: Partial<StatementFacts> = {}): StatementFacts {
  return {
    parsed: true,
    actions: [actions].flat(),
    bounded: true,
    tables: [],
    written: [],
    functions: [],
    objects: [],
    predicates: [],
    settings: [],
    executes: undefined,
    prepares: undefined,
    ...others,
  };
}

/** Something that can be said of an action. */
export function contextOf(action: PolicyAction): object {
  if (action.startsWith("pg:")) return NO_STATEMENT;
  if (action === "ssh:exec") return commandContext(NOT_PARSED);
  if (action === "ssh:read" || action === "ssh:write") return { operation: "stat", path: "/" };
  return action === "ssh:forward" || action === "ssh:listen" ? { host: "localhost", port: 80 } : {};
}

/** A permit of everything that SQL can do, and these. */
export function guarded(text: string): LoadedPolicies {
  return loadPolicies(
    new Map([
      ["0.cedar", '@id("all") permit (principal, action in Action::"pg", resource);'],
      ["1.cedar", text],
    ]),
  );
}
