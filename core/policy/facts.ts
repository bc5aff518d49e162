import type { PgAction } from "./actions.ts";

/** What one statement does, as far as its text tells. A pure function of its bytes; names as the server folds them. */
export interface StatementFacts {
  /** False: too large, or the parser refused it; then `actions` is `["pg:unknown"]` and the lists are empty. */
  readonly parsed: boolean;
  /** Sorted and distinct; never empty. */
  readonly actions: readonly PgAction[];
  /** False where any UPDATE or DELETE in it has no WHERE clause, or one that is constant. */
  readonly bounded: boolean;
  /** Relations that are read or written, `schema.table` where the schema is given. CTE names are not among them. */
  readonly tables: readonly string[];
  /** Those of `tables` that are written, defined or dropped. */
  readonly written: readonly string[];
  /** Functions and operators-by-name that are called, `schema.function` where the schema is given. */
  readonly functions: readonly string[];
  /** Kinds of object that DDL is about: `table`, `schema`, `database`, `role`, `extension`, … */
  readonly objects: readonly string[];
  /** Columns that conditions, joins, groupings and orderings look at: `table.column`, or `column` where it is not said whose. */
  readonly predicates: readonly string[];
  /** Settings that SET, set_config() or ALTER … SET change. */
  readonly settings: readonly string[];
  /** EXECUTE: the name of the prepared statement. What that does is judged, too. */
  readonly executes: string | undefined;
  /** PREPARE: the name it gets, and what will run. */
  readonly prepares: { readonly name: string; readonly facts: StatementFacts } | undefined;
}
