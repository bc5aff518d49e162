import { visible } from "./visible.ts";

/** The first rows of one result, as text; null is SQL NULL. */
export interface ResultTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | null)[])[];
  /** There are more rows than these. */
  readonly more: boolean;
}

/** Wider cells are cut: a table is for reading, the rows themselves are at hand in full elsewhere. */
const MAX_CELL = 60;

function cell(value: string | null): string {
  if (value === null) return "NULL";
  const text = visible(value.length > 4 * MAX_CELL ? value.slice(0, 4 * MAX_CELL) : value);
  const characters = Array.from(text);
  return characters.length > MAX_CELL ? `${characters.slice(0, MAX_CELL - 1).join("")}…` : text;
}

const width = (text: string): number => Array.from(text).length;

/** The lines of an aligned table. */
export function tableLines({ columns, rows, more }: ResultTable): string[] {
  const head = columns.map((name) => cell(name));
  const cells = rows.map((row) => row.map(cell));
  const widths = head.map((name, n) => Math.max(width(name), ...cells.map((row) => width(row[n] ?? ""))));
  const line = (row: readonly string[]): string =>
    row
      .map((text, n) => text + " ".repeat(Math.max((widths[n] ?? 0) - width(text), 0)))
      .join(" | ")
      .trimEnd();
  const rule = widths.map((size) => "-".repeat(size)).join("-+-");
  return [line(head), rule, ...cells.map(line), ...(more ? ["… and more rows"] : [])];
}
