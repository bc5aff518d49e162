import type { MaskRule } from "./masking.ts";
import { isTree, listOf, namesOf, stringOf, textOf, treeOf, unwrap, walk, type Tree } from "./sql-tree.ts";
import { expressionRule, functionRule, isCustomSetting } from "./taint-expression.ts";
import { queryOutputs } from "./taint-query.ts";
import { CLEAN, joined, outputsOf, whole, type Outputs, type TaintCatalog } from "./tainted.ts";

/** What COPY moves, and how (PostgreSQL 18, COPY). */
export interface CopyTaint {
  readonly direction: "in" | "out";
  /** Its columns, in order. */
  readonly outputs: Outputs;
  /** Options by their names; true for one without a value. */
  readonly options: ReadonlyMap<string, string | true>;
}

/** What of one statement's results and messages may hold masked values. */
export interface StatementTaint {
  /** What masks the server's messages about it, and outputs of which nothing is known; undefined: it meets nothing masked. */
  readonly touched: MaskRule | undefined;
  readonly outputs: Outputs;
  readonly copy?: CopyTaint;
  /** Whose results it shows: EXECUTE a statement's, FETCH a cursor's. */
  readonly shows?: { readonly kind: "statement" | "cursor"; readonly name: string };
  /** PREPARE and DECLARE: what stands behind a name from now on. */
  readonly names?: { readonly name: string; readonly taint: StatementTaint };
}

/** What a statement is taken for of which nothing is known. */
export function unknownTaint(catalog: TaintCatalog): StatementTaint {
  const rule = whole(catalog.unknown);
  return { touched: rule, outputs: { columns: undefined, rule } };
}

/**
 * The taint of one statement of a parse tree, `{ SelectStmt: … }`. What cannot be understood is masked. May throw RangeError
 * for a tree that is too deep.
 */
export function statementTaint(statement: unknown, catalog: TaintCatalog): StatementTaint {
  const touched = touchedRule(statement, catalog);
  const unwrapped = unwrap(statement);
  if (unwrapped === undefined) return unknownTaint(catalog);
  const { type, node } = unwrapped;
  switch (type) {
    case "SelectStmt":
    case "InsertStmt":
    case "UpdateStmt":
    case "DeleteStmt":
    case "MergeStmt":
      // Where nothing is touched nothing needs a closer look: the usual case.
      return { touched, outputs: touched === undefined ? CLEAN : queryOutputs(statement, catalog) };
    case "CopyStmt":
      return copyTaint(node, touched, catalog);
    case "PrepareStmt":
      return naming(textOf(node["name"]), node["query"], touched, catalog);
    case "DeclareCursorStmt":
      return naming(textOf(node["portalname"]), node["query"], touched, catalog);
    case "ExecuteStmt":
      return { touched, outputs: CLEAN, shows: { kind: "statement", name: textOf(node["name"]) ?? "" } };
    case "FetchStmt":
      if (node["ismove"] === true) return { touched, outputs: CLEAN };
      return { touched, outputs: CLEAN, shows: { kind: "cursor", name: textOf(node["portalname"]) ?? "" } };
    case "ExplainStmt":
      return { touched, outputs: { columns: undefined, rule: callsRule(node, catalog) } };
    case "VariableShowStmt":
      return shown(textOf(node["name"]) ?? "", catalog);
    case "CallStmt":
      return called(node, catalog);
    case "DoStmt":
      return unknownTaint(catalog);
    default:
      return { touched, outputs: CLEAN };
  }
}

function shown(name: string, catalog: TaintCatalog): StatementTaint {
  return isCustomSetting(name) ? unknownTaint(catalog) : { touched: undefined, outputs: CLEAN };
}

