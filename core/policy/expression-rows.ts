import type { FuncCall, Node } from "@pgsql/types";
import { BUILT_IN_OPERATORS, functionActions, runsArgument } from "./known-functions.ts";
import { columnsOf, type Output } from "./scope.ts";
import { as, constantText, dotted, strings } from "./tree.ts";
import type { NodeTable, Walk } from "./walk.ts";

const leaf = (): void => undefined;
const within = (walk: Walk, node: object): void => walk.fields(node);

/** Notes a function that is called, and what calling it means. */
export function calls(walk: Walk, name: string): void {
  walk.functions.add(name);
  for (const action of functionActions(name)) walk.does(action);
}

const OPERATES: ReadonlySet<string> = new Set(["AEXPR_OP", "AEXPR_OP_ANY", "AEXPR_OP_ALL"]);

/** An operator is a function by another name: those that PostgreSQL brings along are harmless, others are named. */
function operator(walk: Walk, name: readonly Node[] | undefined): void {
  if (name === undefined) return;
  const operation = dotted(strings(name));
  if (!BUILT_IN_OPERATORS.has(operation)) calls(walk, operation);
}

function functionCall(walk: Walk, node: FuncCall): void {
  const name = dotted(strings(node.funcname));
  calls(walk, name);
  const bare = name.slice(name.lastIndexOf(".") + 1);
  if (bare === "set_config") walk.sets(setting(node.args?.[0]));
  const runs = runsArgument(name);
  if (runs !== undefined) runText(walk, node.args?.[runs]);
  walk.all(node.args);
  walk.look(node.agg_filter);
  walk.look(node.agg_order);
  if (node.over !== undefined) walk.node("WindowDef", node.over);
}

/** `*` where the text does not tell. */
function setting(node: Node | undefined): string {
  const named = as(node, "NamedArgExpr");
  if (named !== undefined && named.name !== "setting_name") return "*";
  return constantText(named?.arg ?? node) ?? "*";
}

function runText(walk: Walk, node: Node | undefined): void {
  const sql = constantText(as(node, "NamedArgExpr")?.arg ?? node);
  if (sql === undefined) walk.does("pg:do");
  else walk.text(sql);
}

/** ORDER BY and GROUP BY also see the names and positions of the target list (§7.5). */
function outputsNamed(outputs: readonly Output[], node: Node): readonly Output[] {
  const path = strings(as(node, "ColumnRef")?.fields);
  if (path.length === 1) return outputs.filter(({ name }) => name === path[0]);
  const position = as(node, "A_Const")?.ival?.ival;
  if (position === undefined) return [];
  const starred = outputs.some(({ star, name }) => star !== undefined || name === undefined);
  return starred ? outputs : outputs.slice(position - 1, position);
}

/** What rows are grouped or ordered by. */
export function compared(walk: Walk, nodes: readonly Node[] | undefined): void {
  const before = walk.looking;
  walk.looking = true;
  for (const node of nodes ?? []) byOutput(walk, node);
  walk.looking = before;
}

function byOutput(walk: Walk, node: Node | undefined): void {
  if (node === undefined) return;
  for (const output of outputsNamed(walk.scope.outputs, node)) walk.columns(columnsOf(output));
  walk.visit(node);
}

export const EXPRESSION_ROWS: NodeTable = {
  ColumnRef: (walk, { fields }) => {
    if (walk.looking || walk.making !== undefined) walk.columns(walk.scope.columns(strings(fields)));
  },
  FuncCall: functionCall,
  A_Expr: (walk, { kind, name, lexpr, rexpr }) => {
    if (kind === undefined || OPERATES.has(kind)) operator(walk, name);
    walk.visit(lexpr);
    walk.visit(rexpr);
  },
  CaseExpr: (walk, { arg, args, defresult }) => {
    walk.look(arg);
    walk.all(args);
    walk.visit(defresult);
  },
  CaseWhen: (walk, { expr, result }) => {
    walk.look(expr);
    walk.visit(result);
  },
  SubLink: (walk, { testexpr, subselect, operName }) => {
    operator(walk, operName);
    if (testexpr !== undefined) walk.look([testexpr, ...(subselect === undefined ? [] : [subselect])]);
    else walk.visit(subselect);
  },
  SortBy: (walk, { node, useOp }) => {
    operator(walk, useOp);
    byOutput(walk, node);
  },
  GroupingSet: (walk, { content }) => compared(walk, content),
  WindowDef: (walk, node) => {
    walk.look(node.partitionClause);
    walk.look(node.orderClause);
    walk.visit(node.startOffset);
    walk.visit(node.endOffset);
  },
  JsonAggConstructor: (walk, node) => {
    walk.look(node.agg_filter);
    walk.look(node.agg_order);
    if (node.over !== undefined) walk.node("WindowDef", node.over);
    if (node.output !== undefined) walk.node("JsonOutput", node.output);
  },
  IndexElem: (walk, { name, expr }) => {
    if (name !== undefined) walk.columns(walk.scope.columns([name]));
    walk.visit(expr);
  },
  A_Const: leaf,
  A_Star: leaf,
  Alias: leaf,
  BitString: leaf,
  Boolean: leaf,
  CurrentOfExpr: leaf,
  Float: leaf,
  Integer: leaf,
  JsonFormat: leaf,
  MergeSupportFunc: leaf,
  ParamRef: leaf,
  RoleSpec: leaf,
  SetToDefault: leaf,
  SQLValueFunction: leaf,
  String: leaf,
  A_ArrayExpr: within,
  A_Indices: within,
  A_Indirection: within,
  BoolExpr: within,
  BooleanTest: within,
  CoalesceExpr: within,
  CollateClause: within,
  GroupingFunc: within,
  JsonArgument: within,
  JsonArrayAgg: within,
  JsonArrayConstructor: within,
  JsonArrayQueryConstructor: within,
  JsonBehavior: within,
  JsonFuncExpr: within,
  JsonIsPredicate: within,
  JsonKeyValue: within,
  JsonObjectAgg: within,
  JsonObjectConstructor: within,
  JsonOutput: within,
  JsonParseExpr: within,
  JsonReturning: within,
  JsonScalarExpr: within,
  JsonSerializeExpr: within,
  JsonTableColumn: within,
  JsonTablePathSpec: within,
  JsonValueExpr: within,
  List: within,
  MinMaxExpr: within,
  MultiAssignRef: within,
  NamedArgExpr: within,
  NullTest: within,
  RangeTableFuncCol: within,
  ResTarget: within,
  RowExpr: within,
  TypeCast: within,
  TypeName: within,
  XmlExpr: within,
  XmlSerialize: within,
};
