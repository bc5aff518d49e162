import { PG_ACTION_GROUPS, type PgAction, SSH_ACTION_GROUPS, SSH_ACTIONS, type SshAction } from "./actions.ts";

/** Exemptions from a duty of the gateway. Only a permit that names one grants it: no "everything" includes them. */
export const EXEMPTIONS = { recording: "connectUnrecorded", masking: "viewUnmasked" } as const;

type ExemptionAction = (typeof EXEMPTIONS)[keyof typeof EXEMPTIONS];
export type PolicyAction = PgAction | SshAction | "connect" | ExemptionAction;

const PG_GROUPS = Object.entries(PG_ACTION_GROUPS) as [string, readonly PgAction[]][];
export const PG_ACTIONS: readonly PgAction[] = PG_GROUPS.flatMap(([, actions]) => actions);
export const ACTIONS: readonly PolicyAction[] = [
  "connect",
  ...Object.values(EXEMPTIONS),
  ...PG_ACTIONS,
  ...SSH_ACTIONS,
];

/** What can be done by SQL, what can be done over SSH, and what is alike in both. */
const GROUPS: ReadonlyMap<string, readonly PolicyAction[]> = new Map<string, readonly PolicyAction[]>([
  ["pg", PG_ACTIONS],
  ["ssh", SSH_ACTIONS],
  ...PG_GROUPS.map(([name, actions]) => [name, [...actions, ...(SSH_ACTION_GROUPS[name] ?? [])]] as const),
]);

/** The actions that a name in a policy's scope stands for: itself, or the members of a group. */
export function actionsNamed(name: string): readonly PolicyAction[] {
  return GROUPS.get(name) ?? ACTIONS.filter((action) => action === name);
}

/** The groups that an action is in. */
export function groupsOf(action: PolicyAction): readonly string[] {
  return [...GROUPS].filter(([, actions]) => actions.includes(action)).map(([group]) => group);
}

/** What there is to say of an action, by the name of its type; `Moment` where that is no more than when it is asked for. */
function contextOf(action: PgAction | SshAction): string {
  if (action === "ssh:exec") return "Command";
  if (action === "ssh:read" || action === "ssh:write") return "File";
  if (action === "ssh:forward" || action === "ssh:listen") return "Peer";
  return action.startsWith("ssh:") ? "Moment" : "Statement";
}

function declared(action: PgAction | SshAction): string {
  const groups = groupsOf(action).map((group) => `Action::"${group}"`);
  return `action "${action}" in [${groups.join(", ")}] appliesTo {
  principal: [User, Service], resource: [Connection], context: ${contextOf(action)}
};`;
}

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(", ");

/**
 * What policies are validated against, and every question, too. Hours are 0 to 23 and weekdays 1 (Monday) to 7 (ISO 8601),
 * both in UTC: a verdict must not depend on where the gateway runs.
 */
export const SCHEMA = `
entity Group;
entity Environment;
entity User in [Group] { actors: Set<String> };
entity Service in [Group] { actors: Set<String> };
entity Connection in [Environment];

action ${quoted([...GROUPS.keys()])};

action "connect" appliesTo {
  principal: [User, Service], resource: [Connection], context: Moment
};
action ${quoted(Object.values(EXEMPTIONS))} appliesTo {
  principal: [User, Service], resource: [Connection],
  context: { hour: Long, weekday: Long }
};
${[...PG_ACTIONS, ...SSH_ACTIONS].map(declared).join("\n")}

type Moment = { approvals: Long, hour: Long, weekday: Long };

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

type Command = {
  parsed: Bool,
  dynamic: Bool,
  sudo: Bool,
  network: Bool,
  interpreter: Bool,
  substitutions: Bool,
  background: Bool,
  forkBomb: Bool,
  programs: Set<String>,
  arguments: Set<String>,
  read: Set<String>,
  written: Set<String>,
  approvals: Long,
  hour: Long,
  weekday: Long,
};

type File = {
  operation: String,
  path: String,
  approvals: Long,
  hour: Long,
  weekday: Long,
};

type Peer = {
  host: String,
  port: Long,
  approvals: Long,
  hour: Long,
  weekday: Long,
};
`;
