import { MAX_COLUMNS } from "./backend-messages.ts";

/** A value longer than this is cut: megabytes of it are for the raw frames. */
export const MAX_VALUE_BYTES = 16 << 10;
const NULL_LENGTH = -1;

/** A value as text, `\x…` where it is binary or not UTF-8, null for SQL NULL; an object where it was cut. */
export type Cell = string | null | { readonly cut: string; readonly bytes: number };

/** The values of a DataRow (PostgreSQL 18 §54.7); undefined where the bytes are not one. */
export function dataRow(body: Buffer, columns: readonly { readonly format: string }[]): Cell[] | undefined {
  if (body.length < 2) return undefined;
  const count = body.readUInt16BE(0);
  if (count > MAX_COLUMNS) return undefined;
  const cells: Cell[] = [];
  let at = 2;
  for (let n = 0; n < count; n++) {
    if (at + 4 > body.length) return undefined;
    const length = body.readInt32BE(at);
    at += 4;
    if (length < NULL_LENGTH || at + length > body.length) return undefined;
    const value = length === NULL_LENGTH ? null : body.subarray(at, at + length);
    cells.push(value && cellOf(value, columns[n]?.format === "binary"));
    at += Math.max(length, 0);
  }
  return at === body.length ? cells : undefined;
}

export function cellOf(value: Buffer, binary: boolean): Cell {
  const shown = value.subarray(0, MAX_VALUE_BYTES);
  const cut = shown.length < value.length;
  const text = (binary ? undefined : utf8(shown, cut)) ?? `\\x${shown.toString("hex")}`;
  return cut ? { cut: text, bytes: value.length } : text;
}

/** The text of UTF-8 bytes, without a last character that is cut off; undefined where they are something else. */
function utf8(bytes: Buffer, cut: boolean): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, { stream: cut });
  } catch {
    return undefined;
  }
}

/** A cell for reading: a cut one ends in an ellipsis. */
export function cellText(cell: Cell): string | null {
  return typeof cell === "object" && cell !== null ? `${cell.cut}…` : cell;
}
