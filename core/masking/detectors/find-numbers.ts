import { ALPHANUMERIC, CLASSES, DIGIT, UPPER, isAt } from "./byte-classes.ts";
import type { Found } from "./hits.ts";
import { isWithinHex, nanpAround, forNumericRuns, ssnAround } from "./numbers.ts";

/** ISO/IEC 7812-1, and the lengths that are issued. */
const MIN_CARD = 13;
const MAX_CARD = 19;
/** ITU-T E.164 §6.2.1: at most 15 digits; shorter ones than 9 are too many other things. */
const MIN_PHONE = 9;
const MAX_PHONE = 15;
/** ISO 13616-1: from Norway's 15 to 34. */
const MIN_IBAN = 15;
const MAX_IBAN = 34;
const PLUS = 0x2b;
const SPACE = 0x20;

interface Group {
  readonly start: number;
  readonly end: number;
}

function digitGroups(bytes: Buffer, from: number, to: number): Group[] {
  const groups: Group[] = [];
  for (let at = from; at < to; at++) {
    if (!isAt(bytes, at, from, to, DIGIT)) continue;
    const start = at;
    while (isAt(bytes, at, from, to, DIGIT)) at++;
    groups.push({ start, end: at });
  }
  return groups;
}

/** Card numbers, plain or in groups with one kind of separator: an issuer's first digits, and Luhn's check digit. */
export function findCards(bytes: Buffer, from: number, to: number, found: Found): void {
  forNumericRuns(bytes, from, to, (runStart, runEnd) => {
    const groups = digitGroups(bytes, runStart, runEnd);
    for (let first = 0; first < groups.length; first++) {
      const last = cardFrom(bytes, groups, first);
      const start = groups[first]?.start ?? 0;
      const end = groups[last]?.end ?? 0;
      if (last < 0 || isWithinHex(bytes, start, end, from, to)) continue;
      found(start, end);
      first = last;
    }
  });
}

/** The last group of the longest card that starts with group `first`; -1 if there is none. */
function cardFrom(bytes: Buffer, groups: readonly Group[], first: number): number {
  const start = groups[first]?.start ?? 0;
  const separator = bytes[groups[first]?.end ?? 0];
  let digits = 0;
  let longest = -1;
  for (let last = first; last < groups.length; last++) {
    const group = groups[last] ?? { start: 0, end: 0 };
    const before = groups[last - 1];
    if (last > first && (before === undefined || group.start - before.end !== 1 || bytes[before.end] !== separator))
      break;
    if (last > first && separator !== SPACE && separator !== 0x2d && separator !== 0x2e) break;
    digits += group.end - group.start;
    if (digits > MAX_CARD) break;
    if (isCard(bytes, start, group.end, digits)) longest = last;
  }
  return longest;
}

/** Issuers' ranges (ISO/IEC 7812-2's register as published by the schemes), no finer than what keeps timestamps and ids apart. */
function isCard(bytes: Buffer, start: number, end: number, digits: number): boolean {
  if (digits < MIN_CARD) return false;
  const first = (bytes[start] ?? 0) - 0x30;
  const second = bytes[start + 1] ?? 0;
  if (digits === 13 && first !== 4) return false;
  if (digits === 14 && first !== 3) return false;
  const issued = (first >= 2 && first <= 6) || (first === 8 && (second === 0x31 || second === 0x32));
  return issued && luhnHolds(bytes, start, end);
}

function luhnHolds(bytes: Buffer, start: number, end: number): boolean {
  let sum = 0;
  let place = 0;
  for (let at = end - 1; at >= start; at--) {
    const byte = bytes[at] ?? 0;
    if (((CLASSES[byte] ?? 0) & DIGIT) === 0) continue;
    const weighted = place % 2 === 0 ? byte - 0x30 : (byte - 0x30) * 2;
    sum += weighted > 9 ? weighted - 9 : weighted;
    place++;
  }
  return sum % 10 === 0;
}

/** US social security and taxpayer numbers in their three groups: no group is all zeros, no area 666. */
export function findSsns(bytes: Buffer, from: number, to: number, found: Found): void {
  forNumericRuns(bytes, from, to, (runStart, runEnd) => {
    for (let at = runStart; at < runEnd; at++) {
      const start = ssnAround(bytes, at, runStart, runEnd);
      if (start < 0 || isJoined(bytes, start, start + 11, from, to)) continue;
      const [area, group, serial] = [
        numberAt(bytes, start, 3),
        numberAt(bytes, start + 4, 2),
        numberAt(bytes, start + 7, 4),
      ];
      if (area !== 0 && area !== 666 && group !== 0 && serial !== 0) found(start, start + 11);
    }
  });
}

