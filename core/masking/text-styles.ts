import { isUtf8 } from "node:buffer";
import { digestStream, type KeyedDigest } from "./keyed-digest.ts";
import { luhnCheckDigit, luhnSum } from "./luhn.ts";
import type { MaskStyle } from "./masking.ts";

/** What stands for a value that is masked whole: no length, and nothing that a literal, an array or JSON would have to escape. */
export const MASK = Buffer.from("****");
/** `partial` shows this many characters at the end … */
const SHOWN = 4;
/** … of a value with at least so many: of a shorter one they would be half of it. */
const SHOWN_FROM = 9;
/** 128 bits: no two values of one database share a hash. */
const HASH_BYTES = 16;
/** PAN lengths of ISO/IEC 7812-1. */
const CARD_MIN = 12;
const CARD_MAX = 19;
/** `format-preserving` writes cards of the industry that is reserved for national use, so that none is anybody's (ISO/IEC 7812-1 §4.2). */
const CARD_FIRST_DIGIT = 9;
/** RFC 2606 §2: no such domain will ever receive mail. */
const MAIL_DOMAIN = Buffer.from("@masked.invalid");
/** 64 bits: of a million addresses two share one once in 10⁷ databases. */
const MAIL_BYTES = 8;
/** A longer one is no name, number or address: it is masked whole. */
const FORMAT_MAX = 256;

/**
 * A text in a style; always another text, and valid UTF-8 where the text was. `null` is the caller's: here it is `full`.
 * @param style one of them
 */
export function maskText(style: MaskStyle, text: Buffer, digest: KeyedDigest): Buffer {
  const masked = styled(style, text, digest);
  // Of a short one the same letters may be drawn by chance: that tells nothing.
  const mayTell = text.length > MASK.length && text.length <= masked.length;
  return mayTell && masked.includes(text) ? MASK : masked;
}

function styled(style: MaskStyle, text: Buffer, digest: KeyedDigest): Buffer {
  switch (style) {
    case "full":
    case "null":
      return MASK;
    case "partial":
      return partial(text);
    case "hash":
      return made(2 * HASH_BYTES, (out) => writeHex(digest(text), HASH_BYTES, out, 0));
    case "format-preserving":
      return formatPreserving(text, digest);
  }
}

/** The last four characters, counted as code points, behind the mask. */
function partial(text: Buffer): Buffer {
  if (!isUtf8(text)) return MASK;
  let at = text.length;
  let shown = at;
  let characters = 0;
  while (at > 0 && characters < SHOWN_FROM) {
    at--;
    if (((text[at] ?? 0) & 0xc0) === 0x80) continue;
    characters++;
    if (characters === SHOWN) shown = at;
  }
  return characters < SHOWN_FROM ? MASK : Buffer.concat([MASK, text.subarray(shown)]);
}

/**
 * Cards become cards, e-mail addresses e-mail addresses; of anything else every letter and every digit becomes another one
 * of its kind. The same text becomes the same.
 */
function formatPreserving(text: Buffer, digest: KeyedDigest): Buffer {
  if (text.length > FORMAT_MAX) return MASK;
  if (addressSign(text, 0, text.length) > 0) return fakeAddress(text, digest);
  if (!isUtf8(text)) return MASK;
  const string = text.toString();
  if (/^[^\s@]+@[^\s@]+$/.test(string)) {
    return fakeAddress(Buffer.from(string.toLowerCase()), digest);
  }
  const digits = cardDigits(string);
  if (digits !== undefined) return Buffer.from(fakeCard(string, digits, digest), "latin1");
  const next = digestStream(digest, text);
  return Buffer.from(string.replaceAll(/[\p{L}\p{N}\p{M}]/gu, (character) => another(character, next())));
}

function fakeAddress(address: Buffer, digest: KeyedDigest): Buffer {
  return made(2 * MAIL_BYTES + MAIL_DOMAIN.length, (out) => writeAddress(address, 0, address.length, digest, out, 0));
}

function made(length: number, write: (out: Buffer) => void): Buffer {
  const out = Buffer.allocUnsafe(length);
  write(out);
  return out;
}

/** Where the @ of an address of visible ASCII stands, as nearly all are; -1 if some bytes are none. */
function addressSign(bytes: Buffer, start: number, end: number): number {
  if (end - start > FORMAT_MAX) return -1;
  let sign = -1;
  for (let at = start; at < end; at++) {
    const kind = ADDRESS_KIND[bytes[at] as number];
    if (kind === PLAIN) continue;
    if (kind !== AT || sign >= 0) return -1;
    sign = at;
  }
  return sign > start && sign < end - 1 ? sign : -1;
}

