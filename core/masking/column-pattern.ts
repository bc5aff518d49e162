import type { ColumnName } from "./masking.ts";

/** `table.column` or `schema.table.column`; `*` stands for any characters within one part. */
export type ColumnMatcher = (column: ColumnName) => boolean;

/**
 * Undefined where the text is no such pattern. Letters match in either case: a name that is quoted in mixed case is still the
 * same word.
 */
export function columnPattern(pattern: string): ColumnMatcher | undefined {
  const parts = pattern.split(".");
  if (parts.length < 2 || parts.length > 3 || parts.includes("")) return undefined;
  const [column, table, schema] = parts.toReversed().map(partPattern);
  return (name) =>
    column?.test(name.column) === true &&
    table?.test(name.table) === true &&
    (schema === undefined || schema.test(name.schema));
}

function partPattern(part: string): RegExp {
  const escaped = part.replaceAll(/[\\^$+?.()|[\]{}]/g, String.raw`\$&`);
  return new RegExp(`^${escaped.replaceAll(/\*+/g, "[^]*")}$`, "i");
}
