import type { MaskRule } from "./masking.ts";
import { listOf, namesOf, textOf, unwrap, type Tree, isTree } from "./sql-tree.ts";
import { columnNamed, columnOf, itemNamed, type Scope } from "./taint-scope.ts";
import { joined, whole, type Outputs, type TaintCatalog, type TaintedColumn } from "./tainted.ts";

/** What an expression needs of the query that it stands in. */
export interface ExpressionContext {
  readonly catalog: TaintCatalog;
  readonly scope: Scope;
  /** What a subquery yields within this scope. */
  readonly subquery: (node: unknown, scope: Scope) => Outputs;
}

/** How an aggregate takes its rows: that tells no value, as a condition does not. */
const NO_VALUE_FIELDS: ReadonlySet<string> = new Set(["agg_order", "agg_filter", "over"]);

/** Run SQL of their own, or read what no statement names. */
const READS_ANYTHING: ReadonlySet<string> = new Set([
  "query_to_xml",
  "query_to_xmlschema",
  "query_to_xml_and_xmlschema",
  "table_to_xml",
  "table_to_xml_and_xmlschema",
  "schema_to_xml",
  "schema_to_xml_and_xmlschema",
  "database_to_xml",
  "database_to_xml_and_xmlschema",
  "cursor_to_xml",
  "ts_stat",
  "ts_rewrite",
  "dblink",
  "dblink_fetch",
  "dblink_get_result",
  "crosstab",
  "crosstab2",
  "crosstab3",
  "crosstab4",
  "connectby",
  "xpath_table",
  "pg_read_file",
  "pg_read_binary_file",
  "pg_logical_slot_get_changes",
  "pg_logical_slot_peek_changes",
  "pg_logical_slot_get_binary_changes",
  "pg_logical_slot_peek_binary_changes",
  "lo_get",
  "loread",
  "heap_page_items",
  "heap_page_item_attrs",
  "get_raw_page",
  "bt_page_items",
]);

/** What a function of this name may give away by itself, whatever it is given. */
export function functionRule(names: readonly string[], args: unknown, catalog: TaintCatalog): MaskRule | undefined {
  const name = names.at(-1) ?? "";
  if (READS_ANYTHING.has(name)) return whole(catalog.unknown);
  if (name === "current_setting" && !namesBuiltInSetting(listOf(args)[0])) return whole(catalog.unknown);
  return whole(catalog.functionRule(name));
}

/** Settings with a dot in their name are free for anybody to keep a value in. */
export function isCustomSetting(name: string): boolean {
  return name.includes(".");
}

function namesBuiltInSetting(argument: unknown): boolean {
  const constant = unwrap(argument);
  const name = isTree(constant?.node["sval"]) ? textOf(constant.node["sval"]["sval"]) : undefined;
  return constant?.type === "A_Const" && name !== undefined && !isCustomSetting(name);
}

/** What masks the value of an expression. */
export function expressionRule(value: unknown, context: ExpressionContext): MaskRule | undefined {
  if (Array.isArray(value)) {
    let rule: MaskRule | undefined;
    for (const item of value) rule = joined(rule, expressionRule(item, context));
    return whole(rule);
  }
  if (!isTree(value)) return undefined;
  const unwrapped = unwrap(value);
  switch (unwrapped?.type) {
    case "ColumnRef":
      return whole(referenced(unwrapped.node, context).rule);
    case "SubLink":
      return subLinkRule(unwrapped.node, context);
    case "FuncCall":
      return callRule(unwrapped.node, context);
    case "NullTest":
      return unwrap(unwrapped.node["arg"])?.type === "ColumnRef" ? undefined : childrenRule(unwrapped.node, context);
    case "SelectStmt":
      return whole(context.subquery(value, context.scope).rule);
    case undefined:
    default:
      return childrenRule(value, context);
  }
}

function childrenRule(tree: Tree, context: ExpressionContext, without?: ReadonlySet<string>): MaskRule | undefined {
  let rule: MaskRule | undefined;
  for (const key in tree) if (!without?.has(key)) rule = joined(rule, expressionRule(tree[key], context));
  return whole(rule);
}

/** A column, a whole row, or `table.*` as one value. */
export function referenced(node: Tree, { catalog, scope }: ExpressionContext): TaintedColumn {
  const fields = listOf(node["fields"]);
  const names = namesOf(fields);
  const star = unwrap(fields.at(-1))?.type === "A_Star";
  const name = star ? "" : (names.at(-1) ?? "");
  const qualifier = names.at(star ? -1 : -2);
  if (qualifier === undefined) {
    if (!star) return columnNamed(scope, name, catalog);
    let rule: MaskRule | undefined;
    for (const item of scope.items) rule = joined(rule, item.rule);
    return { name, rule: whole(rule), type: 0 };
  }
  const item = itemNamed(scope, qualifier);
  if (item === undefined) return { name, rule: whole(catalog.unknown), type: 0 };
  return star ? { name, rule: whole(item.rule), type: 0 } : columnOf(item, name);
}

function subLinkRule(node: Tree, context: ExpressionContext): MaskRule | undefined {
  if (node["subLinkType"] === "EXISTS_SUBLINK") return undefined; // a condition
  const rows = context.subquery(node["subselect"], context.scope).rule;
  return whole(joined(rows, expressionRule(node["testexpr"], context)));
}

function callRule(node: Tree, context: ExpressionContext): MaskRule | undefined {
  const names = namesOf(node["funcname"]);
  const own = functionRule(names, node["args"], context.catalog);
  if (own === undefined && isCount(names, node)) return undefined;
  // WITHIN GROUP orders what it picks its value from.
  const ordered = node["agg_within_group"] === true ? expressionRule(node["agg_order"], context) : undefined;
  return joined(joined(own, ordered), childrenRule(node, context, NO_VALUE_FIELDS));
}

/** How many there are is not what they are. */
function isCount(names: readonly string[], node: Tree): boolean {
  if (names.at(-1) !== "count" || (names.length > 1 && names[0] !== "pg_catalog")) return false;
  return listOf(node["args"]).every((argument) => unwrap(argument)?.type === "ColumnRef");
}
