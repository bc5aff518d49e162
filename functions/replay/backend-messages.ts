/*
 * Decodes the server's messages that make up results. Not with pg-protocol's parser: it runs past the end of a malformed
 * message, for ever where an ErrorResponse has no terminator, and it turns binary values into text.
 */

/** Tag and length word. */
const HEADER_BYTES = 5;
/** The length word counts itself. */
const LENGTH_BYTES = 4;
/** PostgreSQL 18 Appendix K: a result has at most 1,664 columns. */
export const MAX_COLUMNS = 1_664;
/** In a RowDescription, what stands behind a column's name. */
const FIELD_BYTES = 18;
/** The message of an error is cut in the event already; here it stands beside rows. */
const MAX_TEXT_BYTES = 4 << 10;

/** A message of the server's; its body is a view into the bytes that it was found in. */
export interface BackendBytes {
  readonly tag: string;
  readonly body: Buffer;
}

export interface FieldDescription {
  readonly name: string;
  readonly type: number;
  readonly binary: boolean;
}

/** The whole messages at the start of `bytes`; a last one that is cut off is left out. */
export function* messagesIn(bytes: Buffer): Generator<BackendBytes> {
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const end = at + 1 + Math.max(bytes.readUInt32BE(at + 1), LENGTH_BYTES);
    if (end > bytes.length) return;
    yield { tag: String.fromCharCode(bytes[at] ?? 0), body: bytes.subarray(at + HEADER_BYTES, end) };
    at = end;
  }
}

/** The columns of a RowDescription; undefined where the bytes are not one. */
export function fieldsOf(body: Buffer): FieldDescription[] | undefined {
  const count = body.length < 2 ? MAX_COLUMNS + 1 : body.readUInt16BE(0);
  if (count > MAX_COLUMNS) return undefined;
  const fields: FieldDescription[] = [];
  let at = 2;
  for (let n = 0; n < count; n++) {
    const end = body.indexOf(0, at);
    if (end < 0 || end + 1 + FIELD_BYTES > body.length) return undefined;
    const name = body.toString("utf8", at, end);
    fields.push({ name, type: body.readUInt32BE(end + 7), binary: body.readUInt16BE(end + 17) === 1 });
    at = end + 1 + FIELD_BYTES;
  }
  return at === body.length ? fields : undefined;
}

/** The tag of a CommandComplete; undefined where the bytes are not one. */
export function commandTag(body: Buffer): string | undefined {
  return body.indexOf(0) === body.length - 1 && body.length > 0 ? textOf(body, 0, body.length - 1) : undefined;
}

/** SQLSTATE and message of an ErrorResponse (PostgreSQL 18 §54.8); undefined where the bytes are not one. */
export function errorText(body: Buffer): string | undefined {
  const fields = new Map<string, string>();
  let at = 0;
  while (body[at] !== 0) {
    const end = body.indexOf(0, at);
    if (end < 0) return undefined;
    fields.set(String.fromCharCode(body[at] ?? 0), textOf(body, at + 1, end));
    at = end + 1;
  }
  return `${fields.get("C") ?? ""}: ${fields.get("M") ?? ""}`;
}

function textOf(body: Buffer, from: number, to: number): string {
  return body.toString("utf8", from, Math.min(to, from + MAX_TEXT_BYTES));
}
