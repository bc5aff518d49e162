import { isUtf8 } from "node:buffer";
import { rewriteArrayText, rewriteBinaryArray, rewriteBinaryRecord, type RewriteElement } from "./arrays.ts";
import type { DetectorSet } from "./detector-set.ts";
import { decimalInteger, encodeInteger } from "./integers.ts";
import { jsonStringToken, jsonStringValue, rewriteJson } from "./json-text.ts";
import type { KeyedDigest } from "./keyed-digest.ts";
import type { CountMask, MaskRule } from "./masking.ts";
import { MASK, maskText } from "./text-styles.ts";
import { elementType, typeKind } from "./types.ts";
import { JSONB_VERSION, byteaBytes, byteaText } from "./value-mask.ts";

/** Arrays hold records, and records hold arrays: deeper ones become NULL. */
const MAX_DEPTH = 16;

/** What looks at values, and how what it finds is masked. */
export interface Look {
  readonly set: DetectorSet;
  readonly digest: KeyedDigest;
}

/** A value after the detectors: the identical Buffer where they found nothing, undefined for NULL. */
export function detectTyped(
  look: Look,
  value: Buffer,
  type: number,
  format: 0 | 1,
  count: CountMask,
  depth = 0,
): Buffer | undefined {
  switch (typeKind(type)) {
    case "text":
    case "char":
    case "xml":
      return replaced(look, value, true, count);
    case "plain":
    case "uuid":
    case "int4":
      return value;
    case "json":
      return detectJson(look, value, count);
    case "jsonb":
      return format === 0 ? detectJson(look, value, count) : detectJsonb(look, value, count);
    case "bytea":
      return format === 1 ? replaced(look, value, true, count) : detectByteaText(look, value, count);
    case "int8":
    case "numeric":
      return look.set.cards ? detectInteger(look, value, type, format, count) : value;
    case "array":
    case "record":
    case "other":
    case "user-defined":
      return detectStructure(look, value, type, format, count, depth);
  }
}

/** What holds other values, or may: each of those by its own type where that is told, else the whole as text. */
function detectStructure(
  look: Look,
  value: Buffer,
  type: number,
  format: 0 | 1,
  count: CountMask,
  depth: number,
): Buffer | undefined {
  if (depth > MAX_DEPTH) return undefined;
  const within: RewriteElement = (element, of) => detectTyped(look, element, of, format, count, depth + 1);
  const kind = typeKind(type);
  if (format === 0)
    return kind === "array" ? rewriteArrayText(value, elementType(type), within) : detectLiteral(look, value, count);
  if (kind === "array") return rewriteBinaryArray(value, within);
  const record = rewriteBinaryRecord(value, within);
  if (record !== undefined || kind === "record") return record;
  const array = rewriteBinaryArray(value, within);
  if (array !== undefined) return array;
  const masked = replaced(look, value, true, count);
  return masked === value || isPrintable(value) ? masked : undefined;
}

/** Whether a value's bytes may hold what a search does not see: integers, hex, escapes, and what may be made of them. */
export function hidesContents(set: DetectorSet, type: number, format: 0 | 1): boolean {
  if (set.rules.length === 0) return false;
  const kind = typeKind(type);
  switch (kind) {
    case "json":
      return true;
    case "bytea":
      return format === 0;
    case "int8":
    case "numeric":
    case "record":
    case "user-defined":
      return set.cards && format === 1;
    case "array":
      return hidesContents(set, elementType(type), format);
    case "text":
    case "char":
    case "jsonb":
    case "xml":
    case "uuid":
    case "int4":
    case "plain":
    case "other":
      return false;
  }
}

/**
 * Whether nothing is ever found in values of a type and format that their bytes do not show to a search. Of others none is
 * passed over in a stretch where anything has to be looked at.
 */
