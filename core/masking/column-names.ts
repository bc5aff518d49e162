import type { MaskRule, Masking } from "./masking.ts";

/** Every relation that a name may mean, with the rules of its columns in order; none where it is not known. */
export type Relations = (
  schema: string | undefined,
  name: string,
) => readonly (readonly { readonly name: string; readonly rule: MaskRule | undefined }[])[];

export type Tree = Readonly<Record<string, unknown>>;

export function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Calls `visit` for every object within, parents first; what it answers false for is not entered. */
export function eachTree(value: unknown, visit: (tree: Tree) => boolean | void): void {
  if (Array.isArray(value)) for (const item of value) eachTree(item, visit);
  else if (isTree(value) && visit(value) !== false) for (const key in value) eachTree(value[key], visit);
}

export function fieldOf(tree: unknown, key: string): unknown {
  return isTree(tree) ? tree[key] : undefined;
}

/** The texts of a list of String nodes. */
function stringsOf(list: unknown): string[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((item) => {
    const text = fieldOf(fieldOf(item, "String"), "sval");
    return typeof text === "string" ? [text] : [];
  });
}

/** Derived tables within derived tables: so often a masked column can change its name, and be followed. */
const MAX_RENAMES = 8;

/** Which of the names that a statement uses stand for masked columns. What is not known of a table is told by the column's name alone. */
export class ColumnNames {
  readonly #masking: Masking;
  readonly #relations: Relations | undefined;
  readonly #names = new Map<string, MaskRule>();
  readonly #ctes = new Set<string>();
  /** A table is named that nobody knows: any column may be one of its. */
  #unknown = false;
  #any: MaskRule | undefined;

  constructor(tree: unknown, masking: Masking, relations: Relations | undefined) {
    this.#masking = masking;
    this.#relations = relations;
    eachTree(tree, (node) => {
      if (typeof node["ctename"] === "string") this.#ctes.add(node["ctename"]);
    });
    eachTree(tree, (node) => this.#table(node));
    if (this.#any === undefined) return;
    this.#lists(tree, this.#any);
    for (let pass = 0, before = -1; pass < MAX_RENAMES && before !== this.#names.size; pass++) {
      before = this.#names.size;
      eachTree(tree, (node) => this.#output(node["ResTarget"]));
    }
  }

  /** What masks a column, a whole row or an alias of this name. */
  rule(name: string): MaskRule | undefined {
    return this.#names.get(name) ?? (this.#unknown ? this.#masking.columnRuleByName(name) : undefined);
  }

  /** What masks all that expressions within are made of; `columns` tells whether they mention any. */
  within(expression: unknown): { readonly rule: MaskRule | undefined; readonly columns: boolean } {
    let rule: MaskRule | undefined;
    let columns = false;
    const add = (found: MaskRule | undefined): void => {
      if (rule !== undefined && found !== undefined && found !== rule) rule = { ...rule, style: "full" };
      rule ??= found;
    };
    eachTree(expression, (node) => {
      const fields = fieldOf(node["ColumnRef"], "fields");
      if (Array.isArray(fields)) {
        columns = true;
        add(this.#named(stringsOf(fields).at(-1)));
        if (fields.some((field) => fieldOf(field, "A_Star") !== undefined)) add(this.#any);
      }
      for (const name of stringsOf(fieldOf(node["A_Indirection"], "indirection"))) add(this.rule(name));
      add(this.#named(stringsOf(fieldOf(node["FuncCall"], "funcname")).at(-1)));
      add(this.#named(fieldOf(node["ResTarget"], "name")));
    });
    return { rule, columns };
  }

  /** A table's columns in order, by their rules; undefined where they are not known, and what masks any of them. */
  table(relation: unknown): {
    readonly columns: readonly (MaskRule | undefined)[] | undefined;
    readonly any: MaskRule | undefined;
  } {
    const known = this.#known(relation);
    const [only] = known;
    const any = known.length === 0 ? this.#masking.columnRuleByName() : known.flat().find(({ rule }) => rule)?.rule;
    return { columns: known.length === 1 ? only?.map(({ rule }) => rule) : undefined, any };
  }

  #named(name: unknown): MaskRule | undefined {
    return typeof name === "string" ? this.rule(name) : undefined;
  }

  #known(relation: unknown): ReturnType<Relations> {
    const [schema, name] = [fieldOf(relation, "schemaname"), fieldOf(relation, "relname")];
    if (typeof name !== "string") return [];
    return this.#relations?.(typeof schema === "string" ? schema : undefined, name) ?? [];
  }

  #table(node: Tree): void {
    const name = node["relname"];
    if (typeof name !== "string" || (node["schemaname"] === undefined && this.#ctes.has(name))) return;
    const known = this.#known(node);
    for (const column of known.flat()) if (column.rule !== undefined) this.#names.set(column.name, column.rule);
    const { any } = this.table(node);
    this.#unknown ||= known.length === 0;
    if (any === undefined) return;
    this.#any ??= any;
    // As a value it is the whole row.
    const alias = fieldOf(node["alias"], "aliasname");
    this.#names.set(typeof alias === "string" ? alias : name, { ...any, style: "full" });
  }

  /** Names given to columns by their place, `AS t (a, b)`: any of them may be a masked one's. */
  #lists(tree: unknown, any: MaskRule): void {
    eachTree(tree, (node) => {
      for (const name of [...stringsOf(node["colnames"]), ...stringsOf(node["aliascolnames"])])
        this.#names.set(name, any);
    });
  }

  /** `email AS e`, and what an expression is called that has no name (FigureColname, src/backend/parser/parse_target.c). */
  #output(target: unknown): void {
    const value = fieldOf(target, "val");
    const { rule } = this.within(value);
    if (rule === undefined) return;
    const name = fieldOf(target, "name");
    const names = typeof name === "string" ? [name] : calledBy(value);
    for (const given of names) if (this.rule(given) === undefined) this.#names.set(given, rule);
  }
}

function calledBy(value: unknown): string[] {
  if (fieldOf(value, "ColumnRef") !== undefined) return [];
  const names = ["case", "coalesce", "array", "row", "greatest", "least", "exists"];
  eachTree(value, (node) => {
    names.push(...stringsOf(fieldOf(node["FuncCall"], "funcname")).slice(-1));
    names.push(...stringsOf(fieldOf(fieldOf(node["TypeCast"], "typeName"), "names")).slice(-1));
  });
  return names;
}
