/** One element or field: what stands in its place, the identical Buffer if it stays, undefined for NULL. */
export type RewriteElement = (element: Buffer, type: number) => Buffer | undefined;

/** src/include/utils/array.h */
const MAX_DIMENSIONS = 6;
const HEADER_BYTES = 12;
/** §8.15.6: what must be quoted within an array. */
const NEEDS_QUOTES = /[{}(),;"\\ \t\n\r\v\f]/;

/**
 * A binary array (array_send, src/backend/utils/adt/arrayfuncs.c) with its elements rewritten, its dimensions kept: the
 * identical Buffer if all stay, undefined if the bytes are no array.
 */
export function rewriteBinaryArray(bytes: Buffer, rewrite: RewriteElement): Buffer | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const dimensions = bytes.readInt32BE(0);
  if (dimensions < 0 || dimensions > MAX_DIMENSIONS || bytes.length < HEADER_BYTES + 8 * dimensions) return undefined;
  const type = bytes.readUInt32BE(8);
  let count = dimensions === 0 ? 0 : 1;
  for (let i = 0; i < dimensions; i++) count *= bytes.readInt32BE(HEADER_BYTES + 8 * i);
  const start = HEADER_BYTES + 8 * dimensions;
  if (count < 0 || count > (bytes.length - start) / 4) return undefined;
  const header = Buffer.from(bytes.subarray(0, start));
  const pieces = [header];
  let at = start;
  let changed = false;
  for (let i = 0; i < count; i++) {
    const end = elementEnd(bytes, at);
    if (end === undefined) return undefined;
    const masked = rewriteAt(bytes, at, end, type, rewrite);
    if (masked === undefined) header.writeInt32BE(1, 4); // it has NULLs
    changed = push(pieces, bytes, at, end, masked) || changed;
    at = end;
  }
  if (at !== bytes.length) return undefined;
  return changed ? Buffer.concat(pieces) : bytes;
}

/** A binary composite (record_send, src/backend/utils/adt/rowtypes.c), likewise. */
export function rewriteBinaryRecord(bytes: Buffer, rewrite: RewriteElement): Buffer | undefined {
  if (bytes.length < 4) return undefined;
  const fields = bytes.readInt32BE(0);
  if (fields < 0 || fields > (bytes.length - 4) / 8) return undefined;
  const pieces = [bytes.subarray(0, 4)];
  let at = 4;
  let changed = false;
  for (let i = 0; i < fields; i++) {
    if (at + 8 > bytes.length) return undefined;
    const end = elementEnd(bytes, at + 4);
    if (end === undefined) return undefined;
    pieces.push(bytes.subarray(at, at + 4));
    const masked = rewriteAt(bytes, at + 4, end, bytes.readUInt32BE(at), rewrite);
    changed = push(pieces, bytes, at + 4, end, masked) || changed;
    at = end;
  }
  if (at !== bytes.length) return undefined;
  return changed ? Buffer.concat(pieces) : bytes;
}

/** Behind the element whose length word is at `at`; undefined where it does not fit. */
function elementEnd(bytes: Buffer, at: number): number | undefined {
  if (at + 4 > bytes.length) return undefined;
  const length = bytes.readInt32BE(at);
  const end = at + 4 + Math.max(length, 0);
  return length < -1 || end > bytes.length ? undefined : end;
}

/** What takes the place of the element between `at`, its length word, and `end`; undefined for NULL, which NULL stays. */
function rewriteAt(bytes: Buffer, at: number, end: number, type: number, rewrite: RewriteElement): Buffer | undefined {
  return bytes.readInt32BE(at) === -1 ? undefined : rewrite(bytes.subarray(at + 4, end), type);
}

/** Whether what was pushed differs from what stood there. */
function push(pieces: Buffer[], bytes: Buffer, at: number, end: number, masked: Buffer | undefined): boolean {
  const old = bytes.subarray(at, end);
  if (masked !== undefined && masked.buffer === bytes.buffer && masked.byteOffset === bytes.byteOffset + at + 4) {
    if (masked.length === end - at - 4) {
      pieces.push(old);
      return false;
    }
  }
  const length = Buffer.alloc(4);
  length.writeInt32BE(masked?.length ?? -1);
  pieces.push(length);
  if (masked !== undefined) pieces.push(masked);
  return masked !== undefined || bytes.readInt32BE(at) !== -1;
}

/**
 * An array's literal (array_out, §8.15.6) with its elements rewritten, its braces and bounds kept: the identical Buffer if all
 * stay, undefined if it is none.
 * @param type of the elements
 */
export function rewriteArrayText(bytes: Buffer, type: number, rewrite: RewriteElement): Buffer | undefined {
  const text = bytes.toString("latin1");
  const delimiter = type === 603 ? ";" : ","; // box
  let at = /^(?:\[-?\d+:-?\d+\])+=/.exec(text)?.[0].length ?? 0;
  let result = text.slice(0, at);
  let depth = 0;
  let changed = false;
  while (at < text.length) {
    const char = text[at] ?? "";
    if (char === "{" || char === "}" || char === delimiter) {
      depth += char === "{" ? 1 : char === "}" ? -1 : 0;
      result += char;
      at++;
      if (depth === 0) break;
      continue;
    }
    const end = char === '"' ? quotedEnd(text, at) : bareEnd(text, at, delimiter);
    if (depth === 0 || depth > MAX_DIMENSIONS || end < 0) return undefined;
    const written = text.slice(at, end);
    const masked = rewriteWritten(written, char === '"', type, rewrite);
    changed ||= masked !== written;
    result += masked;
    at = end;
  }
  if (depth !== 0 || at !== text.length || !text.endsWith("}")) return undefined;
  return changed ? Buffer.from(result, "latin1") : bytes;
}

function rewriteWritten(written: string, quoted: boolean, type: number, rewrite: RewriteElement): string {
  if (!quoted && written.toUpperCase() === "NULL") return written;
  const value = Buffer.from(quoted ? unescaped(written.slice(1, -1)) : written, "latin1");
  const masked = rewrite(value, type);
  if (masked === value) return written;
  return masked === undefined ? "NULL" : quote(masked.toString("latin1"));
}

function quote(value: string): string {
  if (value !== "" && !NEEDS_QUOTES.test(value) && value.toUpperCase() !== "NULL") return value;
  return `"${value.replaceAll(/["\\]/g, "\\$&")}"`;
}

function unescaped(text: string): string {
  return text.replaceAll(/\\([^])/g, "$1");
}

/** Behind the closing quote of what opens at `at`; -1 if it never closes. */
function quotedEnd(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === '"') return i + 1;
  }
  return -1;
}

function bareEnd(text: string, at: number, delimiter: string): number {
  for (let i = at; i < text.length; i++) {
    const char = text[i] ?? "";
    if (char === delimiter || char === "}") return i;
    if (char === "{" || char === '"') return -1;
  }
  return -1;
}

/** How many fields a composite's literal (record_out, §8.16.6) has; undefined if it is none. */
export function recordTextFields(bytes: Buffer): number | undefined {
  const text = bytes.toString("latin1");
  if (!text.startsWith("(") || !text.endsWith(")") || text.length < 2) return undefined;
  let fields = 1;
  let quoted = false;
  for (let at = 1; at < text.length - 1; at++) {
    const char = text[at];
    if (char === "\\") at++;
    else if (char === '"') quoted = !quoted;
    else if (char === "," && !quoted) fields++;
    else if ((char === "(" || char === ")") && !quoted) return undefined;
  }
  return quoted ? undefined : fields;
}
