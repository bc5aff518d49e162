/**
 * Every kind of thing that a PostgreSQL statement can do, in the groups that policies speak of (design §5). One statement may
 * do several; each is judged by itself, and the strictest verdict counts.
 */
export const PG_ACTION_GROUPS = {
  read: ["pg:select", "pg:fetch", "pg:show", "pg:explain", "pg:copyOut", "pg:listen"],
  session: ["pg:transaction", "pg:set", "pg:prepare", "pg:execute", "pg:deallocate", "pg:discard"],
  write: [
    "pg:insert",
    "pg:update",
    "pg:delete",
    "pg:merge",
    "pg:copyIn",
    "pg:call",
    "pg:lock",
    "pg:notify",
    "pg:selectInto",
  ],
  ddl: ["pg:create", "pg:alter", "pg:drop", "pg:truncate", "pg:comment", "pg:createFunction", "pg:maintain"],
  admin: [
    "pg:grant",
    "pg:role",
    "pg:system",
    "pg:do",
    "pg:copyProgram",
    "pg:copyFile",
    "pg:file",
    "pg:largeObject",
    "pg:dblink",
    "pg:load",
    "pg:functionCall",
    "pg:unknown",
  ],
} as const;

export type PgAction = (typeof PG_ACTION_GROUPS)[keyof typeof PG_ACTION_GROUPS][number];

/** Every kind of thing that can be done over SSH. Each kind of channel is one of its own, and none opens unless a policy permits it. */
export const SSH_ACTIONS = [
  "ssh:shell",
  "ssh:exec",
  "ssh:read",
  "ssh:write",
  "ssh:forward",
  "ssh:listen",
  "ssh:agent",
  "ssh:x11",
  "ssh:subsystem",
] as const;

export type SshAction = (typeof SSH_ACTIONS)[number];

/** Those of which there is nothing more to say than that they are asked for. */
export const SSH_CHANNELS = [
  "ssh:shell",
  "ssh:agent",
  "ssh:x11",
  "ssh:subsystem",
] as const satisfies readonly SshAction[];

export type SshChannel = (typeof SSH_CHANNELS)[number];

export function isSshChannel(action: string): action is SshChannel {
  return SSH_CHANNELS.some((channel) => channel === action);
}

/** Those that are in a group with what SQL does: files are read and written as tables are. */
export const SSH_ACTION_GROUPS: Readonly<Record<string, readonly SshAction[]>> = {
  read: ["ssh:read"],
  write: ["ssh:write"],
};
