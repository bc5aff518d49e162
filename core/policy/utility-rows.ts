import type { Node, VariableSetStmt } from "@pgsql/types";
import { fromTable, query } from "./query-rows.ts";
import { as, dotted, relationName, strings } from "./tree.ts";
import type { NodeTable, Walk } from "./walk.ts";

const does =
  (...actions: readonly Parameters<Walk["does"]>[0][]) =>
  (walk: Walk): void => {
    for (const action of actions) walk.does(action);
  };

/** SET, RESET, and the same within ALTER ROLE, ALTER DATABASE, ALTER SYSTEM and CREATE FUNCTION. */
export function settings(walk: Walk, set: VariableSetStmt | undefined): void {
  if (set?.kind === "VAR_SET_MULTI") {
    // SET TRANSACTION, SET SESSION CHARACTERISTICS AS TRANSACTION
    const prefix = set.name === "SESSION CHARACTERISTICS" ? "default_" : "";
    for (const arg of set.args ?? []) walk.sets(prefix + (as(arg, "DefElem")?.defname ?? "transaction_snapshot"));
  } else if (set?.kind === "VAR_RESET_ALL") walk.sets("all");
  else walk.sets(set?.name ?? "*");
  walk.all(set?.args);
}

/** EXPLAIN runs its statement if any ANALYZE among its options is not surely off (§EXPLAIN). */
function analyzes(options: readonly Node[] | undefined): boolean {
  return (options ?? []).some((node) => {
    const option = as(node, "DefElem");
    if (option?.defname !== "analyze") return false;
    if (option.arg === undefined) return true;
    const integer = as(option.arg, "Integer");
    const word = as(option.arg, "String")?.sval?.toLowerCase();
    return !(word === "false" || word === "off" || (integer !== undefined && (integer.ival ?? 0) === 0));
  });
}

/** What planning alone may do: the planner runs functions that are declared IMMUTABLE or STABLE. */
function planned(walk: Walk, inside: () => void): void {
  const { bounded } = walk;
  const written = new Set(walk.written);
  const before = new Set(walk.actions);
  inside();
  const functions = walk.functions.size > 0;
  const kept = [...walk.actions].filter((action) => PLANNED.has(action) && functions);
  const unknown = walk.actions.has("pg:unknown");
  walk.actions.clear();
  for (const action of [...before, ...kept]) walk.actions.add(action);
  if (unknown) walk.actions.add("pg:unknown");
  walk.bounded = bounded;
  walk.written.clear();
  for (const table of written) walk.written.add(table);
}

const PLANNED: ReadonlySet<string> = new Set([
  "pg:file",
  "pg:largeObject",
  "pg:dblink",
  "pg:system",
  "pg:do",
  "pg:set",
  "pg:notify",
]);

