/** What a byte may be part of, as bits: looked up by byte, so that a scan costs one load a byte. */
export const DIGIT = 1;
/** Of a number as people write it: digits, space and `-.()/`. */
export const NUMERIC = 2;
/** Of an e-mail address before its @: the usual part of RFC 5322's atext, and UTF-8 (RFC 6531). Left out is what lists, queries and assignments put around one. */
export const LOCAL = 4;
/** Of an e-mail address behind its @. */
export const DOMAIN = 8;
/** Of a token: base64, base64url and what RFC 6750's b64token adds. */
export const TOKEN = 16;
export const UPPER = 32;
export const ALPHANUMERIC = 64;
/** Of base64 without its padding. */
export const BASE64 = 128;

export const CLASSES = new Uint8Array(256);

function mark(characters: string, bits: number): void {
  for (const character of characters) {
    const code = character.charCodeAt(0);
    CLASSES[code] = (CLASSES[code] ?? 0) | bits;
  }
}

const DIGITS = "0123456789";
const CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const WORD = DIGITS + CAPITALS + CAPITALS.toLowerCase();
mark(DIGITS, DIGIT);
mark(`${DIGITS} -.()/`, NUMERIC);
mark(`${WORD}.!#$%*+-^_~`, LOCAL);
mark(`${WORD}.-`, DOMAIN);
mark(`${WORD}-._~+/=`, TOKEN);
mark(CAPITALS, UPPER);
mark(WORD, ALPHANUMERIC);
mark(`${WORD}+/`, BASE64);
for (let byte = 0x80; byte <= 0xff; byte++) CLASSES[byte] = LOCAL | DOMAIN;

/** Whether the byte at `at` is of one of the classes; outside of [from, to) there is none. */
export function isAt(bytes: Buffer, at: number, from: number, to: number, classes: number): boolean {
  return at >= from && at < to && ((CLASSES[bytes[at] ?? 0] ?? 0) & classes) !== 0;
}

/** Where the run of some classes starts that the byte at `at` is of; not before `from`. */
export function runStart(bytes: Buffer, at: number, from: number, classes: number): number {
  let start = at;
  while (start > from && ((CLASSES[bytes[start - 1] ?? 0] ?? 0) & classes) !== 0) start--;
  return start;
}

/** Behind the run of some classes that the byte at `at` is of; not behind `to`. */
export function runEnd(bytes: Buffer, at: number, to: number, classes: number): number {
  let end = at + 1;
  while (end < to && ((CLASSES[bytes[end] ?? 0] ?? 0) & classes) !== 0) end++;
  return end;
}
