import type { KeyedDigest } from "./keyed-digest.ts";
import type { MaskStyle } from "./masking.ts";
import { MASK, maskText } from "./text-styles.ts";

/** As many hex digits as a hash has elsewhere: behind them come stars. */
const HASH_DIGITS = 32;
/** RFC 2606 §2; the short one for addresses that have no room for what they become elsewhere. */
const MAIL_DOMAIN = "@masked.invalid";
const SHORT_MAIL_DOMAIN = "@x.invalid";
/** Fewer digits before the short domain would be the same for many addresses: those become stars. */
const MIN_MAIL_DIGITS = 4;
const LONG_MAIL_DIGITS = 8;
const STAR = 0x2a;

/** A text in a style, of as many bytes as before: where the style gives fewer, stars fill up; where it gives more, they are cut. */
export function maskToLength(style: MaskStyle, text: Buffer, digest: KeyedDigest): Buffer {
  const masked = styled(style, text, digest);
  return masked?.length === text.length && !masked.equals(text) ? masked : stars(text.length);
}

function styled(style: MaskStyle, text: Buffer, digest: KeyedDigest): Buffer | undefined {
  switch (style) {
    case "full":
    case "null":
      return undefined;
    case "partial": {
      const shown = maskText(style, text, digest).subarray(MASK.length);
      return Buffer.concat([stars(text.length - shown.length), shown]);
    }
    case "hash":
      return Buffer.from(
        hexOf(digest(text)).slice(0, HASH_DIGITS).slice(0, text.length).padEnd(text.length, "*"),
        "latin1",
      );
    case "format-preserving":
      return isAddress(text) ? fakeAddress(text, digest) : maskText(style, text, digest);
  }
}

function isAddress(text: Buffer): boolean {
  return /^[^\s@]+@[^\s@]+$/.test(text.toString("latin1"));
}

function fakeAddress(text: Buffer, digest: KeyedDigest): Buffer | undefined {
  const isLong = text.length >= LONG_MAIL_DIGITS + MAIL_DOMAIN.length;
  const domain = isLong ? MAIL_DOMAIN : SHORT_MAIL_DOMAIN;
  const digits = text.length - domain.length;
  if (digits < MIN_MAIL_DIGITS) return undefined;
  const local = hexOf(digest(Buffer.from(text.toString().toLowerCase())))
    .slice(0, digits)
    .padEnd(digits, "0");
  return Buffer.from(local + domain, "latin1");
}

function hexOf(digest: Buffer): string {
  return digest.toString("hex");
}

function stars(length: number): Buffer {
  return Buffer.alloc(length, STAR);
}
