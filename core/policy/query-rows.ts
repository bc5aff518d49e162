import type { Alias, Node, RangeVar, SelectStmt, WithClause } from "@pgsql/types";
import { isBounded } from "./bounds.ts";
import { compared } from "./expression-rows.ts";
import { bounded, columnsOf, renamed, Scope, united, type Output } from "./scope.ts";
import { as, dotted, relationName, strings } from "./tree.ts";
import type { NodeTable, Walk } from "./walk.ts";

/** What a query yields, column by column; its facts are gathered on the way. */
export function query(walk: Walk, node: Node | undefined, early?: Output[]): readonly Output[] {
  const select = as(node, "SelectStmt");
  if (select !== undefined) return selectOutputs(walk, select, early);
  // A CTE or COPY may hold DML: what its RETURNING yields is of no certain name.
  const columns = walk.made(() => walk.visit(node));
  return [{ name: undefined, columns }];
}

/** @param inserted it is the VALUES of an INSERT, which read nothing by themselves */
function selectOutputs(walk: Walk, select: SelectStmt, early?: Output[], inserted = false): readonly Output[] {
  let outputs: readonly Output[] = [];
  walk.nested(() => {
    withClause(walk, select.withClause);
    into(walk, select);
    if (select.larg !== undefined && select.rarg !== undefined) outputs = setOperation(walk, select, early);
    else outputs = plainSelect(walk, select, inserted);
    outputs = bounded(outputs, walk.budget);
    walk.scope.outputs = outputs;
    walk.look(select.sortClause);
    // How many rows there are is seen from outside.
    walk.look(select.limitCount);
    walk.look(select.limitOffset);
    walk.all(select.lockingClause);
  });
  return outputs;
}

function into(walk: Walk, select: SelectStmt): void {
  if (select.intoClause === undefined) return;
  walk.does("pg:selectInto", "table");
  walk.writes(select.intoClause.rel);
}

function setOperation(walk: Walk, select: SelectStmt, early?: Output[]): readonly Output[] {
  const before = walk.looking;
  // All but UNION ALL compare the rows.
  walk.looking ||= select.op !== "SETOP_UNION" || select.all !== true;
  const left = select.larg === undefined ? [] : selectOutputs(walk, select.larg);
  // The right branch of a recursive query sees what the left one yields (§7.8.2.1).
  early?.push(...left);
  const right = select.rarg === undefined ? [] : selectOutputs(walk, select.rarg);
  for (const output of walk.looking ? [...left, ...right] : []) walk.columns(columnsOf(output));
  walk.looking = before;
  return united(left, right);
}

function plainSelect(walk: Walk, select: SelectStmt, inserted: boolean): readonly Output[] {
  if (!inserted) walk.does("pg:select");
  walk.all(select.fromClause);
  const outputs: Output[] = [];
  for (const item of select.targetList ?? []) outputs.push(...targetOutputs(walk, item));
  for (const row of select.valuesLists ?? [])
    outputs.push({ name: undefined, columns: walk.made(() => walk.visit(row)) });
  walk.scope.outputs = outputs;
  walk.look(select.whereClause);
  compared(walk, select.groupClause);
  walk.look(select.havingClause);
  walk.all(select.windowClause);
  distinct(walk, select, outputs);
  return outputs;
}

function distinct(walk: Walk, { distinctClause }: SelectStmt, outputs: readonly Output[]): void {
  if (distinctClause === undefined) return;
  compared(walk, distinctClause);
  const plain = distinctClause.every((node) => Object.keys(node).length === 0);
  if (plain) for (const output of outputs) for (const column of columnsOf(output)) walk.predicates.add(column);
}

function targetOutputs(walk: Walk, node: Node): readonly Output[] {
  const target = as(node, "ResTarget");
  const path = strings(as(target?.val, "ColumnRef")?.fields);
  const columns = walk.made(() => walk.visit(node));
  if (path.length === 1 && path[0] === "*") return walk.scope.stars();
  if (path.at(-1) === "*") return [{ name: undefined, columns }];
  return [{ name: target?.name ?? path.at(-1), columns }];
}

