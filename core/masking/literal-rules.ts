import { ColumnNames, eachTree, fieldOf, isTree, type Relations, type Tree } from "./column-names.ts";
import type { MaskRule, Masking } from "./masking.ts";

/** What masks a literal or a parameter; null where it is known to be of no masked column. */
type Verdict = MaskRule | null;

/** Whose values the literals and parameters of statements are. */
export interface LiteralRules {
  /** By the byte of the text at which they start. */
  readonly literals: ReadonlyMap<number, Verdict>;
  /** By number, from 1. */
  readonly parameters: ReadonlyMap<number, Verdict>;
  /** What masks all others; undefined where no masked column is touched. */
  readonly rest: MaskRule | undefined;
}

/** Expressions: the columns within one are what the literals within it are compared with, or made into. */
const EXPRESSIONS = new Set([
  "A_ArrayExpr",
  "A_Const",
  "A_Expr",
  "A_Indirection",
  "BooleanTest",
  "CaseExpr",
  "CoalesceExpr",
  "CollateClause",
  "ColumnRef",
  "FuncCall",
  "MinMaxExpr",
  "MultiAssignRef",
  "NamedArgExpr",
  "NullTest",
  "ParamRef",
  "ResTarget",
  "RowExpr",
  "SubLink",
  "TypeCast",
  "XmlExpr",
]);
/** Where a bare integer is a count or a place in the target list. */
const PLACES = new Set(["limitCount", "limitOffset", "sortClause", "groupClause", "distinctClause"]);

/** Attributes the literals of parsed statements to columns. What cannot be attributed is masked where a masked column is touched. */
export function literalRules(statements: readonly unknown[], masking: Masking, relations?: Relations): LiteralRules {
  const attribution = new Attribution(new ColumnNames(statements, masking, relations), masking);
  attribution.visit(statements);
  return attribution;
}

class Attribution implements LiteralRules {
  readonly literals = new Map<number, Verdict>();
  readonly parameters = new Map<number, Verdict>();
  rest: MaskRule | undefined;
  readonly #names: ColumnNames;
  readonly #masking: Masking;

  constructor(names: ColumnNames, masking: Masking) {
    this.#names = names;
    this.#masking = masking;
  }

  visit(value: unknown): void {
    if (Array.isArray(value)) for (const item of value) this.visit(item);
    else if (isTree(value)) for (const key in value) this.#field(key, value[key]);
  }

  #field(key: string, value: unknown): void {
    if (PLACES.has(key)) this.#places(value);
    else if (key === "InsertStmt" && isTree(value)) this.#insert(value);
    else if (key === "MergeWhenClause" && isTree(value)) this.#merge(value);
    else if ((key === "UpdateStmt" || key === "onConflictClause") && isTree(value)) this.#update(value);
    else if (key === "ExecuteStmt") this.#all(value, this.#masking.columnRuleByName());
    else if (EXPRESSIONS.has(key) && !isExists(key, value)) this.#expression({ [key]: value });
    else this.visit(value);
  }

  #expression(expression: Tree): void {
    const { rule, columns } = this.#names.within(expression);
    if (rule !== undefined) this.#all(expression, rule);
    else if (columns) this.#all(expression, null);
  }

  #places(value: unknown): void {
    for (const item of Array.isArray(value) ? (value as unknown[]) : [value]) {
      const node = fieldOf(fieldOf(item, "SortBy"), "node") ?? item;
      if (fieldOf(fieldOf(node, "A_Const"), "ival") !== undefined) this.#all(node, null);
      else this.visit(node);
    }
  }

  /** Everything within is a value of a column that `verdict` is of. Masked once is masked. */
  #all(value: unknown, verdict: Verdict | undefined): void {
    if (verdict === undefined) return;
    if (verdict !== null) this.rest ??= { ...verdict, style: "full" };
    eachTree(value, (node) => {
      const location = fieldOf(node["A_Const"], "location");
      if (typeof location === "number") put(this.literals, location, verdict);
      const number = fieldOf(node["ParamRef"], "number");
      if (typeof number === "number") put(this.parameters, number, verdict);
    });
  }

  #insert(statement: Tree): void {
    const { columns, any } = this.#names.table(statement["relation"]);
    const listed = Array.isArray(statement["cols"]) ? (statement["cols"] as unknown[]) : undefined;
    const targets = listed?.map((col) => this.#names.within(col).rule) ?? columns;
    for (const key in statement)
      if (key === "selectStmt") this.#source(statement[key], targets, any);
      else if (key !== "cols") this.visit({ [key]: statement[key] });
  }

  /** What is inserted, place by place: VALUES, a query, or several of them. */
  #source(query: unknown, targets: readonly (MaskRule | undefined)[] | undefined, any: MaskRule | undefined): void {
    const select = fieldOf(query, "SelectStmt") ?? query;
    if (!isTree(select)) return;
    for (const key in select) {
      const value = select[key];
      if (key === "larg" || key === "rarg") this.#source(value, targets, any);
      else if (key === "targetList") this.#row(value, targets, any);
      else if (key === "valuesLists" && Array.isArray(value))
        for (const list of value) this.#row(fieldOf(fieldOf(list, "List"), "items"), targets, any);
      else this.#field(key, value);
    }
  }

  #row(items: unknown, targets: readonly (MaskRule | undefined)[] | undefined, any: MaskRule | undefined): void {
    if (!Array.isArray(items)) return;
    const list = items as unknown[];
    if (targets === undefined || list.length > targets.length || list.some(isStar)) {
      this.#all(list, any);
      if (any === undefined) this.visit(list);
      return;
    }
    for (const [index, item] of list.entries()) {
      const target = targets[index];
      this.#all(item, target ?? this.#names.within(item).rule ?? null);
    }
  }

  /** What is set is a column's, whether or not its expression names any. */
  #update(statement: Tree): void {
    for (const key in statement) {
      const value = statement[key];
      if (key !== "targetList" || !Array.isArray(value)) this.#field(key, value);
      else for (const target of value) this.#all(target, this.#names.within(target).rule ?? null);
    }
  }

  #merge(clause: Tree): void {
    const { targetList, values } = clause;
    const targets = Array.isArray(targetList) ? targetList.map((target) => this.#names.within(target).rule) : undefined;
    this.#update({ condition: clause["condition"], targetList });
    if (values !== undefined) this.#row(values, targets, this.#masking.columnRuleByName());
  }
}

function put<K>(map: Map<K, Verdict>, key: K, verdict: Verdict): void {
  if (map.get(key) === undefined || map.get(key) === null) map.set(key, verdict);
}

/** Its columns are the inner query's, and compared there. */
function isExists(key: string, value: unknown): boolean {
  return key === "SubLink" && fieldOf(value, "subLinkType") === "EXISTS_SUBLINK";
}

function isStar(item: unknown): boolean {
  const fields = fieldOf(fieldOf(fieldOf(fieldOf(item, "ResTarget"), "val"), "ColumnRef"), "fields");
  return Array.isArray(fields) && fields.some((field) => fieldOf(field, "A_Star") !== undefined);
}