export function showsContents(type: number, format: 0 | 1): boolean {
  switch (typeKind(type)) {
    case "text":
    case "char":
    case "xml":
    case "plain":
    case "uuid":
    case "int4":
      return true;
    case "bytea":
      return format === 1;
    case "int8":
    case "numeric":
    case "record":
    case "user-defined":
    case "other":
      return format === 0;
    case "json":
    case "jsonb":
    case "array":
      return false;
  }
}

/** Text of any kind, in which a hit cannot become NULL. */
export function detectText(look: Look, text: Buffer, count: CountMask): Buffer {
  return replaced(look, text, false, count) ?? MASK;
}

/** @param nullable whether a hit of style `null` makes the whole undefined; else it is masked in full */
function replaced(look: Look, value: Buffer, nullable: boolean, count: CountMask): Buffer | undefined {
  const hits = look.set.find(value);
  if (hits.length === 0) return value;
  const pieces: Buffer[] = [];
  const rules = new Set<MaskRule>();
  let at = 0;
  let isNull = false;
  for (const { start, end, rule: index } of hits) {
    const rule = look.set.rules[index];
    if (rule === undefined) continue;
    rules.add(rule);
    isNull ||= nullable && rule.style === "null";
    if (start > at) pieces.push(value.subarray(at, start));
    pieces.push(maskText(rule.style, value.subarray(start, end), look.digest));
    at = end;
  }
  for (const rule of rules) count(rule);
  if (isNull) return undefined;
  if (at < value.length) pieces.push(value.subarray(at));
  return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
}

/** A literal whose parts are not known: what a hit becomes must not change where they end. */
function detectLiteral(look: Look, value: Buffer, count: CountMask): Buffer | undefined {
  const masked = replaced(look, value, true, count);
  if (masked === value || masked === undefined) return masked;
  const shape = (text: Buffer): string => text.toString("latin1").replaceAll(/[^"\\(){},]/g, "");
  return shape(masked) === shape(value) ? masked : undefined;
}

/** Lengths and counts, which structures are made of, are not. */
function isPrintable(value: Buffer): boolean {
  return isUtf8(value) && value.every((byte) => byte >= 0x20 || (byte >= 0x09 && byte <= 0x0d));
}

function detectByteaText(look: Look, value: Buffer, count: CountMask): Buffer | undefined {
  const bytes = byteaBytes(value);
  const masked = replaced(look, bytes, true, count);
  return masked === bytes ? value : masked && byteaText(masked);
}

function detectJsonb(look: Look, value: Buffer, count: CountMask): Buffer | undefined {
  if (value[0] !== JSONB_VERSION) return look.set.mayContain(value, 0, value.length) ? undefined : value;
  const text = value.subarray(1);
  const masked = detectJson(look, text, count);
  return masked === text ? value : Buffer.concat([value.subarray(0, 1), masked]);
}

/** Strings, and numbers that are a card's: a hit in a key or of style `null` becomes what JSON has for it. */
function detectJson(look: Look, value: Buffer, count: CountMask): Buffer {
  // Only in escapes can a hit stand that its bytes do not show.
  if (!look.set.mayContain(value, 0, value.length) && !value.includes("\\")) return value;
  const text = value.toString("latin1");
  const result = rewriteJson(text, (token, kind, isKey) => {
    const contents = kind === "string" ? jsonStringValue(token) : Buffer.from(token, "latin1");
    if (contents === undefined) return jsonStringToken(MASK);
    const masked = replaced(look, contents, !isKey, count);
    if (masked === contents) return token;
    return masked === undefined ? "null" : jsonStringToken(masked);
  });
  return result === text ? value : Buffer.from(result, "latin1");
}

/** A card's number as a number: another card's where the rule says so and it fits, else NULL. */
function detectInteger(look: Look, value: Buffer, type: number, format: 0 | 1, count: CountMask): Buffer | undefined {
  const decimal = decimalInteger(value, type, format);
  if (decimal === undefined) return value;
  const text = Buffer.from(decimal, "latin1");
  const masked = replaced(look, text, true, count);
  if (masked === text) return value;
  return masked && encodeInteger(masked.toString("latin1"), type, format);
}
