/** A column of a derived table, and the columns that it is made of. */
export interface Output {
  /** Undefined where it has no certain name. */
  readonly name: string | undefined;
  /** It is all columns of this table. */
  readonly star?: string;
  readonly columns: ReadonlySet<string>;
}

/** Something in FROM: a table, or what a query or function yields. */
export interface Source {
  readonly name: string;
  readonly table?: string | undefined;
  readonly outputs?: readonly Output[] | undefined;
}

/** Stars over stars double the columns at every level; hardly a query gives names to more. */
const MAX_OUTPUTS = 400;
/** Many tables by many columns, again and again, at some 100 ns each. */
const MAX_STEPS = 1_000_000;

/** What may be spent on looking up the columns of one statement; RangeError where it needs more. */
export class Budget {
  #left = MAX_STEPS;

  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new RangeError("too many columns to tell apart");
  }
}

function weight(outputs: readonly Output[]): number {
  return outputs.reduce((sum, { columns }) => sum + 1 + columns.size, 0);
}

/** Where there are too many to keep apart, each may be any. */
export function bounded(outputs: readonly Output[], budget: Budget): readonly Output[] {
  budget.spend(weight(outputs));
  if (outputs.length <= MAX_OUTPUTS) return outputs;
  return [{ name: undefined, columns: new Set(outputs.flatMap(columnsOf)) }];
}

/** What names mean at one level of a query; the levels around it are seen from within (§7.8, §4.2.1). */
export class Scope {
  readonly #parent: Scope | undefined;
  readonly #ctes = new Map<string, readonly Output[]>();
  readonly #sources: Source[] = [];
  readonly #budget: Budget;
  /** What it may take to look a column up here. */
  #weight = 0;
  /** Of this level's own target list, for ORDER BY and GROUP BY, which see them. */
  outputs: readonly Output[] = [];

  constructor(budget: Budget, parent?: Scope) {
    this.#budget = budget;
    this.#parent = parent;
    this.#weight = parent === undefined ? 1 : parent.#weight;
  }

  get sources(): readonly Source[] {
    return this.#sources;
  }

  add(...sources: readonly Source[]): void {
    for (const source of sources) {
      this.#weight += 1 + weight(source.outputs ?? []);
      this.#sources.push(source);
    }
    this.#budget.spend(this.#weight);
  }

  define(cte: string, outputs: readonly Output[]): void {
    this.#ctes.set(cte, outputs);
  }

  cte(name: string): readonly Output[] | undefined {
    return this.#ctes.get(name) ?? this.#parent?.cte(name);
  }

  /** The columns that a reference may mean, as `table.column`, `table.*`, or `column` where it is not said whose. */
  columns(path: readonly string[]): readonly string[] {
    this.#budget.spend(this.#weight);
    const column = path.at(-1) ?? "";
    if (path.length === 1) return column === "*" ? this.stars().flatMap(columnsOf) : this.#bare(column);
    const owner = path.slice(0, -1);
    const source = this.#source(owner.slice(-2).join(".")) ?? this.#source(owner.at(-1) ?? "");
    if (source !== undefined) return columnsIn(source, column);
    // `(whole row).column`, or a table of ours that nobody knows: the qualifier is all there is.
    return [`${owner.slice(-2).join(".")}.${column}`];
  }

  /** `*` at this level. */
  stars(): Output[] {
    this.#budget.spend(this.#weight);
    return this.#sources.flatMap(starOf);
  }

  #bare(column: string): readonly string[] {
    const all = this.#chain();
    const [only] = all;
    const found = new Set<string>();
    if (only !== undefined && all.every((source) => source === only || oneTable(source, only)))
      for (const name of columnsIn(only, column)) found.add(name);
    else {
      found.add(column);
      for (const { outputs } of all)
        if (outputs !== undefined) for (const name of lineage(outputs, column)) found.add(name);
    }
    for (const source of all) if (source.name === column) for (const name of columnsIn(source, "*")) found.add(name);
    return [...found];
  }

  #chain(): readonly Source[] {
    const outer = this.#parent === undefined ? [] : this.#parent.#chain();
    return outer.length === 0 ? this.#sources : [...this.#sources, ...outer];
  }

  #source(name: string): Source | undefined {
    const own = this.#sources.find((s) => s.name === name || s.table === name);
    return own ?? (this.#parent === undefined ? undefined : this.#parent.#source(name));
  }
}

/** RETURNING and ON CONFLICT call the rows of one table by several names. */
function oneTable(a: Source, b: Source): boolean {
  return a.outputs === undefined && b.outputs === undefined && a.table !== undefined && a.table === b.table;
}

function starOf(source: Source): readonly Output[] {
  if (source.outputs !== undefined) return source.outputs;
  return [{ name: undefined, star: source.table ?? source.name, columns: new Set() }];
}

function columnsIn(source: Source, column: string): readonly string[] {
  if (source.outputs === undefined) return [`${source.table ?? source.name}.${column}`];
  if (column === "*") return source.outputs.flatMap(columnsOf);
  const found = lineage(source.outputs, column);
  return found.length > 0 ? found : source.outputs.flatMap(columnsOf);
}

/** What a derived table's column is made of: those of its name, and those that a star or a missing name may hide. */
function lineage(outputs: readonly Output[], column: string): readonly string[] {
  const found: string[] = [];
  for (const output of outputs) {
    if (output.star !== undefined) found.push(`${output.star}.${column}`);
    else if (output.name === column || output.name === undefined) found.push(...output.columns);
  }
  return found;
}

export function columnsOf(output: Output): readonly string[] {
  return output.star === undefined ? [...output.columns] : [`${output.star}.*`];
}

/** Two branches of a set operation: column by column where both are known, or each may be any. */
export function united(left: readonly Output[], right: readonly Output[]): Output[] {
  const aligned = left.length === right.length && ![...left, ...right].some((o) => o.star !== undefined);
  if (!aligned) return [...left, { name: undefined, columns: new Set(right.flatMap(columnsOf)) }];
  return left.map(({ name, columns }, i) => ({ name, columns: new Set([...columns, ...(right[i]?.columns ?? [])]) }));
}

/** `AS name (a, b, …)`: by position, unless a star hides the positions. */
export function renamed(outputs: readonly Output[], names: readonly string[]): readonly Output[] {
  if (names.length === 0) return outputs;
  if (outputs.some((o) => o.star !== undefined))
    return [{ name: undefined, columns: new Set(outputs.flatMap(columnsOf)) }];
  return outputs.map((output, i) => ({ name: names[i] ?? output.name, columns: output.columns }));
}