function withClause(walk: Walk, clause: WithClause | undefined): void {
  const { scope } = walk;
  const own: {
    readonly name: string;
    readonly outputs: Output[];
    readonly query: Node | undefined;
    names: string[];
  }[] = [];
  for (const node of clause?.ctes ?? []) {
    const cte = as(node, "CommonTableExpr");
    if (cte?.ctename === undefined) walk.does("pg:unknown");
    else own.push({ name: cte.ctename, outputs: [], query: cte.ctequery, names: strings(cte.aliascolnames) });
  }
  // WITH RECURSIVE: each sees all of them, itself too; else each sees those before it.
  if (clause?.recursive === true) for (const { name, outputs } of own) scope.define(name, outputs);
  for (const { name, outputs, query: inner, names } of own) {
    const made = renamed(query(walk, inner, clause?.recursive === true ? outputs : undefined), names);
    outputs.splice(0, outputs.length, ...made);
    scope.define(name, outputs);
  }
}

/** A table in FROM, or the name of a CTE. */
export function fromTable(walk: Walk, relation: RangeVar): void {
  const { alias, relname = "" } = relation;
  const name = alias?.aliasname ?? relname;
  const cte = relation.schemaname === undefined ? walk.scope.cte(relname) : undefined;
  const names = strings(alias?.colnames);
  if (cte !== undefined) {
    walk.scope.add({ name, outputs: renamed(cte, names) });
    return;
  }
  const table = walk.reads(relation);
  // Renamed columns may be any of the table's.
  const outputs = names.length > 0 ? [{ name: undefined, columns: new Set([`${table}.*`]) }] : undefined;
  walk.scope.add({ name, table, outputs });
}

/** A table that is changed, and the names by which conditions beside it call its rows. */
export function changed(walk: Walk, relation: RangeVar, ...rows: readonly string[]): string {
  walk.writes(relation);
  const table = relationName(relation);
  walk.scope.add({ name: relation.alias?.aliasname ?? relation.relname ?? "", table });
  for (const name of rows) walk.scope.add({ name, table });
  return table;
}

/** The target of DML, and what RETURNING and ON CONFLICT call its rows. */
function dmlTarget(walk: Walk, relation: RangeVar | undefined, ...rows: readonly string[]): void {
  if (relation === undefined) return;
  const table = changed(walk, relation, ...rows);
  // A rule of the system's own turns this into set_config() (pg_settings_u).
  if (table === "pg_settings") {
    walk.does("pg:set");
    walk.sets("*");
  }
}

function derived(walk: Walk, alias: Alias | undefined, outputs: readonly Output[], fallback = ""): void {
  walk.scope.add({
    name: alias?.aliasname ?? fallback,
    outputs: renamed(outputs, strings(alias?.colnames)),
  });
}

/** A function in FROM: what it yields is made of what it is given. */
function fromFunction(walk: Walk, alias: Alias | undefined, name: string, inside: () => void): void {
  derived(walk, alias, [{ name: undefined, columns: walk.made(inside) }], name);
}

const DML_FIELDS = new Set(["relation", "withClause", "whereClause", "joinCondition", "fromClause", "usingClause"]);