/** A procedure's output parameters. */
function called(node: Tree, catalog: TaintCatalog): StatementTaint {
  const scope = { items: [], outer: undefined };
  const subquery = (value: unknown): Outputs => queryOutputs(value, catalog);
  const rule = expressionRule({ FuncCall: node["funccall"] }, { catalog, scope, subquery });
  return { touched: rule ?? whole(catalog.unknown), outputs: { columns: undefined, rule } };
}

function naming(
  name: string | undefined,
  query: unknown,
  touched: MaskRule | undefined,
  catalog: TaintCatalog,
): StatementTaint {
  return { touched, outputs: CLEAN, names: { name: name ?? "", taint: statementTaint(query, catalog) } };
}

function copyTaint(node: Tree, touched: MaskRule | undefined, catalog: TaintCatalog): StatementTaint {
  const direction = node["is_from"] === true ? "in" : "out";
  const options = new Map(
    listOf(node["options"]).map((item) => {
      const option = unwrap(item)?.node ?? {};
      return [(textOf(option["defname"]) ?? "").toLowerCase(), optionValue(option["arg"])] as const;
    }),
  );
  return { touched, outputs: CLEAN, copy: { direction, options, outputs: copiedOutputs(node, catalog) } };
}

function optionValue(value: unknown): string | true {
  const unwrapped = unwrap(value);
  if (unwrapped === undefined || unwrapped.type === "A_Star") return true;
  const { node } = unwrapped;
  const given = stringOf(value) ?? node["boolval"] ?? node["ival"] ?? node["fval"];
  const text = typeof given === "string" ? given : JSON.stringify(given);
  return text === undefined || text.toLowerCase() === "true" ? true : text;
}

function copiedOutputs(node: Tree, catalog: TaintCatalog): Outputs {
  if (node["query"] !== undefined) return queryOutputs(node["query"], catalog);
  const relation = treeOf(node["relation"]) ?? {};
  const candidates = catalog.relations(textOf(relation["schemaname"]), textOf(relation["relname"]) ?? "");
  const [only] = candidates;
  const names = namesOf(node["attlist"]);
  if (only === undefined || candidates.length > 1) {
    const rules = candidates.map((columns) => outputsOf(columns).rule);
    const rule = only === undefined ? catalog.unknown : rules.reduce((a, b) => joined(a, b), undefined);
    return { columns: undefined, rule: whole(rule) };
  }
  if (names.length === 0) return outputsOf(only.filter((column) => column.generated !== true));
  const columns = names.map((name) => only.find((column) => column.name === name));
  if (columns.every((column) => column !== undefined)) return outputsOf(columns);
  return { columns: undefined, rule: whole(joined(outputsOf(only).rule, catalog.unknown)) };
}

/** What masks the messages about a statement: every relation and function anywhere in it counts, whatever for. */
function touchedRule(statement: unknown, catalog: TaintCatalog): MaskRule | undefined {
  const common = new Set<string>();
  walk(statement, (tree) => {
    const cte = tree["ctename"];
    if (typeof cte === "string") common.add(cte);
  });
  let rule: MaskRule | undefined;
  walk(statement, (tree) => {
    const name = tree["relname"];
    if (typeof name === "string" && "relpersistence" in tree) {
      const candidates = catalog.relations(textOf(tree["schemaname"]), name);
      if (candidates.length === 0 && !common.has(name)) rule = joined(rule, catalog.unknown);
      for (const columns of candidates) rule = joined(rule, outputsOf(columns).rule);
    } else rule = joined(rule, callRule(tree, catalog));
  });
  return whole(rule);
}

function callsRule(statement: unknown, catalog: TaintCatalog): MaskRule | undefined {
  let rule: MaskRule | undefined;
  walk(statement, (tree) => {
    rule = joined(rule, callRule(tree, catalog));
  });
  return whole(rule);
}

function callRule(tree: Tree, catalog: TaintCatalog): MaskRule | undefined {
  const call = tree["FuncCall"];
  return isTree(call) ? functionRule(namesOf(call["funcname"]), call["args"], catalog) : undefined;
}
