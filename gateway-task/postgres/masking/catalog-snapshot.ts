import type { Masking, MaskRule } from "../../../core/masking/masking.ts";
import { statementTaint, type StatementTaint, unknownTaint } from "../../../core/masking/taint.ts";
import { joined, joinedRules, whole, type TaintCatalog, type TaintedColumn } from "../../../core/masking/tainted.ts";
import { parseSql } from "../../../core/policy/sql-parser.ts";
import type { CatalogRows } from "./catalog-rows.ts";
import { mentions } from "./mentions.ts";

/** What masks where nothing is known. */
export const UNRESOLVED: MaskRule = { name: "unresolved", style: "full", where: "client+recording" };
/** The server's statistics hold values of any column (PostgreSQL 18 §52.51, §53.27). */
const STATISTICS: MaskRule = { name: "statistics", style: "null", where: "client+recording" };
const STATISTICS_COLUMNS =
  /^(?:pg_statistic\.stavalues\d|pg_stats\.(?:most_common_vals|histogram_bounds|most_common_elems|range_\w+)|pg_stats_ext(?:_exprs)?\.(?:most_common_vals|histogram_bounds|most_common_elems)|pg_statistic_ext_data\.(?:stxdmcv|stxdexpr))$/;
/** Built-in types end here (FirstNormalObjectId). */
const FIRST_OWN_OID = 16_384;
const TEXT = 25;
const TEXT_ARRAY = 1009;
const RECORD = 2249;
/** Views upon views upon views. */
const MAX_DEPTH = 64;

type Column = TaintedColumn & { readonly attribute: number };
interface Relation {
  readonly schema: string;
  readonly name: string;
  readonly isView: boolean;
  columns: readonly Column[];
}

/**
 * A target's catalog at one moment, by the rules of one connection: which columns are masked, of tables by their own name or by
 * a table's that they inherit from, of views by what their queries make of masked columns.
 */