export const UTILITY_ROWS: NodeTable = {
  CopyStmt: (walk, node) => {
    const inward = node.is_from === true;
    walk.does(inward ? "pg:copyIn" : "pg:copyOut");
    if (node.is_program === true) walk.does("pg:copyProgram");
    else if (node.filename !== undefined) walk.does("pg:copyFile");
    walk.nested(() => {
      query(walk, node.query);
      if (node.relation !== undefined) {
        fromTable(walk, node.relation);
        if (inward) walk.writes(node.relation);
      }
      walk.look(node.whereClause);
    });
  },
  ExplainStmt: (walk, node) => {
    walk.does("pg:explain");
    if (analyzes(node.options)) walk.visit(node.query);
    else planned(walk, () => walk.visit(node.query));
  },
  PrepareStmt: (walk, node) => {
    walk.does("pg:prepare");
    const inner = walk.fresh();
    inner.visit(node.query);
    walk.prepares = { name: node.name ?? "", facts: inner.facts() };
  },
  ExecuteStmt: (walk, node) => {
    walk.does("pg:execute");
    walk.executes = node.name ?? "";
    walk.all(node.params);
  },
  DeallocateStmt: does("pg:deallocate"),
  DeclareCursorStmt: (walk, node) => walk.visit(node.query),
  FetchStmt: does("pg:fetch"),
  ClosePortalStmt: does("pg:fetch"),
  CallStmt: (walk, node) => {
    walk.does("pg:call");
    if (node.funccall !== undefined) walk.node("FuncCall", node.funccall);
  },
  VariableSetStmt: (walk, node) => {
    walk.does("pg:set");
    settings(walk, node);
  },
  VariableShowStmt: does("pg:show"),
  DiscardStmt: does("pg:discard"),
  TransactionStmt: (walk, node) => {
    walk.does("pg:transaction");
    for (const option of node.options ?? []) walk.sets(as(option, "DefElem")?.defname ?? "*");
  },
  ConstraintsSetStmt: does("pg:transaction"),
  ListenStmt: does("pg:listen"),
  UnlistenStmt: does("pg:listen"),
  NotifyStmt: does("pg:notify"),
  LockStmt: (walk, node) => {
    walk.does("pg:lock");
    walk.all(node.relations);
  },
  LoadStmt: does("pg:load"),
  CheckPointStmt: does("pg:maintain"),
  VacuumStmt: (walk, node) => {
    walk.does("pg:maintain");
    walk.all(node.rels);
  },
  VacuumRelation: (walk, node) => {
    if (node.relation !== undefined) fromTable(walk, node.relation);
  },
  ClusterStmt: (walk, node) => {
    walk.does("pg:maintain");
    walk.writes(node.relation);
  },
  ReindexStmt: (walk, node) => {
    walk.does("pg:maintain", (node.kind ?? "").replace("REINDEX_OBJECT_", "").toLowerCase());
    if (node.relation !== undefined) walk.reads(node.relation);
  },
  RefreshMatViewStmt: (walk, node) => {
    walk.does("pg:maintain", "matview");
    walk.writes(node.relation);
  },
  AlterSystemStmt: (walk, node) => {
    walk.does("pg:system");
    settings(walk, node.setstmt);
  },
  TruncateStmt: (walk, node) => {
    walk.does("pg:truncate", "table");
    for (const relation of node.relations ?? []) walk.writes(as(relation, "RangeVar"));
  },
  GrantStmt: (walk, node) => {
    walk.does("pg:grant", objectKind(node.objtype));
    for (const object of node.objects ?? []) {
      const relation = as(object, "RangeVar");
      if (relation !== undefined) walk.tables.add(relationName(relation));
      const routine = as(object, "ObjectWithArgs");
      if (routine !== undefined) walk.functions.add(dotted(strings(routine.objname)));
    }
  },
  GrantRoleStmt: (walk) => {
    walk.does("pg:grant", "role");
    walk.does("pg:role");
  },
  AlterDefaultPrivilegesStmt: (walk, node) => walk.does("pg:grant", objectKind(node.action?.objtype)),
  CreateRoleStmt: (walk) => walk.does("pg:role", "role"),
  AlterRoleStmt: (walk) => walk.does("pg:role", "role"),
  DropRoleStmt: (walk) => walk.does("pg:role", "role"),
  AlterRoleSetStmt: (walk, node) => {
    walk.does("pg:role", "role");
    settings(walk, node.setstmt);
  },
  ReassignOwnedStmt: (walk) => {
    walk.does("pg:alter", "role");
    walk.does("pg:role");
  },
  DropOwnedStmt: (walk) => {
    // It drops whatever the role owns, and revokes what it was granted.
    for (const object of ["role", "schema", "table"]) walk.does("pg:drop", object);
    walk.does("pg:role");
    walk.does("pg:grant");
  },
};

/** OBJECT_FOREIGN_TABLE → `foreign_table` */
export function objectKind(type: string | undefined): string {
  return (type ?? "OBJECT_UNKNOWN").replace("OBJECT_", "").toLowerCase();
}
