import { PEM_BEGIN, PEM_END, PEM_MARK, DASHES, MAX_PEM_LABEL } from "./tokens.ts";

/** Base64 alone, as a body's lines are, whatever stands before it in a diff or a quotation; a header (RFC 1421 §4.6); or nothing. */
const KEY_LINE = /^[\s>+|]{0,8}[A-Za-z0-9+/=]*\s*$|[A-Za-z0-9+/]{24}|^\s*[A-Za-z][A-Za-z-]*: /;

/** Whether a line may be one of a key in PEM (RFC 7468 §2) that an earlier line has begun. */
export function isKeyLine(line: Buffer): boolean {
  return KEY_LINE.test(line.toString("latin1"));
}

/** Whether the words that begin or end a private key stand between two offsets. */
export function mentionsKey(bytes: Buffer, from: number, to: number): boolean {
  const mark = bytes.indexOf(PEM_MARK, from);
  return mark >= 0 && mark + PEM_MARK.length <= to;
}

/** Where the line begins a private key that does not end in it; -1 if it does not. */
export function opensKeyAt(line: Buffer): number {
  const mark = line.lastIndexOf(PEM_MARK);
  const begin = mark < 0 ? -1 : line.lastIndexOf(PEM_BEGIN, mark);
  return mark - begin <= MAX_PEM_LABEL ? begin : -1;
}

/** Behind the end of the key that an earlier line has begun; -1 where it does not end in this one. */
export function closesKeyAt(line: Buffer): number {
  const last = line.indexOf(PEM_END);
  if (last < 0) return -1;
  const close = line.indexOf(DASHES, last + PEM_END.length);
  return close < 0 ? line.length : close + DASHES.length;
}

/** Where the first words of a key may begin that are not complete yet; the line's length if there are none. */
export function keyMayBeginAt(line: Buffer): number {
  const begin = line.lastIndexOf(PEM_BEGIN);
  return begin >= 0 && line.length - begin <= PEM_BEGIN.length + MAX_PEM_LABEL + PEM_MARK.length ? begin : line.length;
}