export class CatalogSnapshot implements TaintCatalog {
  readonly unknown = UNRESOLVED;
  readonly readAt: number;
  readonly #relations = new Map<number, Relation>();
  readonly #byName = new Map<string, Relation[]>();
  readonly #views: Map<number, string | null>;
  readonly #resolving = new Set<Relation>();
  readonly #resolved = new Set<Relation>();
  readonly #oids = new Map<Relation, number>();
  /** Functions and views that name what is masked, directly or by another. */
  readonly #readers: {
    readonly functions: ReadonlyMap<string, MaskRule>;
    readonly views: ReadonlyMap<string, MaskRule>;
  };
  readonly #types: ReadonlyMap<number, number>;
  /** Shared by the sessions: the same texts come again and again. */
  readonly #taints = new Map<string, readonly StatementTaint[] | undefined>();
  #taintBytes = 0;
  readonly #vain = new Set<string>();
  #missed = false;

  constructor(rows: CatalogRows, masking: Masking, readAt: number) {
    this.readAt = readAt;
    const [relations, views, inherits, functions, types] = rows;
    this.#views = new Map(views);
    const parents = Map.groupBy(inherits, ([child]) => child);
    for (const [oid, schema, name, kind, columns] of relations) {
      const own = columns.map(([attribute, column, type, generated]) => ({
        attribute,
        name: column,
        type,
        rule: ruleOf(masking, schema, name, column),
        ...(generated ? { generated } : {}),
      }));
      const relation = { schema, name, isView: kind === "v" || kind === "m", columns: own };
      this.#relations.set(oid, relation);
      this.#oids.set(relation, oid);
      const named = this.#byName.get(name);
      if (named) named.push(relation);
      else this.#byName.set(name, [relation]);
    }
    for (const oid of parents.keys()) this.#inherit(oid, parents, 0);
    this.#types = typesOf(types);
    const namesOfViews = views.map(([oid, definition]) => [this.#relations.get(oid)?.name ?? "", definition] as const);
    this.#readers = mentions(this.#maskedTables(), functions, namesOfViews, UNRESOLVED);
  }

  knows(oid: number, attribute: number): boolean {
    return this.#relations.get(oid)?.columns.some((column) => column.attribute === attribute) ?? false;
  }

  /** What masks a column that RowDescription names the origin of. */
  originRule(oid: number, attribute: number): MaskRule | undefined {
    const relation = this.#relations.get(oid);
    const found = relation && this.#columns(relation).find((column) => column.attribute === attribute);
    return found === undefined ? UNRESOLVED : found.rule;
  }

  /** A type that the server's own values are like; 0 for one that nothing is known of. */
  typeLike(oid: number): number {
    return oid < FIRST_OWN_OID ? oid : (this.#types.get(oid) ?? 0);
  }

  relations(schema: string | undefined, name: string): readonly (readonly TaintedColumn[])[] {
    const named = this.#byName.get(name) ?? [];
    const meant = schema === undefined ? named : named.filter((relation) => sameSchema(relation.schema, schema));
    this.#missed ||= meant.length === 0;
    return meant.map((relation) => this.#columns(relation));
  }

  functionRule(name: string): MaskRule | undefined {
    return this.#readers.functions.get(name);
  }

  /** Whether a text names relations that are not known: they may have been made since. */
  namesUnknown(text: string): boolean {
    this.taints(text);
    return this.#vain.has(text);
  }

  /** The taint of each statement of a text; undefined where it cannot be read. */
  taints(text: string): readonly StatementTaint[] | undefined {
    if (this.#taints.has(text)) return this.#taints.get(text);
    this.#missed = false;
    const taints = this.#read(text);
    if (this.#missed) this.#vain.add(text);
    this.#taintBytes += text.length;
    for (const [oldest] of this.#taints) {
      if (this.#taints.size < MAX_TAINTS && this.#taintBytes <= MAX_TAINT_BYTES) break;
      this.#taints.delete(oldest);
      this.#vain.delete(oldest);
      this.#taintBytes -= oldest.length;
    }
    this.#taints.set(text, taints);
    return taints;
  }

  #read(text: string): readonly StatementTaint[] | undefined {
    try {
      return parseSql(text)?.map((statement) => statementTaint(statement, this));
    } catch (error) {
      if (error instanceof RangeError) return undefined; // too deep
      throw error;
    }
  }

  #inherit(oid: number, parents: ReadonlyMap<number, readonly (readonly number[])[]>, depth: number): void {
    const relation = this.#relations.get(oid);
    if (relation === undefined || depth > MAX_DEPTH) return;
    for (const [, parent = 0] of parents.get(oid) ?? []) {
      this.#inherit(parent, parents, depth + 1);
      const theirs = this.#relations.get(parent)?.columns ?? [];
      relation.columns = relation.columns.map((column) => {
        const same = theirs.find(({ name }) => name === column.name);
        return column.rule === undefined && same?.rule !== undefined ? { ...column, rule: same.rule } : column;
      });
    }
  }

  #columns(relation: Relation): readonly Column[] {
    if (!relation.isView || this.#resolved.has(relation)) return relation.columns;
    if (this.#resolving.has(relation) || this.#resolving.size > MAX_DEPTH) return masked(relation.columns);
    this.#resolving.add(relation);
    relation.columns = this.#viewColumns(relation);
    this.#resolving.delete(relation);
    this.#resolved.add(relation);
    return relation.columns;
  }

  /** A view's columns stand in the order of its query's outputs. Views of the server's own have none that we were told. */
  #viewColumns(relation: Relation): readonly Column[] {
    const oid = this.#oids.get(relation) ?? 0;
    if (!this.#views.has(oid) || !this.#readers.views.has(relation.name)) return relation.columns;
    const [taint] = this.#read(this.#views.get(oid) ?? "") ?? [];
    const { touched, outputs } = taint ?? unknownTaint(this);
    if (touched === undefined) return relation.columns;
    const known = outputs.columns?.length === relation.columns.length ? outputs.columns : undefined;
    return relation.columns.map((column, n) => {
      const rule = column.rule ?? (known === undefined ? outputs.rule : known[n]?.rule);
      return { ...column, rule };
    });
  }

  /** Names of tables that have a masked column, and what masks them. */
  #maskedTables(): Map<string, MaskRule> {
    const names = new Map<string, MaskRule>();
    for (const { name, schema, columns } of this.#relations.values()) {
      const rule = schema === "pg_catalog" ? undefined : joinedRules(columns);
      const both = joined(names.get(name), rule);
      if (both !== undefined) names.set(name, both);
    }
    return names;
  }
}

/** Texts whose taint is remembered, and their length. */
const MAX_TAINTS = 2_000;
const MAX_TAINT_BYTES = 8 << 20;

/** `pg_temp` is whichever the session has. */
function sameSchema(schema: string, asked: string): boolean {
  return schema === asked || (asked === "pg_temp" && schema.startsWith("pg_temp_"));
}

function ruleOf(masking: Masking, schema: string, table: string, column: string): MaskRule | undefined {
  if (schema === "pg_catalog") return STATISTICS_COLUMNS.test(`${table}.${column}`) ? STATISTICS : undefined;
  const named = { schema, table, column };
  const rule = masking.columnRule(named);
  // What the client is not to see the record is not to hold either: one rule for both.
  return rule?.where === "recording-only" ? (masking.clientView.columnRule(named) ?? rule) : rule;
}

function masked(columns: readonly Column[]): readonly Column[] {
  return columns.map((column) => ({ ...column, rule: whole(UNRESOLVED) }));
}

function typesOf(rows: CatalogRows[4]): Map<number, number> {
  const known = new Map(rows.map((row) => [row[0], row]));
  const likeness = (oid: number, depth: number): number => {
    const row = known.get(oid);
    if (row === undefined) return oid < FIRST_OWN_OID ? oid : 0;
    const [, kind, category, base, element] = row;
    if (kind === "d") return depth > MAX_DEPTH ? 0 : likeness(base, depth + 1);
    if (kind === "c") return RECORD;
    if (kind === "b" && category === "S") return TEXT;
    if (category === "A" && depth === 0 && likeness(element, 1) === TEXT) return TEXT_ARRAY;
    return 0;
  };
  return new Map(rows.map(([oid]) => [oid, likeness(oid, 0)]));
}
