import { loadPolicies } from "../../core/policy/policy-set.ts";
import type { Policies } from "../../core/policy/verdict.ts";

const PERMIT = `@id("all") permit (principal, action, resource);`;

/** Policies that permit everything but what these forbid. */
export function policiesOf(text: string): Policies {
  return loadPolicies(new Map([["test.cedar", `${PERMIT}\n${text}`]]));
}

/** No DROP and no TRUNCATE, whoever consents; nothing that cannot be read; no function by its OID. */
export const BLOCKING = `
  @id("no-drop") @reason("tables are not dropped here")
  forbid (principal, action in [Action::"pg:drop", Action::"pg:truncate"], resource);
  @id("no-unknown") @reason("what cannot be read is not run")
  forbid (principal, action in [Action::"pg:unknown", Action::"pg:functionCall"], resource);
  @id("no-secrets") @reason("salaries are private")
  forbid (principal, action, resource) when { context has tables && context.tables.contains("salaries") };
`;

/** A DELETE or UPDATE of all rows takes a consent. */
export const HOLDING = `
  @id("all-rows") @reason("it changes every row") @approvers("dba")
  forbid (principal, action in [Action::"pg:delete", Action::"pg:update"], resource)
  unless { context.bounded || context.approvals >= 1 };
`;
