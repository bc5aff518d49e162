import { recordTextFields, rewriteArrayText, rewriteBinaryArray, rewriteBinaryRecord } from "./arrays.ts";
import { decimalInteger, encodeInteger } from "./integers.ts";
import { jsonStringToken, jsonStringValue } from "./json-text.ts";
import type { KeyedDigest } from "./keyed-digest.ts";
import type { MaskStyle } from "./masking.ts";
import { MASK, maskText } from "./text-styles.ts";
import { elementType, typeKind } from "./types.ts";

/** jsonb_send's only version (src/backend/utils/adt/jsonb.c). */
export const JSONB_VERSION = 1;
/** Arrays hold records, and records hold arrays: deeper ones are masked whole. */
const MAX_DEPTH = 16;

/**
 * A value of a masked column in a style: another value that is valid for its type, or undefined for NULL, which is also
 * what becomes of a value that is not one of its type, and of types that have no masked value.
 */
export function maskTyped(
  style: MaskStyle,
  value: Buffer,
  type: number,
  format: 0 | 1,
  digest: KeyedDigest,
  depth = 0,
): Buffer | undefined {
  if (style === "null" || depth > MAX_DEPTH) return undefined;
  switch (typeKind(type)) {
    case "text":
      return maskText(style, value, digest);
    case "char":
      return Buffer.from("*");
    case "json":
      return maskJson(style, value, digest);
    case "jsonb":
      if (format === 0) return maskJson(style, value, digest);
      if (value[0] !== JSONB_VERSION) return undefined;
      return Buffer.concat([value.subarray(0, 1), maskJson(style, value.subarray(1), digest)]);
    case "xml":
      return style === "hash" ? maskText(style, value, digest) : MASK;
    case "bytea":
      return maskBytea(style, value, format, digest);
    case "uuid":
      return style === "hash" ? hashUuid(value, format, digest) : undefined;
    case "int4":
    case "int8":
      return style === "hash" ? hashInteger(value, type, format, digest) : undefined;
    case "array":
    case "record":
      return maskStructure(style, value, type, format, digest, depth);
    case "numeric":
    case "plain":
    case "other":
    case "user-defined":
      return undefined;
  }
}

function maskStructure(
  style: MaskStyle,
  value: Buffer,
  type: number,
  format: 0 | 1,
  digest: KeyedDigest,
  depth: number,
): Buffer | undefined {
  const within = (element: Buffer, of: number) => maskTyped(style, element, of, format, digest, depth + 1);
  if (typeKind(type) === "record") return format === 1 ? rewriteBinaryRecord(value, within) : nullRecord(value);
  return format === 1 ? rewriteBinaryArray(value, within) : rewriteArrayText(value, elementType(type), within);
}

/** JSON's whole value as one string. Of a string its contents are masked; of anything else its text is. */
function maskJson(style: MaskStyle, value: Buffer, digest: KeyedDigest): Buffer {
  const text = value.toString("latin1").trim();
  const contents = /^".*"$/s.test(text) ? jsonStringValue(text) : undefined;
  if (contents !== undefined) return Buffer.from(jsonStringToken(maskText(style, contents, digest)), "latin1");
  return Buffer.from(jsonStringToken(style === "hash" ? maskText(style, value, digest) : MASK), "latin1");
}

/** §8.4.1: the hex format. */
function maskBytea(style: MaskStyle, value: Buffer, format: 0 | 1, digest: KeyedDigest): Buffer {
  const bytes = format === 1 ? value : byteaBytes(value);
  const masked = style === "hash" ? Buffer.from(digest(bytes).subarray(0, 16)) : MASK;
  return format === 1 ? masked : byteaText(masked);
}

export function byteaText(bytes: Buffer): Buffer {
  return Buffer.from(`\\x${bytes.toString("hex")}`, "latin1");
}

/** The bytes of its hex format; of anything else the text's. */
export function byteaBytes(text: Buffer): Buffer {
  return text[0] === 0x5c && text[1] === 0x78 ? Buffer.from(text.toString("latin1", 2), "hex") : text;
}

/** RFC 9562 §5.8: version 8, whose bits are the writer's own. */
function hashUuid(value: Buffer, format: 0 | 1, digest: KeyedDigest): Buffer | undefined {
  const bytes = format === 1 ? value : Buffer.from(value.toString("latin1").replaceAll("-", ""), "hex");
  if (bytes.length !== 16) return undefined;
  const hash = Buffer.from(digest(bytes).subarray(0, 16));
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x80;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  if (format === 1) return hash;
  return Buffer.from(hash.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5"), "latin1");
}

/** A positive integer; of int8 within 53 bits, so that JavaScript's and JSON's readers keep it whole. */
function hashInteger(value: Buffer, type: number, format: 0 | 1, digest: KeyedDigest): Buffer | undefined {
  const decimal = decimalInteger(value, type, format);
  if (decimal === undefined) return undefined;
  const hash = digest(Buffer.from(decimal)).readBigUInt64BE();
  const masked = String(typeKind(type) === "int8" ? hash >> 11n : hash >> 33n);
  return masked === decimal ? undefined : encodeInteger(masked, type, format);
}

/** Its literal does not tell its fields' types, and NULL is a value of each. */
function nullRecord(value: Buffer): Buffer | undefined {
  const fields = recordTextFields(value);
  return fields === undefined ? undefined : Buffer.from(`(${",".repeat(fields - 1)})`, "latin1");
}
