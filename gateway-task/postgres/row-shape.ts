import type { RowShape } from "./prepared.ts";
import { stringEnd, wireText } from "../../core/wire-text.ts";

/** PostgreSQL's own bound on a result (MaxTupleAttributeNumber). */
const MAX_COLUMNS = 1_664;
/** PostgreSQL's names have 63 bytes; another server's are cut. */
const MAX_COLUMN_NAME_BYTES = 256;
/** Table OID, attribute number, type OID, type length, type modifier, format (§55.7 RowDescription). */
const COLUMN_TAIL_BYTES = 18;

/** A decoded RowDescription: the identical `known` one where the bytes are the same. A malformed one yields the columns before the flaw. */
export function rowShape(bytes: Buffer, start: number, end: number, known: RowShape | undefined): RowShape {
  if (known !== undefined && known.body.compare(bytes, start, end) === 0) return known;
  const columns: RowShape["columns"] = [];
  const count = end - start >= 2 ? Math.min(bytes.readUInt16BE(start), MAX_COLUMNS) : 0;
  for (let at = start + 2; columns.length < count;) {
    const nameEnd = stringEnd(bytes, at, end);
    const next = nameEnd + 1 + COLUMN_TAIL_BYTES;
    if (next > end) break;
    columns.push({
      name: wireText(bytes, at, Math.min(nameEnd, at + MAX_COLUMN_NAME_BYTES)),
      type: bytes.readUInt32BE(nameEnd + 7),
      format: bytes.readUInt16BE(nameEnd + 17) === 1 ? 1 : 0,
    });
    at = next;
  }
  return { columns, body: Buffer.from(bytes.subarray(start, end)) };
}
