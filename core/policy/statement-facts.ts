import type { Buffer } from "node:buffer";
import type { Node } from "@pgsql/types";
import { DEFINITION_ROWS } from "./definition-rows.ts";
import { EXPRESSION_ROWS } from "./expression-rows.ts";
import type { StatementFacts } from "./facts.ts";
import { QUERY_ROWS } from "./query-rows.ts";
import { ROUTINE_ROWS } from "./routine-rows.ts";
import { parseSql } from "./sql-parser.ts";
import { UTILITY_ROWS } from "./utility-rows.ts";
import { Walk, type NodeTable } from "./walk.ts";

/** Every kind of node that is understood. One that is in no row makes its statement `pg:unknown`, which is denied by default. */
const NODES: NodeTable = { ...EXPRESSION_ROWS, ...QUERY_ROWS, ...UTILITY_ROWS, ...DEFINITION_ROWS, ...ROUTINE_ROWS };

const NOT_PARSED: StatementFacts = {
  parsed: false,
  actions: ["pg:unknown"],
  bounded: false,
  tables: [],
  written: [],
  functions: [],
  objects: [],
  predicates: [],
  settings: [],
  executes: undefined,
  prepares: undefined,
};

/**
 * The facts of each statement of a simple query, in order; none for a text without statements. Never throws: what cannot be
 * parsed is one statement of `parsed: false`. `loadSqlParser()` must have resolved in this thread.
 */
export function statementFacts(text: string | Buffer): readonly StatementFacts[] {
  const statements = parseSql(text);
  if (statements === undefined) return [NOT_PARSED];
  try {
    return statements.map(factsOf);
  } catch {
    // Nested deeper than can be walked.
    return [NOT_PARSED];
  }
}

function factsOf(statement: Node): StatementFacts {
  const walk = new Walk(NODES, parseSql);
  walk.visit(statement);
  return walk.facts();
}
