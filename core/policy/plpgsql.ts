import { parsePlpgsql } from "./sql-parser.ts";
import { constantText } from "./tree.ts";
import type { Walk } from "./walk.ts";

/** PLpgSQL_expr.parseMode (RawParseMode): a statement by itself, an expression; the others are assignments, `name := expression`. */
const STATEMENT = 0;
const EXPRESSION = 2;

interface Expression {
  readonly query?: string;
  readonly parseMode?: number;
}

/**
 * The SQL that stands in a block of PL/pgSQL, as far as it stands there: what EXECUTE puts together does not. Whatever of it
 * cannot be told is `pg:do`, which the block is anyway.
 */
export function plpgsqlBlock(walk: Walk, body: string): void {
  gather(walk, parsePlpgsql(body), false);
}

function gather(walk: Walk, value: unknown, dynamic: boolean): void {
  if (typeof value !== "object" || value === null) return;
  for (const [key, inner] of Object.entries(value) as [string, unknown][])
    if (key === "PLpgSQL_expr") expression(walk, inner as Expression, dynamic);
    else gather(walk, inner, dynamic || key === "PLpgSQL_stmt_dynexecute" || key === "PLpgSQL_stmt_dynfors");
}

function expression(walk: Walk, { query = "", parseMode = STATEMENT }: Expression, dynamic: boolean): void {
  if (parseMode === STATEMENT) walk.text(query, "pg:do");
  else {
    const text = parseMode === EXPRESSION ? query : query.slice(query.indexOf(":=") + 2);
    walk.expression(text, (value) => {
      const sql = dynamic ? constantText(value) : undefined;
      if (sql !== undefined) walk.text(sql, "pg:do");
    });
  }
}
