import { ALPHANUMERIC, CLASSES, DIGIT, NUMERIC, UPPER, isAt } from "./byte-classes.ts";

/** Which kinds of number are looked for. */
export interface NumberKinds {
  readonly card: boolean;
  readonly ssn: boolean;
  readonly phone: boolean;
  readonly iban: boolean;
}

/** The shortest run of digits and separators within anything that is looked for; every byte of this stride is probed. */
const MIN_RUN = 9;
const MIN_CARD_DIGITS = 13;
const MIN_PHONE_DIGITS = 9;
/** An IBAN whose account number is mostly letters is not found. */
const MIN_IBAN_DIGITS = 8;
const PLUS = 0x2b;

/** Each maximal run of NUMERIC bytes in [from, to) that is long enough; stops where `visit` returns true, and says so. */
export function someNumericRun(
  bytes: Buffer,
  from: number,
  to: number,
  visit: (start: number, end: number) => boolean,
): boolean {
  let at = from + MIN_RUN - 1;
  let behind = from;
  while (at < to) {
    if (((CLASSES[bytes[at] ?? 0] ?? 0) & NUMERIC) === 0) {
      at += MIN_RUN;
      continue;
    }
    let start = at;
    while (start > behind && ((CLASSES[bytes[start - 1] ?? 0] ?? 0) & NUMERIC) !== 0) start--;
    let end = at + 1;
    while (end < to && ((CLASSES[bytes[end] ?? 0] ?? 0) & NUMERIC) !== 0) end++;
    if (end - start >= MIN_RUN && visit(start, end)) return true;
    behind = end;
    at = end + MIN_RUN;
  }
  return false;
}

/** Whether a number of one of the kinds may be there, whatever the bytes around the value. */
export function mayHoldNumber(bytes: Buffer, from: number, to: number, kinds: NumberKinds): boolean {
  return someNumericRun(bytes, from, to, (start, end) => {
    let digits = 0;
    let grouped = false;
    for (let at = start; at < end; at++) {
      const byte = bytes[at] ?? 0;
      if (((CLASSES[byte] ?? 0) & DIGIT) !== 0) digits++;
      else if (!grouped && (kinds.ssn || kinds.phone))
        grouped =
          (kinds.ssn && ssnAround(bytes, at, start, end) >= 0) ||
          (kinds.phone && nanpAround(bytes, at, start, end) >= 0);
    }
    if (grouped) return true;
    if (kinds.card && digits >= MIN_CARD_DIGITS) return true;
    if (kinds.phone && digits >= MIN_PHONE_DIGITS && start > from && bytes[start - 1] === PLUS) return true;
    return kinds.iban && digits >= MIN_IBAN_DIGITS && isAt(bytes, start - 1, from, to, UPPER);
  });
}

function digitsAt(bytes: Buffer, at: number, count: number, from: number, to: number): boolean {
  for (let i = at; i < at + count; i++) if (!isAt(bytes, i, from, to, DIGIT)) return false;
  return true;
}

const SSN_BYTES = 11;

/** `ddd-dd-dddd` with its first separator, a dash or a space, at `at`: where it starts, or -1. */
export function ssnAround(bytes: Buffer, at: number, from: number, to: number): number {
  const separator = bytes[at];
  if (separator !== 0x2d && separator !== 0x20) return -1;
  if (bytes[at + 3] !== separator) return -1;
  const start = at - 3;
  if (!digitsAt(bytes, start, 3, from, to) || !digitsAt(bytes, at + 1, 2, from, to)) return -1;
  return digitsAt(bytes, at + 4, 4, from, to) && start + SSN_BYTES <= to ? start : -1;
}

/** `ddd-ddd-dddd`, `ddd.ddd.dddd`, `(ddd) ddd-dddd` with what follows the area code at `at`: where the area code starts, or -1. */
export function nanpAround(bytes: Buffer, at: number, from: number, to: number): number {
  const separator = bytes[at] ?? 0;
  if (separator !== 0x2d && separator !== 0x2e && separator !== 0x20 && separator !== 0x29) return -1;
  const exchange = separator === 0x29 && bytes[at + 1] === 0x20 ? at + 2 : at + 1;
  const second = bytes[exchange + 3] ?? 0;
  if (second !== 0x2d && second !== 0x2e && second !== 0x20) return -1;
  if (!digitsAt(bytes, at - 3, 3, from, to) || !digitsAt(bytes, exchange, 3, from, to)) return -1;
  return digitsAt(bytes, exchange + 4, 4, from, to) ? at - 3 : -1;
}

/** Whether [start, end) stands within hexadecimal digits and dashes alone, as in a UUID or a hash. */
export function isWithinHex(bytes: Buffer, start: number, end: number, from: number, to: number): boolean {
  const first = hexEdge(bytes, start - 1, -1, from, to);
  const last = hexEdge(bytes, end, 1, from, to);
  const letters = first.letters || last.letters;
  return letters && !isAt(bytes, first.at, from, to, ALPHANUMERIC) && !isAt(bytes, last.at, from, to, ALPHANUMERIC);
}

/** The longest run of hexadecimal digits that is looked through, on each side. */
const MAX_HEX = 256;

function hexEdge(bytes: Buffer, at: number, step: 1 | -1, from: number, to: number) {
  let letters = false;
  let i = at;
  for (; i >= from && i < to && Math.abs(i - at) < MAX_HEX; i += step) {
    const byte = (bytes[i] ?? 0) | 0x20;
    if (byte >= 0x61 && byte <= 0x66) letters = true;
    else if (!isAt(bytes, i, from, to, DIGIT) && bytes[i] !== 0x2d) break;
  }
  return { at: i, letters };
}
