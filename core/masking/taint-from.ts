import type { MaskRule } from "./masking.ts";
import { listOf, namesOf, textOf, treeOf, unwrap, type Tree } from "./sql-tree.ts";
import { expressionRule, type ExpressionContext } from "./taint-expression.ts";
import { exactItem, openItem, renamed, type RangeItem, type Scope } from "./taint-scope.ts";
import { joined, joinedRules, whole, type Outputs, type TaintCatalog, type TaintedColumn } from "./tainted.ts";

/** What WITH clauses have named, the innermost first. */
export interface CommonTables {
  readonly tables: Map<string, Outputs>;
  readonly outer: CommonTables | undefined;
}

export interface FromContext {
  readonly catalog: TaintCatalog;
  readonly common: CommonTables | undefined;
  /** Takes the names as they are found. */
  readonly scope: Scope;
  readonly expressions: ExpressionContext;
  /** A subquery in FROM sees its neighbours only where it is LATERAL. */
  readonly query: (node: unknown, common: CommonTables | undefined, outer: Scope | undefined) => Outputs;
}

/** Return one column, whatever they are given. */
const ONE_COLUMN: ReadonlySet<string> = new Set([
  "generate_series",
  "generate_subscripts",
  "jsonb_array_elements",
  "jsonb_array_elements_text",
  "json_array_elements",
  "json_array_elements_text",
  "json_object_keys",
  "jsonb_object_keys",
  "regexp_split_to_table",
  "string_to_table",
]);

/** Adds an item of FROM to the scope, and those within it; answers what `*` makes of it. */
export function fromItem(value: unknown, context: FromContext): RangeItem {
  const unwrapped = unwrap(value);
  if (unwrapped?.type === "JoinExpr") return joinItem(unwrapped.node, context);
  const item = unwrapped ? simpleItem(unwrapped.type, unwrapped.node, context) : openItem(undefined, unknown(context));
  context.scope.items.push(item);
  return item;
}

function simpleItem(type: string, node: Tree, context: FromContext): RangeItem {
  switch (type) {
    case "RangeVar":
      return relationItem(node, context);
    case "RangeTableSample":
      return simpleItem("RangeVar", unwrap(node["relation"])?.node ?? {}, context);
    case "RangeSubselect": {
      const outer = node["lateral"] === true ? context.scope : context.scope.outer;
      return aliased(itemOf(undefined, context.query(node["subquery"], context.common, outer)), node);
    }
    case "RangeFunction":
      return functionItem(node, context);
    default: // XMLTABLE, JSON_TABLE, and what a newer grammar brings
      return aliased(openItem(undefined, expressionRule(node, context.expressions)), node);
  }
}

/** A table, a view, or what a WITH clause names; `node` is a RangeVar's. */
export function relationItem(node: Tree, { catalog, common }: FromContext): RangeItem {
  const name = textOf(node["relname"]) ?? "";
  const schema = textOf(node["schemaname"]);
  for (let at = schema === undefined ? common : undefined; at !== undefined; at = at.outer) {
    const found = at.tables.get(name);
    if (found !== undefined) return aliased(itemOf(name, found), node);
  }
  const candidates = catalog.relations(schema, name);
  const [only] = candidates;
  if (only === undefined) return aliased(openItem(name, catalog.unknown), node);
  return aliased(candidates.length === 1 ? exactItem(name, only) : eitherOf(name, candidates), node);
}

/** Which of several relations is meant is not known: a column is masked where it is in any of them. */
function eitherOf(alias: string, candidates: readonly (readonly TaintedColumn[])[]): RangeItem {
  const byName = new Map<string, TaintedColumn>();
  for (const column of candidates.flat()) {
    const before = byName.get(column.name);
    byName.set(column.name, before ? { ...before, rule: joined(before.rule, column.rule) } : column);
  }
  const columns = [...byName.values()];
  return { alias, columns, exact: false, open: false, rule: joinedRules(columns) };
}

function itemOf(alias: string | undefined, outputs: Outputs): RangeItem {
  return outputs.columns === undefined ? openItem(alias, outputs.rule) : exactItem(alias, outputs.columns);
}

function functionItem(node: Tree, context: FromContext): RangeItem {
  const calls = listOf(node["functions"]).map((item) => listOf(unwrap(item)?.node["items"])[0]);
  const rule = expressionRule(calls, context.expressions);
  const names = calls.map((call) => namesOf(unwrap(call)?.node["funcname"]).at(-1) ?? "");
  const alias = textOf(treeOf(node["alias"])?.["aliasname"]);
  if (!names.every((name) => ONE_COLUMN.has(name)) || node["coldeflist"] !== undefined)
    return openItem(alias ?? names[0], rule);
  const width = names.length + (node["ordinality"] === true ? 1 : 0);
  const columns = Array.from({ length: width }, () => ({ name: "", rule: whole(rule), type: 0 }));
  return aliased(exactItem(names[0], columns), node);
}

function joinItem(node: Tree, context: FromContext): RangeItem {
  const left = fromItem(node["larg"], context);
  const right = fromItem(node["rarg"], context);
  const names = joiningNames(node, left, right);
  const rule = joined(left.rule, right.rule);
  const both = (name: string): TaintedColumn => {
    const [one, other] = [left, right].map((side) => side.columns.find((column) => column.name === name));
    return { name, rule: joined(one?.rule, other?.rule), type: one?.type ?? 0 };
  };
  const exact = left.exact && right.exact && names !== undefined;
  const rest = [...left.columns, ...right.columns].filter((column) => !names?.includes(column.name));
  const columns = [...(names ?? []).map(both), ...rest];
  const item = exact ? exactItem(undefined, columns) : { ...openItem(undefined, rule), columns, open: true };
  if (node["join_using_alias"] !== undefined) {
    const alias = textOf(treeOf(node["join_using_alias"])?.["aliasname"]);
    context.scope.items.push(exactItem(alias, (names ?? []).map(both)));
  }
  if (node["alias"] === undefined) return item;
  const named = aliased(item, node);
  context.scope.items.push(named);
  return named;
}

/** The columns that a join merges (§7.2.1.1); undefined where they cannot be told. */
function joiningNames(node: Tree, left: RangeItem, right: RangeItem): readonly string[] | undefined {
  if (node["isNatural"] !== true) return namesOf(node["usingClause"]);
  if (!left.exact || !right.exact) return undefined;
  const theirs = new Set(right.columns.map(({ name }) => name));
  if (theirs.has("")) return undefined;
  return left.columns.map(({ name }) => name).filter((name) => theirs.has(name));
}

function aliased(item: RangeItem, node: Tree): RangeItem {
  const alias = treeOf(node["alias"]);
  return renamed(item, textOf(alias?.["aliasname"]), namesOf(alias?.["colnames"]));
}

function unknown({ catalog }: FromContext): MaskRule | undefined {
  return whole(catalog.unknown);
}