function numberAt(bytes: Buffer, at: number, digits: number): number {
  let value = 0;
  for (let i = at; i < at + digits; i++) value = value * 10 + (bytes[i] ?? 0) - 0x30;
  return value;
}

/** Whether more digits follow or precede, with or without a dash: then it is part of a longer number. */
function isJoined(bytes: Buffer, start: number, end: number, from: number, to: number): boolean {
  const before = bytes[start - 1] === 0x2d ? start - 2 : start - 1;
  const behind = bytes[end] === 0x2d ? end + 1 : end;
  return isAt(bytes, before, from, to, DIGIT) || isAt(bytes, behind, from, to, DIGIT);
}

/** Telephone numbers in international form (E.164, with its plus), and North American ones in their groups. */
export function findPhones(bytes: Buffer, from: number, to: number, found: Found): void {
  forNumericRuns(bytes, from, to, (runStart, runEnd) => {
    if (runStart > from && bytes[runStart - 1] === PLUS && !isAt(bytes, runStart - 2, from, to, ALPHANUMERIC)) {
      const end = internationalEnd(bytes, runStart, runEnd);
      if (end > 0) {
        found(runStart - 1, end);
        return;
      }
    }
    for (let at = runStart; at < runEnd; at++) {
      const area = nanpAround(bytes, at, runStart, runEnd);
      if (area < 0) continue;
      const end = (bytes[at] === 0x29 && bytes[at + 1] === SPACE ? at + 2 : at + 1) + 8;
      if (numberAt(bytes, area, 1) < 2 || isJoinedPhone(bytes, area, end, from, to)) continue;
      found(bytes[area - 1] === 0x28 && area > from ? area - 1 : area, end);
    }
  });
}

/** A country's 1 may stand before it. */
function isJoinedPhone(bytes: Buffer, start: number, end: number, from: number, to: number): boolean {
  return isAt(bytes, start - 1, from, to, DIGIT) || isAt(bytes, end, from, to, DIGIT);
}

/** Behind as many groups of digits as a number can have; -1 if they are too few, or the first alone is too long. */
function internationalEnd(bytes: Buffer, from: number, to: number): number {
  let digits = 0;
  let end = -1;
  let before = from;
  for (const group of digitGroups(bytes, from, to)) {
    if (group.start - before > 2) break;
    digits += group.end - group.start;
    if (digits > MAX_PHONE) break;
    before = group.end;
    if (digits >= MIN_PHONE) end = group.end;
  }
  return isAt(bytes, from, from, to, DIGIT) && bytes[from] === 0x30 ? -1 : end;
}

/** IBANs (ISO 13616-1), plain or in groups of four, whose check digits are right (ISO/IEC 7064, MOD 97-10). */
export function findIbans(bytes: Buffer, from: number, to: number, found: Found): void {
  for (let at = from; at + MIN_IBAN <= to; at++) {
    if (!isAt(bytes, at, from, to, UPPER) || !isAt(bytes, at + 1, from, to, UPPER)) continue;
    if (!isAt(bytes, at + 2, from, to, DIGIT) || !isAt(bytes, at + 3, from, to, DIGIT)) continue;
    if (isAt(bytes, at - 1, from, to, ALPHANUMERIC)) continue;
    const end = ibanEnd(bytes, at, to);
    if (end < 0) continue;
    found(at, end);
    at = end - 1;
  }
}

/** Behind the longest IBAN that starts at `start` and ends where a word or a group does; -1 if there is none. */
function ibanEnd(bytes: Buffer, start: number, to: number): number {
  const characters: number[] = [];
  let end = -1;
  let at = start;
  while (characters.length < MAX_IBAN && isAt(bytes, at, start, to, UPPER | DIGIT)) {
    characters.push(bytes[at] ?? 0);
    at++;
    const whole = !isAt(bytes, at, start, to, ALPHANUMERIC);
    if (whole && characters.length >= MIN_IBAN && mod97(characters) === 1) end = at;
    if (bytes[at] === SPACE && characters.length % 4 === 0) at++;
  }
  return end;
}

/** The first four characters count last, letters from A = 10. */
function mod97(characters: readonly number[]): number {
  let remainder = 0;
  for (let i = 0; i < characters.length; i++) {
    const byte = characters[(i + 4) % characters.length] ?? 0;
    remainder = byte <= 0x39 ? (remainder * 10 + byte - 0x30) % 97 : (remainder * 100 + byte - 55) % 97;
  }
  return remainder;
}
