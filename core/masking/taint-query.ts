import type { MaskRule } from "./masking.ts";
import { isTree, listOf, namesOf, stringOf, textOf, treeOf, unwrap, type Tree } from "./sql-tree.ts";
import { expressionRule, referenced, type ExpressionContext } from "./taint-expression.ts";
import { fromItem, relationItem, type CommonTables, type FromContext } from "./taint-from.ts";
import { exactItem, itemNamed, type RangeItem, type Scope } from "./taint-scope.ts";
import { joined, outputsOf, stacked, whole, type Outputs, type TaintCatalog, type TaintedColumn } from "./tainted.ts";

/** A recursive query is looked at until nothing changes any more; more often than this, and all of it is masked. */
const MAX_ROUNDS = 16;

/**
 * What a SELECT, INSERT, UPDATE, DELETE or MERGE yields, and which of it may hold, or be made from, a masked value. Names
 * that cannot be resolved are masked. Conditions, groupings and orderings are no values.
 */
export function queryOutputs(value: unknown, catalog: TaintCatalog, common?: CommonTables, outer?: Scope): Outputs {
  const unwrapped = unwrap(value);
  const query: Query = { catalog, common: undefined, outer };
  switch (unwrapped?.type) {
    case "SelectStmt":
      return selected(unwrapped.node, { ...query, common: commonTables(unwrapped.node, catalog, common) });
    case "InsertStmt":
    case "UpdateStmt":
    case "DeleteStmt":
    case "MergeStmt":
      return returned(unwrapped.type, unwrapped.node, {
        ...query,
        common: commonTables(unwrapped.node, catalog, common),
      });
    case undefined:
    default:
      return { columns: undefined, rule: whole(catalog.unknown) };
  }
}

interface Query {
  readonly catalog: TaintCatalog;
  readonly common: CommonTables | undefined;
  readonly outer: Scope | undefined;
}

function commonTables(node: Tree, catalog: TaintCatalog, outer: CommonTables | undefined): CommonTables | undefined {
  const clause = treeOf(node["withClause"]);
  if (clause === undefined) return outer;
  const found: CommonTables = { tables: new Map(), outer };
  for (const item of listOf(clause["ctes"])) {
    const cte = unwrap(item)?.node ?? {};
    const name = textOf(cte["ctename"]) ?? "";
    const names = namesOf(cte["aliascolnames"]);
    const read = (): Outputs => named(queryOutputs(cte["ctequery"], catalog, found, undefined), names);
    // SEARCH and CYCLE add columns (§7.8.2.1).
    const extended = cte["search_clause"] !== undefined || cte["cycle_clause"] !== undefined;
    const outputs = clause["recursive"] === true ? recursive(name, found, cte, names, read, catalog) : read();
    found.tables.set(name, extended ? { columns: undefined, rule: outputs.rule } : outputs);
  }
  return found;
}

/** From its first term on, round by round, until the columns that are masked stay the same. */
function recursive(
  name: string,
  found: CommonTables,
  cte: Tree,
  names: readonly string[],
  read: () => Outputs,
  catalog: TaintCatalog,
): Outputs {
  const query = unwrap(cte["ctequery"])?.node;
  const first = treeOf(query?.["larg"]);
  if (first === undefined) return read();
  let outputs = named(queryOutputs({ SelectStmt: first }, catalog, found, undefined), names);
  for (let round = 0; round < MAX_ROUNDS; round++) {
    found.tables.set(name, outputs);
    const next = stacked(outputs, read());
    if (next.columns?.every((column, n) => column.rule === outputs.columns?.[n]?.rule) ?? next.rule === outputs.rule)
      return next;
    outputs = next;
  }
  return { columns: undefined, rule: whole(catalog.unknown) };
}

function named(outputs: Outputs, names: readonly string[]): Outputs {
  if (names.length === 0 || outputs.columns === undefined) return outputs;
  if (names.length > outputs.columns.length) return { columns: undefined, rule: outputs.rule };
  return { ...outputs, columns: outputs.columns.map((column, n) => ({ ...column, name: names[n] ?? column.name })) };
}

function selected(node: Tree, query: Query): Outputs {
  if (node["op"] !== undefined && node["op"] !== "SETOP_NONE") {
    const side = (key: string): Outputs => {
      const part = treeOf(node[key]) ?? {};
      return selected(part, { ...query, common: commonTables(part, query.catalog, query.common) });
    };
    return stacked(side("larg"), side("rarg"));
  }
  const scope: Scope = { items: [], outer: query.outer };
  const contexts = contextsOf(scope, query);
  if (node["valuesLists"] !== undefined) return values(listOf(node["valuesLists"]), contexts.expressions);
  const star = listOf(node["fromClause"]).map((item) => fromItem(item, contexts));
  return targets(listOf(node["targetList"]), star, contexts.expressions);
}

