import type { PgAction } from "./actions.ts";

/**
 * What one statement does, as far as its text tells. A pure function of its bytes. Names are as the server folds them; what is
 * in `pg_catalog` goes by its bare name, and a database's name in front of a schema is dropped.
 */
export interface StatementFacts {
  /** False: too large, or the parser refused it; then `actions` is `["pg:unknown"]` and the lists are empty. */
  readonly parsed: boolean;
  /**
   * Sorted and distinct; never empty. `pg:do` also stands for a function that runs SQL which the text does not tell, and
   * `pg:unknown` for a kind of syntax that we do not know.
   */
  readonly actions: readonly PgAction[];
  /** False where any UPDATE or DELETE in it has no WHERE clause, or one that is constant. */
  readonly bounded: boolean;
  /** Relations that are read or written, `schema.table` where the schema is given. CTE names are not among them. */
  readonly tables: readonly string[];
  /** Those of `tables` that are written, defined or dropped. */
  readonly written: readonly string[];
  /** Functions that are called, defined, or named to be called, `schema.function` where the schema is given; operators that PostgreSQL does not bring along. */
  readonly functions: readonly string[];
  /**
   * Kinds of object that DDL is about: `table`, `schema`, `database`, `role`, `extension`, …; `extension:name` for CREATE EXTENSION; of code,
   * `language:name`, and `language:untrusted` where it is not known to be confined to the database; `security:definer`.
   */
  readonly objects: readonly string[];
  /** Columns that conditions, joins, groupings and orderings look at: `table.column`, or `column` where it is not said whose. */
  readonly predicates: readonly string[];
  /** Settings that SET, set_config() or ALTER … SET change, in small letters; `all` for RESET ALL, `*` where the text does not tell. */
  readonly settings: readonly string[];
  /** EXECUTE, also within CREATE TABLE AS and EXPLAIN: the name of the prepared statement. What that does is judged, too. */
  readonly executes: string | undefined;
  /** PREPARE: the name it gets, and what will run, which is in none of the lists above. */
  readonly prepares: { readonly name: string; readonly facts: StatementFacts } | undefined;
}
