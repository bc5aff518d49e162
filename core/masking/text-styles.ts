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
const MAIL_DIGITS = 16;
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
      return Buffer.from(hashText(text, digest), "latin1");
    case "format-preserving":
      return formatPreserving(text, digest);
  }
}

function hashText(text: Uint8Array, digest: KeyedDigest): string {
  return digest(text).slice(0, 2 * HASH_BYTES);
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
  const address = asciiAddress(text);
  if (address !== undefined) return fakeAddress(address, digest);
  if (!isUtf8(text)) return MASK;
  const string = text.toString();
  if (/^[^\s@]+@[^\s@]+$/.test(string)) return fakeAddress(Buffer.from(string.toLowerCase()), digest);
  const digits = cardDigits(string);
  if (digits !== undefined) return Buffer.from(fakeCard(string, digits, digest), "latin1");
  const next = digestStream(digest, text);
  return Buffer.from(string.replaceAll(/[\p{L}\p{N}\p{M}]/gu, (character) => another(character, next())));
}

function fakeAddress(lower: Uint8Array, digest: KeyedDigest): Buffer {
  const address = Buffer.allocUnsafe(MAIL_DIGITS + MAIL_DOMAIN.length);
  address.write(digest(lower), 0, MAIL_DIGITS, "latin1");
  for (let i = 0; i < MAIL_DOMAIN.length; i++) address[MAIL_DIGITS + i] = MAIL_DOMAIN[i] as number;
  return address;
}

const lowered = Buffer.alloc(FORMAT_MAX);
/** Made once: a view of a buffer costs as much as an address has bytes. */
const loweredTo = Array.from({ length: FORMAT_MAX + 1 }, (_, length) => lowered.subarray(0, length));

/** An address of visible ASCII in small letters, as nearly all are, valid until the next call; undefined for anything else. */
function asciiAddress(text: Buffer): Uint8Array | undefined {
  let at = -1;
  for (let i = 0; i < text.length; i++) {
    const byte = text[i] as number;
    if (byte <= 0x20 || byte >= 0x7f || (byte === 0x40 && at >= 0)) return undefined;
    if (byte === 0x40) at = i;
    lowered[i] = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
  }
  return at > 0 && at < text.length - 1 ? loweredTo[text.length] : undefined;
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
