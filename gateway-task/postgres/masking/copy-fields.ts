import type { TextLayout } from "./copy-layout.ts";

/** A field as it stands in a row: [start, end). */
export interface CopyField {
  readonly start: number;
  readonly end: number;
  readonly quoted: boolean;
}

export const BACKSLASH = 0x5c;
export const NEWLINE = 0x0a;
const RETURN = 0x0d;
const ESCAPED: ReadonlyMap<number, number> = new Map(
  Object.entries({ b: 8, f: 12, n: 10, r: 13, t: 9, v: 11 }).map(([letter, byte]) => [letter.charCodeAt(0), byte]),
);
const LETTERS: ReadonlyMap<number, number> = new Map([...ESCAPED].map(([letter, byte]) => [byte, letter]));

/** Behind the row that begins at `from`; -1 where it is not complete. */
export function rowEnd(bytes: Buffer, from: number, layout: TextLayout): number {
  if (layout.kind === "text") return bytes.indexOf(NEWLINE, from) + 1 || -1;
  let quoted = false;
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at];
    if (quoted && byte === layout.escape && escapes(bytes, at, layout)) at++;
    else if (byte === layout.quote) quoted = !quoted;
    else if (!quoted && byte === NEWLINE) return at + 1;
  }
  return -1;
}

/** Within quotes the escape stands before a quote, or before itself. */
function escapes(bytes: Buffer, at: number, { quote, escape }: TextLayout): boolean {
  return bytes[at + 1] === quote || bytes[at + 1] === escape;
}

/** The fields of a row without its line end. */
export function rowFields(bytes: Buffer, from: number, to: number, layout: TextLayout): CopyField[] {
  return layout.kind === "text" ? textFields(bytes, from, to, layout.delimiter) : csvFields(bytes, from, to, layout);
}

/** A delimiter within a value stands behind a backslash, and a backslash behind another. */
function textFields(bytes: Buffer, from: number, to: number, delimiter: number): CopyField[] {
  const fields: CopyField[] = [];
  let start = from;
  for (let at = bytes.indexOf(delimiter, from); at >= 0 && at < to; at = bytes.indexOf(delimiter, at + 1)) {
    let before = at;
    while (before > start && bytes[before - 1] === BACKSLASH) before--;
    if ((at - before) % 2 === 1) continue;
    fields.push({ start, end: at, quoted: false });
    start = at + 1;
  }
  fields.push({ start, end: to, quoted: false });
  return fields;
}

function csvFields(bytes: Buffer, from: number, to: number, layout: TextLayout): CopyField[] {
  const fields: CopyField[] = [];
  let start = from;
  let inQuotes = false;
  let quoted = false;
  for (let at = from; at <= to; at++) {
    const byte = bytes[at];
    if (at === to || (!inQuotes && byte === layout.delimiter)) {
      fields.push({ start, end: at, quoted });
      start = at + 1;
      quoted = false;
    } else if (inQuotes && byte === layout.escape && escapes(bytes, at, layout)) at++;
    else if (byte === layout.quote) {
      inQuotes = !inQuotes;
      quoted = true;
    }
  }
  return fields;
}

/** Where a row's own bytes end: before its line end. */
export function withoutLineEnd(bytes: Buffer, from: number, end: number): number {
  const last = bytes[end - 1] === NEWLINE ? end - 1 : end;
  return last > from && bytes[last - 1] === RETURN ? last - 1 : last;
}

/** A field's value; undefined for NULL. */
export function fieldValue(bytes: Buffer, { start, end, quoted }: CopyField, layout: TextLayout): Buffer | undefined {
  const written = bytes.subarray(start, end);
  if (!quoted && written.equals(layout.null)) return undefined;
  return layout.kind === "text" ? unescaped(written) : quoted ? unquoted(written, layout) : written;
}

/** A value as it is written; undefined is NULL. */
export function writtenField(value: Buffer | undefined, wasQuoted: boolean, layout: TextLayout): Buffer {
  if (value === undefined) return layout.null;
  return layout.kind === "text" ? escaped(value, layout) : quotedField(value, wasQuoted, layout);
}

function unescaped(written: Buffer): Buffer {
  if (!written.includes(BACKSLASH)) return written;
  const value = Buffer.allocUnsafe(written.length);
  let length = 0;
  for (let at = 0; at < written.length; at++) {
    let byte = written[at] as number;
    if (byte === BACKSLASH && at + 1 < written.length) {
      const coded = /^(?:[0-7]{1,3}|x[0-9a-fA-F]{1,2})/.exec(written.toString("latin1", at + 1, at + 4))?.[0];
      if (coded === undefined) {
        byte = written[++at] as number;
        byte = ESCAPED.get(byte) ?? byte;
      } else {
        byte = coded.startsWith("x") ? Number.parseInt(coded.slice(1), 16) : Number.parseInt(coded, 8) & 0xff;
        at += coded.length;
      }
    }
    value[length++] = byte;
  }
  return value.subarray(0, length);
}

function escaped(value: Buffer, layout: TextLayout): Buffer {
  if (!value.some((byte) => byte === BACKSLASH || byte === layout.delimiter || LETTERS.has(byte))) return value;
  const pieces: number[] = [];
  for (const byte of value) {
    const letter = LETTERS.get(byte);
    if (letter !== undefined) pieces.push(BACKSLASH, letter);
    else if (byte === BACKSLASH || byte === layout.delimiter) pieces.push(BACKSLASH, byte);
    else pieces.push(byte);
  }
  return Buffer.from(pieces);
}

function unquoted(written: Buffer, layout: TextLayout): Buffer {
  const value = Buffer.allocUnsafe(written.length);
  let length = 0;
  let inQuotes = false;
  for (let at = 0; at < written.length; at++) {
    const byte = written[at] as number;
    if (inQuotes && byte === layout.escape && escapes(written, at, layout)) value[length++] = written[++at] as number;
    else if (byte === layout.quote) inQuotes = !inQuotes;
    else value[length++] = byte;
  }
  return value.subarray(0, length);
}

function quotedField(value: Buffer, wasQuoted: boolean, layout: TextLayout): Buffer {
  const special = [layout.delimiter, layout.quote, NEWLINE, RETURN];
  if (!wasQuoted && !value.equals(layout.null) && !special.some((byte) => value.includes(byte))) return value;
  const pieces = [layout.quote];
  for (const byte of value) {
    if (byte === layout.quote || byte === layout.escape) pieces.push(layout.escape);
    pieces.push(byte);
  }
  return Buffer.from([...pieces, layout.quote]);
}
