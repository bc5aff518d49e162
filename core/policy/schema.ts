import { PG_ACTION_GROUPS, type PgAction } from "./actions.ts";

/** Exemptions from a duty of the gateway. Only a permit that names one grants it: no "everything" includes them. */
export const EXEMPTIONS = { recording: "connectUnrecorded", masking: "viewUnmasked" } as const;

type ExemptionAction = (typeof EXEMPTIONS)[keyof typeof EXEMPTIONS];
export type PolicyAction = PgAction | "connect" | ExemptionAction;

/** The group of all that can be done by SQL. */
const EVERY_STATEMENT = "pg";

const GROUPS = Object.entries(PG_ACTION_GROUPS) as [string, readonly PgAction[]][];
export const PG_ACTIONS: readonly PgAction[] = GROUPS.flatMap(([, actions]) => actions);
export const ACTIONS: readonly PolicyAction[] = ["connect", ...Object.values(EXEMPTIONS), ...PG_ACTIONS];

/** The actions that a name in a policy's scope stands for: itself, or the members of a group. */
export function actionsNamed(name: string): readonly PolicyAction[] {
  if (name === EVERY_STATEMENT) return PG_ACTIONS;
  const members = GROUPS.find(([group]) => group === name)?.[1];
  return members ?? ACTIONS.filter((action) => action === name);
}

/** The groups that an action is in, at whatever distance. */
export function groupsOf(action: PolicyAction): readonly string[] {
  const own = GROUPS.filter(([, actions]) => actions.some((member) => member === action)).map(([group]) => group);
  return own.length > 0 ? [...own, EVERY_STATEMENT] : [];
}

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(", ");

/**
 * What policies are validated against, and every question, too. Hours are 0 to 23 and weekdays 1 (Monday) to 7 (ISO 8601),
 * both in UTC: a verdict must not depend on where the gateway runs.
 */
export const SCHEMA = `
entity Group;
entity Environment;
entity User in [Group];
entity Service in [Group];
entity Connection in [Environment];

action "${EVERY_STATEMENT}";
action ${quoted(GROUPS.map(([group]) => group))} in [Action::"${EVERY_STATEMENT}"];

action "connect" appliesTo {
  principal: [User, Service], resource: [Connection],
  context: { approvals: Long, hour: Long, weekday: Long }
};
action ${quoted(Object.values(EXEMPTIONS))} appliesTo {
  principal: [User, Service], resource: [Connection],
  context: { hour: Long, weekday: Long }
};
${GROUPS.map(
  ([group, actions]) => `
action ${quoted(actions)} in [Action::"${group}"] appliesTo {
  principal: [User, Service], resource: [Connection], context: Statement
};`,
).join("")}

type Statement = {
  parsed: Bool,
  bounded: Bool,
  tables: Set<String>,
  written: Set<String>,
  functions: Set<String>,
  objects: Set<String>,
  predicates: Set<String>,
  settings: Set<String>,
  approvals: Long,
  hour: Long,
  weekday: Long,
};
`;
