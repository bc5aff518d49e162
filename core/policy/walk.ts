import type { Node, RangeVar } from "@pgsql/types";
import type { PgAction } from "./actions.ts";
import type { StatementFacts } from "./facts.ts";
import { tableActions } from "./known-functions.ts";
import { Budget, Scope } from "./scope.ts";
import { as, relationName, type Body, type Tag } from "./tree.ts";

/** What a kind of node contributes. */
type Row<T extends Tag> = (walk: Walk, node: Body<T>) => void;
/** One row a kind of node. A kind that is in none is not understood, and counts as `pg:unknown`. */
export type NodeTable = { readonly [T in Tag]?: Row<T> };

/** PostgreSQL's own stack gives up at some thousands; each level takes a few frames of ours. */
const MAX_DEPTH = 1_000;
/** SQL within constants within SQL: query_to_xml('select query_to_xml(…)'), bodies of functions. */
const MAX_TEXTS_DEEP = 3;

/** Fields that hold one kind of node, bare; every other field names the kind of what it holds. */
const BARE_FIELDS: ReadonlyMap<string, Tag> = new Map([
  ["argType", "TypeName"],
  ["base", "CreateStmt"],
  ["bound", "PartitionBoundSpec"],
  ["collClause", "CollateClause"],
  ["constructor", "JsonAggConstructor"],
  ["context_item", "JsonValueExpr"],
  ["format", "JsonFormat"],
  ["ofTypename", "TypeName"],
  ["on_empty", "JsonBehavior"],
  ["on_error", "JsonBehavior"],
  ["output", "JsonOutput"],
  ["over", "WindowDef"],
  ["partbound", "PartitionBoundSpec"],
  ["partspec", "PartitionSpec"],
  ["pathspec", "JsonTablePathSpec"],
  ["pktable", "RangeVar"],
  ["pubtable", "PublicationTable"],
  ["relation", "RangeVar"],
  ["returning", "JsonReturning"],
  ["returningClause", "ReturningClause"],
  ["returnType", "TypeName"],
  ["typeName", "TypeName"],
]);
/** Those of them that say no more than whose or of what type. */
const MUTE_FIELDS = new Set([
  "alias",
  "authrole",
  "grantor",
  "join_using_alias",
  "newowner",
  "newrole",
  "owner",
  "role",
  "user",
]);
/** Within JSON's constructors these, where bare, are values. */
const JSON_VALUES = new Set(["arg", "expr", "val", "value"]);

const PLAIN_FIELDS = new Set(["targetList", "limitOption", "op"]);

export type TextParser = (text: string) => readonly Node[] | undefined;

/** Gathers the facts of one statement on one way through its tree. */
export class Walk {
  readonly actions = new Set<PgAction>();
  readonly tables = new Set<string>();
  readonly written = new Set<string>();
  readonly functions = new Set<string>();
  readonly objects = new Set<string>();
  readonly predicates = new Set<string>();
  readonly settings = new Set<string>();
  bounded = true;
  executes: string | undefined;
  prepares: StatementFacts["prepares"];
  readonly budget = new Budget();
  scope = new Scope(this.budget);
  /** Within a condition, join, grouping or ordering: the columns met are looked at. */
  looking = false;
  /** The columns that the output being walked is made of. */
  making: Set<string> | undefined;
  readonly #table: NodeTable;
  readonly #parse: TextParser;
  #depth = 0;
  #texts = 0;

  constructor(table: NodeTable, parse: TextParser) {
    this.#table = table;
    this.#parse = parse;
  }

