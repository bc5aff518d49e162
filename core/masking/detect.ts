import { isUtf8 } from "node:buffer";
import { rewriteArrayText, rewriteBinaryArray, rewriteBinaryRecord } from "./arrays.ts";
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

/** One value, and what looks at it. */
interface Look {
  readonly set: DetectorSet;
  readonly digest: KeyedDigest;
  readonly count: CountMask;
}

/** A value after the detectors: the identical Buffer where they found nothing, undefined for NULL. */
export function detectTyped(look: Look, value: Buffer, type: number, format: 0 | 1, depth = 0): Buffer | undefined {
  if (depth > MAX_DEPTH) return undefined;
  const within = (element: Buffer, of: number) => detectTyped(look, element, of, format, depth + 1);
  switch (typeKind(type)) {
    case "plain":
    case "uuid":
    case "int4":
      return value;
    case "char":
    case "text":
    case "xml":
      return detectWithin(look, value);
    case "json":
      return detectJson(look, value);
    case "jsonb":
      if (format === 0) return detectJson(look, value);
      return detectJsonb(look, value);
    case "bytea":
      return format === 1 ? detectWithin(look, value) : detectByteaText(look, value);
    case "int8":
    case "numeric":
      return look.set.cards ? detectInteger(look, value, type, format) : value;
    case "array":
      return format === 1
        ? rewriteBinaryArray(value, within)
        : rewriteArrayText(value, elementType(type), (element, of) => within(element, of));
    case "record":
      return format === 1 ? rewriteBinaryRecord(value, within) : detectStructured(look, value);
    case "other":
    case "user-defined":
      return format === 0 ? detectStructured(look, value) : detectUnknown(look, value, within);
  }
}

/** Whether a value's bytes may hold what `mayContain` does not see: integers, hex, escapes, and what may be made of them. */
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

/** Text of any kind, in which a hit cannot become NULL. */
export function detectText(look: Look, text: Buffer): Buffer {
  return replaced(look, text, false) ?? MASK;
}

function detectWithin(look: Look, value: Buffer): Buffer | undefined {
  return replaced(look, value, true);
}

/** @param nullable whether a hit of style `null` makes the whole undefined; else it is masked in full */
function replaced(look: Look, value: Buffer, nullable: boolean): Buffer | undefined {
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
    pieces.push(value.subarray(at, start), maskText(rule.style, value.subarray(start, end), look.digest));
    at = end;
  }
  for (const rule of rules) look.count(rule);
  return isNull ? undefined : Buffer.concat([...pieces, value.subarray(at)]);
}

/** A literal whose parts are not known: what a hit becomes must not change where they end. */
function detectStructured(look: Look, value: Buffer): Buffer | undefined {
  const masked = detectWithin(look, value);
  if (masked === value || masked === undefined) return masked;
  const shape = (text: Buffer): string => text.toString("latin1").replaceAll(/[^"\\(){},]/g, "");
  return shape(masked) === shape(value) ? masked : undefined;
}

/** A type that is not built in, in a format that only its own code knows: a composite, an array, a text, or anything else. */
function detectUnknown(
  look: Look,
  value: Buffer,
  within: (element: Buffer, type: number) => Buffer | undefined,
): Buffer | undefined {
  const record = rewriteBinaryRecord(value, within);
  if (record !== undefined) return record;
  const array = rewriteBinaryArray(value, within);
  if (array !== undefined) return array;
  const masked = detectWithin(look, value);
  return masked === value || isPrintable(value) ? masked : undefined;
}

/** Lengths and counts, which structures are made of, are not. */
function isPrintable(value: Buffer): boolean {
  return isUtf8(value) && value.every((byte) => byte >= 0x20 || (byte >= 0x09 && byte <= 0x0d));
}

function detectByteaText(look: Look, value: Buffer): Buffer | undefined {
  const bytes = byteaBytes(value);
  const masked = detectWithin(look, bytes);
  return masked === bytes ? value : masked && byteaText(masked);
}

function detectJsonb(look: Look, value: Buffer): Buffer | undefined {
  if (value[0] !== JSONB_VERSION) return look.set.mayContain(value, 0, value.length) ? undefined : value;
  const text = value.subarray(1);
  const masked = detectJson(look, text);
  return masked === text ? value : Buffer.concat([value.subarray(0, 1), masked]);
}

/** Strings, and numbers that are a card's: a hit in a key or of style `null` becomes what JSON has for it. */
function detectJson(look: Look, value: Buffer): Buffer {
  // Only in escapes can a hit stand that its bytes do not show.
  if (!look.set.mayContain(value, 0, value.length) && !value.includes("\\")) return value;
  const text = value.toString("latin1");
  const result = rewriteJson(text, (token, kind, isKey) => {
    const contents = kind === "string" ? jsonStringValue(token) : Buffer.from(token, "latin1");
    if (contents === undefined) return jsonStringToken(MASK);
    const masked = replaced(look, contents, !isKey);
    if (masked === contents) return token;
    return masked === undefined ? "null" : jsonStringToken(masked);
  });
  return result === text ? value : Buffer.from(result, "latin1");
}

/** A card's number as a number: another card's where the rule says so and it fits, else NULL. */
function detectInteger(look: Look, value: Buffer, type: number, format: 0 | 1): Buffer | undefined {
  const decimal = decimalInteger(value, type, format);
  if (decimal === undefined) return value;
  const text = Buffer.from(decimal, "latin1");
  const masked = replaced(look, text, true);
  if (masked === text) return value;
  return masked && encodeInteger(masked.toString("latin1"), type, format);
}