const AT = 0x40;
const PLAIN = 1;
/** Visible ASCII, the @ apart. */
const ADDRESS_KIND = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte === AT ? AT : byte > 0x20 && byte < 0x7f ? PLAIN : 0,
);
/** Capitals of ASCII count as their small letters. */
const LOWER = Uint8Array.from({ length: 256 }, (_, byte) => (byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte));

function writeAddress(bytes: Buffer, start: number, end: number, digest: KeyedDigest, out: Buffer, at: number): number {
  const to = writeHex(digest(bytes, start, end, LOWER), MAIL_BYTES, out, at);
  for (let i = 0; i < MAIL_DOMAIN.length; i++) out[to + i] = MAIL_DOMAIN[i] as number;
  return to + MAIL_DOMAIN.length;
}

const HEX_DIGITS = Buffer.from("0123456789abcdef");

/** Behind the digits of the first bytes of a digest. */
function writeHex(digest: Buffer, bytes: number, out: Buffer, at: number): number {
  let to = at;
  for (let i = 0; i < bytes; i++) {
    const byte = digest[i] as number;
    out[to++] = HEX_DIGITS[byte >> 4] as number;
    out[to++] = HEX_DIGITS[byte & 0xf] as number;
  }
  return to;
}

/**
 * Writes what the text in some bytes becomes to `out`, from `at` on, where `MAX_WRITTEN` bytes have room, and answers where it
 * ends; or -1, having written nothing that counts: then it is `maskText`'s.
 */
export type WriteMask = (bytes: Buffer, start: number, end: number, out: Buffer, at: number) => number;
export const MAX_WRITTEN = 2 * HASH_BYTES;

/** The shortest way for what most masked values of a style are, without an object a value; of some there is none. */
export function maskWriters(digest: KeyedDigest): Readonly<Partial<Record<MaskStyle, WriteMask>>> {
  return {
    full: (_bytes, _start, _end, out, at) => writeMask(out, at),
    partial: writePartial,
    // A text of hexadecimal digits may be a part of what it becomes.
    hash: (bytes, start, end, out, at) =>
      end - start <= MAX_WRITTEN && (start === end || isHexDigit(bytes[start] as number))
        ? -1
        : writeHex(digest(bytes, start, end), HASH_BYTES, out, at),
    "format-preserving": (bytes, start, end, out, at) => {
      const sign = addressSign(bytes, start, end);
      // So may be an address whose domain begins as `masked.invalid` does.
      if (sign < 0 || bytes[sign + 1] === MAIL_DOMAIN[1]) return -1;
      return writeAddress(bytes, start, end, digest, out, at);
    },
  };
}

function writeMask(out: Buffer, at: number): number {
  for (let i = 0; i < MASK.length; i++) out[at + i] = MASK[i] as number;
  return at + MASK.length;
}

/** Of ASCII, whose characters are bytes. */
const writePartial: WriteMask = (bytes, start, end, out, at) => {
  if (end - start > FORMAT_MAX) return -1;
  for (let i = start; i < end; i++) if ((bytes[i] as number) >= 0x80) return -1;
  let to = writeMask(out, at);
  if (end - start >= SHOWN_FROM) for (let i = end - SHOWN; i < end; i++) out[to++] = bytes[i] as number;
  return to;
};

function isHexDigit(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66);
}

/** The digits of a text that is a card's number, spaced, dashed or plain; else undefined. */
function cardDigits(text: string): number[] | undefined {
  if (!/^[0-9][0-9 .-]*[0-9]$/.test(text)) return undefined;
  const digits = Array.from(text.replaceAll(/[ .-]/g, ""), Number);
  return digits.length >= CARD_MIN && digits.length <= CARD_MAX && luhnSum(digits) === 0 ? digits : undefined;
}

/** As long, with the same separators and a right check digit; drawn from the digits alone, so that spacing makes no difference. */
function fakeCard(text: string, digits: readonly number[], digest: KeyedDigest): string {
  const next = digestStream(digest, Buffer.from(digits.join("")));
  const drawn = [CARD_FIRST_DIGIT, ...digits.slice(2).map(() => next() % 10)];
  drawn.push(luhnCheckDigit(drawn));
  let at = 0;
  return text.replaceAll(/[0-9]/g, () => String(drawn[at++]));
}

/** From 256 values onto 10 or 26 is not quite even, which tells nothing of the original. */
function another(character: string, draw: number): string {
  if (/^[a-z]$/.test(character)) return String.fromCharCode(0x61 + (draw % 26));
  if (/^[A-Z]$/.test(character)) return String.fromCharCode(0x41 + (draw % 26));
  if (/^\p{N}$/u.test(character)) return String.fromCharCode(0x30 + (draw % 10));
  return /^\p{Lu}$/u.test(character) ? "X" : "x";
}