  /** For a statement that is judged by itself, such as what PREPARE names. */
  fresh(): Walk {
    return new Walk(this.#table, this.#parse);
  }

  facts(): StatementFacts {
    if (this.actions.size === 0) this.actions.add("pg:unknown");
    return {
      parsed: true,
      actions: sorted(this.actions),
      bounded: this.bounded,
      tables: sorted(this.tables),
      written: sorted(this.written),
      functions: sorted(this.functions),
      objects: sorted(this.objects),
      predicates: sorted(this.predicates),
      settings: sorted(this.settings),
      executes: this.executes,
      prepares: this.prepares,
    };
  }

  visit(node: Node | undefined): void {
    if (node === undefined) return;
    for (const tag of Object.keys(node) as Tag[]) this.node(tag, (node as Record<Tag, never>)[tag]);
  }

  all(nodes: readonly Node[] | undefined): void {
    if (nodes !== undefined) for (const node of nodes) this.visit(node);
  }

  node<T extends Tag>(tag: T, body: Body<T>): void {
    const row = this.#table[tag];
    if (row === undefined) this.actions.add("pg:unknown");
    this.#deeper(() => (row === undefined ? this.fields(body) : row(this, body)));
  }

  #deeper(inside: () => void): void {
    if (++this.#depth > MAX_DEPTH) throw new RangeError("nested too deep");
    inside();
    this.#depth--;
  }

  /** Everything within, for a node that says nothing itself. */
  fields(body: object, except?: ReadonlySet<string>): void {
    for (const [field, value] of Object.entries(body) as [string, unknown][]) {
      if (typeof value !== "object" || value === null || except?.has(field)) continue;
      if (Array.isArray(value)) this.all(value as Node[]);
      else this.#field(field, value);
    }
  }

  #field(field: string, value: object): void {
    const [first] = Object.keys(value);
    if (first === undefined || MUTE_FIELDS.has(field)) return;
    const tag = BARE_FIELDS.get(field);
    const capital = first.charCodeAt(0);
    if (capital >= 65 && capital <= 90) this.visit(value as Node);
    else if (tag !== undefined) this.node(tag, value as never);
    else if (JSON_VALUES.has(field)) this.fields(value);
    else this.actions.add("pg:unknown");
  }

  /** In predicate position. */
  look(nodes: Node | readonly Node[] | undefined): void {
    if (nodes === undefined) return;
    const before = this.looking;
    this.looking = true;
    if (Array.isArray(nodes)) this.all(nodes as Node[]);
    else this.visit(nodes as Node);
    this.looking = before;
  }

  /** A level of its own: what is defined within is not seen behind it. */
  nested(inside: () => void): void {
    const before = this.scope;
    this.scope = new Scope(this.budget, before);
    this.#deeper(inside);
    this.scope = before;
  }

  /** The columns that are met on the way. */
  made(inside: () => void): Set<string> {
    const before = this.making;
    const columns = new Set<string>();
    this.making = columns;
    inside();
    this.making = before;
    this.budget.spend(columns.size);
    if (before !== undefined) for (const column of columns) before.add(column);
    return columns;
  }

  columns(names: Iterable<string>): void {
    for (const name of names) {
      if (this.looking) this.predicates.add(name);
      this.making?.add(name);
    }
  }

  reads(relation: RangeVar): string {
    const name = relationName(relation);
    this.tables.add(name);
    for (const action of tableActions(name)) this.actions.add(action);
    return name;
  }

  writes(relation: RangeVar | undefined): void {
    if (relation !== undefined) this.writesNamed(relationName(relation));
  }

  writesNamed(name: string): void {
    this.tables.add(name);
    for (const action of tableActions(name)) this.actions.add(action);
    this.written.add(name);
  }

  does(action: PgAction, object?: string): void {
    this.actions.add(action);
    if (object !== undefined) this.objects.add(object);
  }

  sets(setting: string): void {
    // The server finds settings whatever the letters' case (guc_name_compare).
    this.settings.add(setting.toLowerCase());
  }

  /** SQL that is run, or kept to be run, from a constant; `otherwise` is what it counts as if it cannot be told. */
  text(sql: string, otherwise: PgAction = "pg:unknown"): void {
    const statements = this.#texts < MAX_TEXTS_DEEP ? this.#parse(sql) : undefined;
    if (statements === undefined) {
      this.actions.add(otherwise);
      return;
    }
    this.#apart(() => this.all(statements));
  }

  /** An expression of PL/pgSQL, which may go on like a query: `email from customers`. */
  expression(text: string, seen: (value: Node | undefined) => void): void {
    const select = as(this.#parse(`select ${text}`)?.[0], "SelectStmt");
    if (select === undefined) return;
    const plain = Object.keys(select).every((field) => PLAIN_FIELDS.has(field));
    this.#apart(() => {
      if (plain) this.all(select.targetList);
      else this.node("SelectStmt", select);
    });
    seen(as(select.targetList?.[0], "ResTarget")?.val);
  }

  /** Names within mean nothing of what they mean around it. */
  #apart(inside: () => void): void {
    const { looking, making, scope } = this;
    this.#texts++;
    this.scope = new Scope(this.budget);
    inside();
    this.#texts--;
    Object.assign(this, { looking, making, scope });
  }
}

function sorted<T extends string>(set: ReadonlySet<T>): readonly T[] {
  return set.size < 2 ? [...set] : [...set].toSorted();
}
