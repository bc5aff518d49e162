import { ALPHANUMERIC, CLASSES, DIGIT, NUMERIC, UPPER, isAt, runEnd, runStart } from "./byte-classes.ts";
import { NUMBER_RUN } from "./run-marks.ts";
import type { RunSought, Seek } from "./value-search.ts";

/** Which kinds of number are looked for. */
export interface NumberKinds {
  readonly card: boolean;
  readonly ssn: boolean;
  readonly phone: boolean;
  readonly iban: boolean;
}

/** The shortest run of digits and separators within anything that is looked for; a byte of each stretch of this length is probed. */
const MIN_RUN = NUMBER_RUN;
const MIN_CARD_DIGITS = 13;
const MIN_PHONE_DIGITS = 9;
/** An IBAN whose account number is mostly letters is not found. */
const MIN_IBAN_DIGITS = 8;
const PLUS = 0x2b;

/** Each maximal run of NUMERIC bytes in [from, to) that may hold a number: it is long enough, and has digits. */
export function forNumericRuns(
  bytes: Buffer,
  from: number,
  to: number,
  visit: (start: number, end: number) => void,
): void {
  for (let at = from + MIN_RUN - 1, behind = from; at < to; at += MIN_RUN) {
    if (!isNearDigit(bytes, at)) continue;
    const start = runStart(bytes, at, behind, NUMERIC);
    const end = runEnd(bytes, at, to, NUMERIC);
    if (end - start >= MIN_RUN) visit(start, end);
    at = behind = end;
  }
}

/** In a number two separators may follow each other, as in `(202) 555`, and no more. */
function isNearDigit(bytes: Buffer, at: number): boolean {
  const classes = CLASSES[bytes[at] ?? 0] ?? 0;
  if ((classes & DIGIT) !== 0) return true;
  if ((classes & NUMERIC) === 0) return false;
  const near =
    (CLASSES[bytes[at - 1] ?? 0] ?? 0) |
    (CLASSES[bytes[at + 1] ?? 0] ?? 0) |
    (CLASSES[bytes[at - 2] ?? 0] ?? 0) |
    (CLASSES[bytes[at + 2] ?? 0] ?? 0);
  return (near & DIGIT) !== 0;
}

/** Whether a number of one of the kinds may be there, whatever the bytes around the value. */
export function mayHoldNumber(bytes: Buffer, from: number, to: number, kinds: NumberKinds): boolean {
  for (let at = from + MIN_RUN - 1, behind = from; at < to; at += MIN_RUN) {
    if (!isNearDigit(bytes, at)) continue;
    const start = runStart(bytes, at, behind, NUMERIC);
    const end = runEnd(bytes, at, to, NUMERIC);
    if (end - start >= MIN_RUN && runMayHold(bytes, start, end, from, kinds)) return true;
    at = behind = end;
  }
  return false;
}

/** Runs that may hold a number of one of the kinds. */
export function numberRuns(kinds: NumberKinds): RunSought {
  return {
    classes: NUMERIC,
    length: MIN_RUN,
    kind: "number",
    holds: (bytes, start, end, from) => runMayHold(bytes, start, end, from, kinds),
  };
}

/**
 * Answers behind the run at `at` of the value [from, to), if that is within a hash, as in every fifth row of hashes, and nothing
 * but a card could be in it, which is none there; else -1.
 */
export function hashDismissal(kinds: NumberKinds): NonNullable<Seek["dismiss"]> {
  const others = { ...kinds, card: false };
  return (bytes, at, from, to) => {
    const end = runEnd(bytes, at, to, NUMERIC);
    let first = at;
    while (first < end && !isAt(bytes, first, from, to, DIGIT)) first++;
    for (let i = first; i < end; i++) if (!isAt(bytes, i, from, to, DIGIT)) return -1;
    if (!isWithinHex(bytes, first, end, from, to) || runMayHold(bytes, at, end, from, others)) return -1;
    return kinds.iban && beginsIban(bytes, from, to) ? -1 : end;
  };
}

/** Whether an IBAN may begin anywhere in a value: one of few digits is found only where something else is looked at. */
function beginsIban(bytes: Buffer, from: number, to: number): boolean {
  // Of its two capitals, one is met by every other byte.
  for (let at = from + 1; at < to; at += 2) {
    const byte = bytes[at] as number;
    if (byte > CAPITAL_Z || byte < CAPITAL_A) continue;
    if (isIbanStart(bytes, at - 1, from, to) || isIbanStart(bytes, at, from, to)) return true;
  }
  return false;
}

const [CAPITAL_A, CAPITAL_Z] = [0x41, 0x5a];

function isIbanStart(bytes: Buffer, at: number, from: number, to: number): boolean {
  return (
    isAt(bytes, at, from, to, UPPER) &&
    isAt(bytes, at + 1, from, to, UPPER) &&
    isAt(bytes, at + 2, from, to, DIGIT) &&
    isAt(bytes, at + 3, from, to, DIGIT)
  );
}

function runMayHold(bytes: Buffer, start: number, end: number, from: number, kinds: NumberKinds): boolean {
  let digits = 0;
  for (let at = start; at < end; at++) digits += (CLASSES[bytes[at] ?? 0] ?? 0) & DIGIT;
  if (digits < MIN_IBAN_DIGITS) return false;
  if (kinds.card && digits >= MIN_CARD_DIGITS) return true;
  if (start > from) {
    const before = bytes[start - 1] ?? 0;
    if (kinds.phone && digits >= MIN_PHONE_DIGITS && before === PLUS) return true;
    if (kinds.iban && ((CLASSES[before] ?? 0) & UPPER) !== 0) return true;
  }
  return digits >= MIN_PHONE_DIGITS && digits < end - start && isGrouped(bytes, start, end, kinds);
}

/** Whether a part of the run is grouped as a social security number is, or a North American telephone number. */
function isGrouped(bytes: Buffer, start: number, end: number, kinds: NumberKinds): boolean {
  for (let at = start + 3; at + 7 < end; at++) {
    const byte = bytes[at] ?? 0;
    if (((CLASSES[byte] ?? 0) & DIGIT) !== 0) continue;
    if (kinds.ssn && bytes[at + 3] === byte && ssnAround(bytes, at, start, end) >= 0) return true;
    if (kinds.phone && nanpAround(bytes, at, start, end) >= 0) return true;
  }
  return false;
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
  const letters = first.letters || last.letters || isUuidShaped(bytes, first.at + 1, last.at);
  return letters && !isAt(bytes, first.at, from, to, ALPHANUMERIC) && !isAt(bytes, last.at, from, to, ALPHANUMERIC);
}

/** RFC 9562 §4; one of digits alone is no rarity in tests. */
function isUuidShaped(bytes: Buffer, start: number, end: number): boolean {
  return end - start === 36 && [8, 13, 18, 23].every((dash) => bytes[start + dash] === 0x2d);
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
