import { createHash } from "node:crypto";
import type { Instant } from "../../core/brand.ts";

/** A sort key has 1,024 bytes at most, of which time and prefix take some. */
const MAX_TEXT_BYTES = 900;
/** Number.MAX_SAFE_INTEGER has as many. */
const INSTANT_DIGITS = 16;
const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * A partition key that no other kind and no other text has. Any text will do: one that is too long, or that UTF-8 would not bring
 * back, stands there by its hash.
 * @param kind a word of ours
 */
export function partition(kind: string, text: string): string {
  return kind + fitting(text);
}

function fitting(text: string): string {
  if (text.isWellFormed() && Buffer.byteLength(text) <= MAX_TEXT_BYTES) return `#${text}`;
  return `~${createHash("sha256").update(text, "utf16le").digest("hex")}`;
}

/** A sort key that orders by time, then by id. */
export function order(at: Instant, id: string): string {
  return orderFrom(at) + fitting(id);
}

/** What is before every `order` of this time, and after all of earlier ones. */
export function orderFrom(at: Instant): string {
  return String(Math.min(Math.max(Math.trunc(at), 0), Number.MAX_SAFE_INTEGER)).padStart(INSTANT_DIGITS, "0");
}

/** After every `order`. */
export const ORDER_END = "~";

/** The UTC day of an `order`, as a sort key: days since the epoch. */
export function dayOf(ordered: string): string {
  const at = ordered === ORDER_END ? Number.MAX_SAFE_INTEGER : Number(ordered.slice(0, INSTANT_DIGITS));
  return String(Math.floor(at / DAY_MS)).padStart(INSTANT_DIGITS, "0");
}

/** When DynamoDB may delete what is of no use from `at` on: seconds since the epoch. */
export function ttlAt(at: Instant): number {
  return Math.ceil(at / 1000);
}
