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
