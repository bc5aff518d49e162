import type { MaskRule } from "./masking.ts";
import { joined, joinedRules, whole, type TaintCatalog, type TaintedColumn } from "./tainted.ts";

/** What a FROM clause gives a name to. */
export interface RangeItem {
  readonly alias: string | undefined;
  readonly columns: readonly TaintedColumn[];
  /** These columns, all of them, in this order: what `*` stands for. */
  readonly exact: boolean;
  /** It may have columns of other names, masked by `rule`. */
  readonly open: boolean;
  /** What masks any of it. */
  readonly rule: MaskRule | undefined;
}

/** One query's names; those of the queries around it are behind `outer`. */
export interface Scope {
  readonly items: RangeItem[];
  readonly outer: Scope | undefined;
}

/** Every table has them, and they say nothing of its values (PostgreSQL 18 §5.6). */
const SYSTEM_COLUMNS: ReadonlySet<string> = new Set(["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"]);
const CLEAN_COLUMN: Omit<TaintedColumn, "name"> = { rule: undefined, type: 0 };

export function exactItem(alias: string | undefined, columns: readonly TaintedColumn[]): RangeItem {
  return { alias, columns, exact: true, open: false, rule: joinedRules(columns) };
}

/** Of which not even the columns' names are known. */
export function openItem(alias: string | undefined, rule: MaskRule | undefined): RangeItem {
  return { alias, columns: [], exact: false, open: true, rule: whole(rule) };
}

/** The same columns under a FROM clause's own names for them. */
export function renamed(item: RangeItem, alias: string | undefined, names: readonly string[]): RangeItem {
  if (names.length === 0) return { ...item, alias: alias ?? item.alias };
  if (!item.exact || names.length > item.columns.length) return openItem(alias ?? item.alias, item.rule);
  const columns = item.columns.map((column, n) => ({ ...column, name: names[n] ?? column.name }));
  return { ...item, alias: alias ?? item.alias, columns };
}

/** The item that a qualifier means: the innermost of that name. */
export function itemNamed(scope: Scope | undefined, alias: string): RangeItem | undefined {
  for (let at = scope; at !== undefined; at = at.outer) {
    const found = at.items.find((item) => item.alias === alias);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** `item.name`: a column, or a function of the whole row where there is no such column (§4.2.6 functional notation). */
export function columnOf(item: RangeItem, name: string): TaintedColumn {
  const found = item.columns.filter((column) => column.name === name);
  const open = wildcards(item);
  if (found.length > 0) return withRule(merged(name, found), open);
  if (SYSTEM_COLUMNS.has(name)) return { name, ...CLEAN_COLUMN };
  return { name, rule: whole(joined(item.rule, open)), type: 0 };
}

/** A name without a qualifier: of the innermost query that may have it. What is found nowhere is masked. */
export function columnNamed(scope: Scope, name: string, catalog: TaintCatalog): TaintedColumn {
  let open: MaskRule | undefined;
  let opened = false;
  for (let at: Scope | undefined = scope; at !== undefined; at = at.outer) {
    const found = at.items.flatMap((item) => item.columns.filter((column) => column.name === name));
    for (const item of at.items) {
      opened ||= item.open || item.columns.some((column) => column.name === "");
      open = joined(open, wildcards(item));
    }
    if (found.length > 0) return withRule(merged(name, found), open);
    const row = at.items.find((item) => item.alias === name);
    if (row !== undefined) return { name, rule: whole(joined(row.rule, open)), type: 0 };
  }
  if (SYSTEM_COLUMNS.has(name)) return { name, ...CLEAN_COLUMN };
  return { name, rule: opened ? whole(open) : whole(catalog.unknown), type: 0 };
}

/** What masks the columns whose names are not known. */
function wildcards(item: RangeItem): MaskRule | undefined {
  let rule = item.open ? item.rule : undefined;
  for (const column of item.columns) if (column.name === "") rule = joined(rule, column.rule);
  return whole(rule);
}

function withRule(column: TaintedColumn, more: MaskRule | undefined): TaintedColumn {
  return more === undefined ? column : { ...column, rule: joined(column.rule, more) };
}

function merged(name: string, columns: readonly TaintedColumn[]): TaintedColumn {
  const [first] = columns;
  if (first !== undefined && columns.length === 1) return first;
  return { name, rule: joinedRules(columns), type: first?.type ?? 0 };
}
