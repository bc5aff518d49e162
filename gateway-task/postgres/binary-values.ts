import { wireText } from "../../core/wire-text.ts";
import { binaryDate, binaryTime, binaryTimestamp } from "./binary-times.ts";
import { binaryNumeric, shortestFloat } from "./binary-numbers.ts";

type Decode = (bytes: Buffer) => string | undefined;

const text: Decode = (bytes) => wireText(bytes, 0, bytes.length);
const oid: Decode = (bytes) => (bytes.length === 4 ? String(bytes.readUInt32BE(0)) : undefined);

/** The binary formats that we print, by the OID of their type (src/include/catalog/pg_type.dat). */
const DECODERS: ReadonlyMap<number, Decode> = new Map<number, Decode>([
  [16, (bytes) => (bytes.length === 1 ? (bytes[0] === 0 ? "f" : "t") : undefined)],
  [18, text], // "char"
  [19, text], // name
  [20, (bytes) => (bytes.length === 8 ? String(bytes.readBigInt64BE(0)) : undefined)],
  [21, (bytes) => (bytes.length === 2 ? String(bytes.readInt16BE(0)) : undefined)],
  [23, (bytes) => (bytes.length === 4 ? String(bytes.readInt32BE(0)) : undefined)],
  [25, text],
  [26, oid],
  [28, oid], // xid
  [114, text], // json
  [142, text], // xml
  [700, (bytes) => (bytes.length === 4 ? shortestFloat(bytes.readFloatBE(0), true) : undefined)],
  [701, (bytes) => (bytes.length === 8 ? shortestFloat(bytes.readDoubleBE(0), false) : undefined)],
  [705, text], // unknown
  [1042, text], // bpchar
  [1043, text], // varchar
  [1082, binaryDate],
  [1083, binaryTime],
  [1114, (bytes) => binaryTimestamp(bytes, "")],
  [1184, (bytes) => binaryTimestamp(bytes, "+00")],
  [1700, binaryNumeric],
  [2205, oid], // regclass
  [2950, uuid],
  [3802, (bytes) => (bytes[0] === 1 ? wireText(bytes, 1, bytes.length) : undefined)], // jsonb
]);

/** Arrays of the types above, and of bytea. */
const ARRAYS: ReadonlySet<number> = new Set([
  143, 199, 1000, 1001, 1002, 1003, 1005, 1007, 1009, 1011, 1014, 1015, 1016, 1021, 1022, 1028, 1115, 1182, 1183, 1185,
  1231, 2210, 2951, 3807,
]);
/** src/include/utils/array.h */
const MAX_DIMENSIONS = 6;

/**
 * A binary value as the server would print it (timestamps with time zone in UTC), or `\x…` where its type is unknown or
 * the bytes are not one of it. Never throws.
 */
export function binaryValue(type: number, bytes: Buffer): string {
  const value = ARRAYS.has(type) ? arrayValue(bytes) : DECODERS.get(type)?.(bytes);
  return value ?? `\\x${bytes.toString("hex")}`;
}

function uuid(bytes: Buffer): string | undefined {
  if (bytes.length !== 16) return undefined;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** array_send (src/backend/utils/adt/arrayfuncs.c): dimensions, flags, element type, then size and lower bound of each, then the elements. */
function arrayValue(bytes: Buffer): string | undefined {
  if (bytes.length < 12) return undefined;
  const dimensions = bytes.readInt32BE(0);
  if (dimensions === 0) return "{}";
  if (dimensions < 0 || dimensions > MAX_DIMENSIONS || bytes.length < 12 + 8 * dimensions) return undefined;
  const sizes: number[] = [];
  let bounds = "";
  for (let i = 0; i < dimensions; i++) {
    const size = bytes.readInt32BE(12 + 8 * i);
    const lower = bytes.readInt32BE(16 + 8 * i);
    if (size <= 0) return undefined;
    sizes.push(size);
    bounds += `[${lower}:${lower + size - 1}]`;
  }
  const type = bytes.readUInt32BE(8);
  if (ARRAYS.has(type)) return undefined; // no array's element is an array, and quoting within quoting would explode
  const reader = { bytes, at: 12 + 8 * dimensions, type };
  const value = arrayLevel(reader, sizes, 0);
  if (value === undefined || reader.at !== bytes.length) return undefined;
  return /^(?:\[1:\d+\])+$/.test(bounds) ? value : `${bounds}=${value}`;
}

interface ElementReader {
  readonly bytes: Buffer;
  readonly type: number;
  at: number;
}

function arrayLevel(reader: ElementReader, sizes: readonly number[], level: number): string | undefined {
  const parts: string[] = [];
  for (let i = 0; i < (sizes[level] ?? 0); i++) {
    const part = level === sizes.length - 1 ? arrayElement(reader) : arrayLevel(reader, sizes, level + 1);
    if (part === undefined) return undefined;
    parts.push(part);
  }
  return `{${parts.join(",")}}`;
}

function arrayElement(reader: ElementReader): string | undefined {
  const { bytes, at, type } = reader;
  if (at + 4 > bytes.length) return undefined;
  const length = bytes.readInt32BE(at);
  reader.at = at + 4 + Math.max(length, 0);
  if (length < 0) return "NULL";
  if (reader.at > bytes.length) return undefined;
  const value = binaryValue(type, bytes.subarray(at + 4, reader.at));
  // §8.15.6: what must be quoted within an array
  if (value !== "" && !/[{},"\\ \t\n\r\v\f]/.test(value) && value.toUpperCase() !== "NULL") return value;
  return `"${value.replaceAll(/["\\]/g, "\\$&")}"`;
}
