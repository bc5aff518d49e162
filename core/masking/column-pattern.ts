import type { ColumnName } from "./masking.ts";

/** `table.column` or `schema.table.column`; `*` stands for any characters within one part. */
export interface ColumnPattern {
  matches(column: ColumnName): boolean;
  /** Whether it matches a column of this name in some table. */
  mayMatch(column: string): boolean;
}

/**
 * Undefined where the text is no such pattern. Letters match in either case: a name that is quoted in mixed case is still the
 * same word.
 */
export function columnPattern(pattern: string): ColumnPattern | undefined {
  const parts = pattern.split(".");
  if (parts.length < 2 || parts.length > 3 || parts.includes("")) return undefined;
  const [column, table, schema] = parts.toReversed().map(partPattern);
  if (column === undefined || table === undefined) return undefined;
  return {
    matches: (name) =>
      column.test(name.column) && table.test(name.table) && (schema === undefined || schema.test(name.schema)),
    mayMatch: (name) => column.test(name),
  };
}

function partPattern(part: string): RegExp {
  const escaped = part.replaceAll(/[\\^$+?.()|[\]{}]/g, String.raw`\$&`);
  return new RegExp(`^${escaped.replaceAll(/\*+/g, "[^]*")}$`, "i");
}