function contextsOf(scope: Scope, { catalog, common }: Query): FromContext {
  const expressions: ExpressionContext = {
    catalog,
    scope,
    subquery: (value, within) => queryOutputs(value, catalog, common, within),
  };
  const query: FromContext["query"] = (value, tables, outer) => queryOutputs(value, catalog, tables, outer);
  return { catalog, common, scope, expressions, query };
}

function values(lists: readonly unknown[], context: ExpressionContext): Outputs {
  const rows = lists.map((list) => targets(listOf(unwrap(list)?.node["items"]), [], context));
  return rows.reduce((above, below) => stacked(above, below));
}

/** INSERT, UPDATE, DELETE and MERGE … RETURNING (§6.4). */
function returned(type: string, node: Tree, query: Query): Outputs {
  const scope: Scope = { items: [], outer: query.outer };
  const contexts = contextsOf(scope, query);
  const target = relationItem(treeOf(node["relation"]) ?? {}, { ...contexts, common: undefined });
  const clause = treeOf(node["returningClause"]);
  const options = listOf(clause?.["options"]).map((option) => textOf(unwrap(option)?.node["value"]));
  for (const alias of ["old", "new", ...options]) scope.items.push({ ...target, alias });
  const from = [...listOf(node["fromClause"]), ...listOf(node["usingClause"])];
  const source = [...from, ...(node["sourceRelation"] === undefined ? [] : [node["sourceRelation"]])];
  const others = source.map((item) => fromItem(item, contexts));
  scope.items.push(target);
  const star = type === "MergeStmt" ? [...others, target] : [target, ...others];
  return targets(listOf(clause?.["exprs"]), star, contexts.expressions);
}

/** A list of outputs, `*` taken apart. */
function targets(list: readonly unknown[], star: readonly RangeItem[], context: ExpressionContext): Outputs {
  const columns: TaintedColumn[] = [];
  let rule: MaskRule | undefined;
  let known = true;
  for (const item of list) {
    const unwrapped = unwrap(item);
    const target = unwrapped?.type === "ResTarget" ? unwrapped.node : undefined;
    const value = target === undefined ? item : target["val"];
    const expanded = expansion(value, star, context);
    if (expanded !== undefined) {
      for (const source of expanded) {
        known &&= source.exact;
        rule = joined(rule, source.rule);
        columns.push(...source.columns);
      }
      continue;
    }
    const column = output(value, textOf(target?.["name"]), context);
    known &&= column !== undefined;
    if (column !== undefined) columns.push(column);
    else rule = joined(rule, expressionRule(value, context));
  }
  if (known) return outputsOf(columns);
  return { columns: undefined, rule: whole(joined(rule, outputsOf(columns).rule)) };
}

/** What `*` or `table.*` stands for; undefined for any other output. */
function expansion(
  value: unknown,
  star: readonly RangeItem[],
  { scope, catalog }: ExpressionContext,
): readonly RangeItem[] | undefined {
  const unwrapped = unwrap(value);
  const fields = listOf(unwrapped?.node["fields"]);
  if (unwrapped?.type !== "ColumnRef" || unwrap(fields.at(-1))?.type !== "A_Star") return undefined;
  const qualifier = namesOf(fields).at(-1);
  if (qualifier === undefined) return star;
  const item = itemNamed(scope, qualifier);
  return [item ?? { ...exactItem(undefined, []), exact: false, rule: whole(catalog.unknown) }];
}

/** One output; undefined where it may be several: `(row).*`. */
function output(value: unknown, name: string | undefined, context: ExpressionContext): TaintedColumn | undefined {
  const unwrapped = unwrap(value);
  if (unwrapped?.type === "ColumnRef") {
    const column = referenced(unwrapped.node, context);
    return name === undefined ? column : { ...column, name };
  }
  if (unwrapped?.type === "A_Indirection") {
    const last = listOf(unwrapped.node["indirection"]).at(-1);
    if (unwrap(last)?.type === "A_Star") return undefined;
  }
  return { name: name ?? impliedName(unwrapped), rule: expressionRule(value, context), type: 0 };
}

/** What the server calls an output without a name (FigureColname in parse_target.c), where that is easily told. */
function impliedName(unwrapped: ReturnType<typeof unwrap>): string {
  if (unwrapped === undefined) return "";
  const { type, node } = unwrapped;
  if (type === "FuncCall") return namesOf(node["funcname"]).at(-1) ?? "";
  if (type === "TypeCast") {
    const inner = impliedName(unwrap(node["arg"]));
    if (inner !== "" && inner !== UNNAMED) return inner;
    return isTree(node["typeName"]) ? (namesOf(node["typeName"]["names"]).at(-1) ?? "") : "";
  }
  if (type === "ColumnRef") return stringOf(listOf(node["fields"]).at(-1)) ?? "";
  if (type === "A_Const" || type === "A_Expr" || type === "ParamRef") return UNNAMED;
  return "";
}

const UNNAMED = "?column?";
