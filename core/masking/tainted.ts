import type { MaskRule } from "./masking.ts";

/** A column of a relation or of a result: with the rule that masks it, where one does. */
export interface TaintedColumn {
  /** Empty where it is not known. */
  readonly name: string;
  readonly rule: MaskRule | undefined;
  /** OID of its type; 0 where it is not known. */
  readonly type: number;
  /** Its values are computed: COPY leaves it out unless it is named. */
  readonly generated?: true;
}

/** What a query yields, left to right. */
export interface Outputs {
  /** Undefined where not even their number is known. */
  readonly columns: readonly TaintedColumn[] | undefined;
  /** What masks any of them: undefined where none can hold a masked value. */
  readonly rule: MaskRule | undefined;
}

/** What the analysis must know of the target's catalog. */
export interface TaintCatalog {
  /** Every relation that the name may mean: of all schemas where none is said. Empty where none is known. */
  relations(schema: string | undefined, name: string): readonly (readonly TaintedColumn[])[];
  /** What masks the result of a function of this name, where one may read masked columns by itself. */
  functionRule(name: string): MaskRule | undefined;
  /** What masks where nothing is known. */
  readonly unknown: MaskRule;
}

export const CLEAN: Outputs = { columns: undefined, rule: undefined };

const wholes = new WeakMap<MaskRule, MaskRule>();

/** The same rule for a value that was made from a masked one: it is hidden whole, whatever style the column itself has. */
export function whole(rule: MaskRule | undefined): MaskRule | undefined {
  if (rule === undefined || rule.style === "full" || rule.style === "null") return rule;
  let found = wholes.get(rule);
  if (found === undefined) wholes.set(rule, (found = { ...rule, style: "full" }));
  return found;
}

/** What masks a value that may be made from either. */
export function joined(a: MaskRule | undefined, b: MaskRule | undefined): MaskRule | undefined {
  if (a === undefined || b === undefined || a === b) return a ?? b;
  return whole(a.where === "client+recording" ? a : b);
}

export function joinedRules(columns: readonly TaintedColumn[]): MaskRule | undefined {
  let rule: MaskRule | undefined;
  for (const column of columns) rule = joined(rule, column.rule);
  return rule;
}

export function outputsOf(columns: readonly TaintedColumn[]): Outputs {
  return { columns, rule: joinedRules(columns) };
}

/** Position by position, as set operations and VALUES put rows below each other. */
export function stacked(above: Outputs, below: Outputs): Outputs {
  const rule = joined(above.rule, below.rule);
  const [upper, lower] = [above.columns, below.columns];
  if (upper === undefined || lower === undefined || upper.length !== lower.length) return { columns: undefined, rule };
  const columns = upper.map((column, n) => {
    const other = lower[n] as TaintedColumn;
    return { ...column, rule: joined(column.rule, other.rule), type: column.type === other.type ? column.type : 0 };
  });
  return { columns, rule };
}