export const QUERY_ROWS: NodeTable = {
  SelectStmt: (walk, node) => {
    query(walk, { SelectStmt: node });
  },
  InsertStmt: (walk, node) => {
    walk.does("pg:insert");
    walk.nested(() => {
      withClause(walk, node.withClause);
      const values = as(node.selectStmt, "SelectStmt");
      if (values?.valuesLists === undefined) query(walk, node.selectStmt);
      else selectOutputs(walk, values, undefined, true);
      dmlTarget(walk, node.relation, "excluded");
      if (node.onConflictClause !== undefined) walk.node("OnConflictClause", node.onConflictClause);
      if (node.returningClause !== undefined) walk.node("ReturningClause", node.returningClause);
    });
  },
  OnConflictClause: (walk, node) => {
    if (node.action === "ONCONFLICT_UPDATE") walk.does("pg:update");
    if (node.infer !== undefined) walk.node("InferClause", node.infer);
    walk.all(node.targetList);
    walk.look(node.whereClause);
  },
  InferClause: (walk, node) => {
    walk.look(node.indexElems);
    walk.look(node.whereClause);
  },
  UpdateStmt: (walk, node) => {
    walk.does("pg:update");
    walk.bounded &&= isBounded(node.whereClause, node.relation);
    walk.nested(() => {
      withClause(walk, node.withClause);
      dmlTarget(walk, node.relation);
      walk.all(node.fromClause);
      walk.fields(node, DML_FIELDS);
      walk.look(node.whereClause);
    });
  },
  DeleteStmt: (walk, node) => {
    walk.does("pg:delete");
    walk.bounded &&= isBounded(node.whereClause, node.relation);
    walk.nested(() => {
      withClause(walk, node.withClause);
      dmlTarget(walk, node.relation);
      walk.all(node.usingClause);
      walk.fields(node, DML_FIELDS);
      walk.look(node.whereClause);
    });
  },
  MergeStmt: (walk, node) => {
    walk.does("pg:merge");
    walk.nested(() => {
      withClause(walk, node.withClause);
      dmlTarget(walk, node.relation);
      walk.visit(node.sourceRelation);
      const joined = isBounded(node.joinCondition, node.relation);
      for (const when of node.mergeWhenClauses ?? []) {
        const clause = as(when, "MergeWhenClause");
        const changes = clause?.commandType === "CMD_UPDATE" || clause?.commandType === "CMD_DELETE";
        const picks = joined && clause?.matchKind !== "MERGE_WHEN_NOT_MATCHED_BY_SOURCE";
        if (changes) walk.bounded &&= picks || isBounded(clause.condition, node.relation);
      }
      walk.fields(node, DML_FIELDS);
      walk.look(node.joinCondition);
    });
  },
  MergeWhenClause: (walk, node) => {
    if (node.commandType === "CMD_UPDATE") walk.does("pg:update");
    if (node.commandType === "CMD_DELETE") walk.does("pg:delete");
    if (node.commandType === "CMD_INSERT") walk.does("pg:insert");
    walk.look(node.condition);
    walk.all(node.targetList);
    walk.all(node.values);
  },
  ReturningClause: (walk, node) => {
    // The target of DML is the first source of its level.
    const table = walk.scope.sources[0]?.table;
    const names = (node.options ?? []).map((option) => as(option, "ReturningOption")?.value ?? "");
    for (const name of ["old", "new", ...names]) walk.scope.add({ name, table });
    walk.all(node.exprs);
  },
  RangeVar: fromTable,
  RangeSubselect: (walk, node) => derived(walk, node.alias, query(walk, node.subquery)),
  RangeFunction: (walk, node) => {
    const call = as(as(node.functions?.[0], "List")?.items?.[0], "FuncCall");
    fromFunction(walk, node.alias, strings(call?.funcname).at(-1) ?? "", () => walk.all(node.functions));
  },
  RangeTableFunc: (walk, node) => fromFunction(walk, node.alias, "xmltable", () => walk.fields(node)),
  JsonTable: (walk, node) => fromFunction(walk, node.alias, "json_table", () => walk.fields(node)),
  RangeTableSample: (walk, node) => {
    walk.visit(node.relation);
    walk.functions.add(dotted(strings(node.method)));
    walk.all(node.args);
    walk.visit(node.repeatable);
  },
  JoinExpr: (walk, node) => {
    const from = walk.scope.sources.length;
    walk.visit(node.larg);
    walk.visit(node.rarg);
    const joined = walk.scope.sources.slice(from);
    const stars = new Scope(walk.budget);
    stars.add(...joined);
    for (const column of strings(node.usingClause))
      for (const { name } of joined) look(walk, walk.scope.columns([name, column]));
    if (node.isNatural === true) look(walk, stars.stars().flatMap(columnsOf));
    walk.look(node.quals);
    if (node.alias !== undefined) derived(walk, node.alias, stars.stars());
  },
  LockingClause: (walk) => walk.does("pg:lock"),
};

function look(walk: Walk, columns: readonly string[]): void {
  for (const column of columns) walk.predicates.add(column);
}
