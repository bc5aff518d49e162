import { ALPHANUMERIC, CLASSES, DOMAIN, LOCAL, isAt } from "./byte-classes.ts";
import type { Found } from "./hits.ts";

const AT = 0x40;
const DOT = 0x2e;
const HYPHEN = 0x2d;
const QUOTE = 0x22;
const APOSTROPHE = 0x27;
/** A local part has at most 64 octets (RFC 5321 §4.5.3.1.1); its quotes, and room for escapes. */
const MAX_QUOTED = 130;
/** Below this a loop is faster than the call that leaves JavaScript. */
const NATIVE_FROM = 48;

/** The next @ in [at, to), or -1. */
function nextAt(bytes: Buffer, at: number, to: number): number {
  if (to - at < NATIVE_FROM) {
    for (let i = at; i < to; i++) if (bytes[i] === AT) return i;
    return -1;
  }
  const found = bytes.indexOf(AT, at);
  return found < to ? found : -1;
}

/** Whether an @ is one of an address, whatever the bytes around the value. */
export function mayHoldEmail(bytes: Buffer, from: number, to: number): boolean {
  return nextEmail(bytes, from, to) < to;
}

/** Where the first @ stands that may be one of an address; `to` if there is none. */
export function nextEmail(bytes: Buffer, from: number, to: number): number {
  for (let at = nextAt(bytes, from, to); at >= 0; at = nextAt(bytes, at + 1, to)) {
    if (!isAt(bytes, at - 1, from, to, LOCAL) && bytes[at - 1] !== QUOTE) continue;
    for (let i = at + 1; isAt(bytes, i, from, to, DOMAIN); i++)
      if (
        bytes[i] === DOT &&
        i > at + 1 &&
        isAt(bytes, i + 1, from, to, DOMAIN) &&
        isAt(bytes, i + 2, from, to, DOMAIN)
      )
        return at;
  }
  return to;
}

/** Addresses with a domain of at least two labels, the last not all digits: no `root@10.0.0.1`, no `me@localhost`. */
export function findEmails(bytes: Buffer, from: number, to: number, found: Found): void {
  let behind = from;
  for (let at = nextAt(bytes, from, to); at >= 0; at = nextAt(bytes, at + 1, to)) {
    const start = localStart(bytes, behind, at, to);
    const end = domainEnd(bytes, from, at + 1, to);
    if (start === at || end < 0) continue;
    found(start, end);
    behind = end;
    at = end - 1;
  }
}

function localStart(bytes: Buffer, from: number, at: number, to: number): number {
  if (at > from && bytes[at - 1] === QUOTE) {
    const open = bytes.lastIndexOf(QUOTE, at - 2);
    return at >= 2 && open >= from && at - open <= MAX_QUOTED ? open : at;
  }
  let start = at;
  while (start > from && (isAt(bytes, start - 1, from, to, LOCAL) || isInnerApostrophe(bytes, start - 1, from, at)))
    start--;
  return start;
}

/** As in o'brien; not a string's own quote. */
function isInnerApostrophe(bytes: Buffer, at: number, from: number, to: number): boolean {
  return (
    bytes[at] === APOSTROPHE &&
    isAt(bytes, at - 1, from, to, ALPHANUMERIC) &&
    isAt(bytes, at + 1, from, to, ALPHANUMERIC)
  );
}

/** Behind the domain that starts at `start`; -1 if it is none. */
function domainEnd(bytes: Buffer, from: number, start: number, to: number): number {
  let end = start;
  while (isAt(bytes, end, from, to, DOMAIN)) end++;
  while (end > start && (bytes[end - 1] === DOT || bytes[end - 1] === HYPHEN)) end--;
  let dot = end - 1;
  while (dot > start && bytes[dot] !== DOT) dot--;
  if (dot <= start || end - dot < 3) return -1;
  for (let i = dot + 1; i < end; i++) if (!isDigitByte(bytes[i] ?? 0)) return end;
  return -1;
}

function isDigitByte(byte: number): boolean {
  return ((CLASSES[byte] ?? 0) & 1) !== 0;
}
