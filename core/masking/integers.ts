import { typeKind } from "./types.ts";

/** Digits of a numeric's integer part that are read: a card has 19. */
const MAX_NUMERIC_GROUPS = 6;
const INT8_MAX = 2n ** 63n - 1n;
const INT4_MAX = 2n ** 31n - 1n;

/** An int4, int8 or numeric in decimal, a binary numeric's fraction left out; undefined where it is none, or far too long. */
export function decimalInteger(value: Buffer, type: number, format: 0 | 1): string | undefined {
  if (format === 0) {
    const text = value.toString("latin1", 0, 40);
    return value.length < 40 && /^-?[0-9]+(?:\.[0-9]+)?$/.test(text) ? text : undefined;
  }
  const kind = typeKind(type);
  if (kind === "numeric") return numericInteger(value);
  if (kind === "int4") return value.length === 4 ? String(value.readInt32BE(0)) : undefined;
  return value.length === 8 ? String(value.readBigInt64BE(0)) : undefined;
}

/** numeric_send (src/backend/utils/adt/numeric.c): groups, weight, sign, scale, then groups of four decimal digits. */
function numericInteger(value: Buffer): string | undefined {
  if (value.length < 8) return undefined;
  const groups = value.readInt16BE(0);
  const weight = value.readInt16BE(2);
  const sign = value.readUInt16BE(4);
  if (value.length !== 8 + 2 * groups || weight < 0 || weight >= MAX_NUMERIC_GROUPS) return undefined;
  if (sign !== 0 && sign !== 0x4000) return undefined; // NaN, infinities
  let text = "";
  for (let i = 0; i <= weight; i++)
    text += String(i < groups ? value.readUInt16BE(8 + 2 * i) : 0).padStart(i === 0 ? 1 : 4, "0");
  return sign === 0 ? text : `-${text}`;
}

/** The other way; undefined where the text is no number of the type. */
export function encodeInteger(text: string, type: number, format: 0 | 1): Buffer | undefined {
  const kind = typeKind(type);
  if (!(kind === "numeric" ? /^-?[0-9]+(?:\.[0-9]+)?$/ : /^-?[0-9]+$/).test(text)) return undefined;
  if (kind === "numeric") return format === 0 ? Buffer.from(text, "latin1") : encodeNumeric(text);
  const value = BigInt(text);
  const max = kind === "int4" ? INT4_MAX : INT8_MAX;
  if (value > max || value < -max) return undefined;
  if (format === 0) return Buffer.from(text, "latin1");
  const bytes = Buffer.alloc(kind === "int4" ? 4 : 8);
  if (kind === "int4") bytes.writeInt32BE(Number(value));
  else bytes.writeBigInt64BE(value);
  return bytes;
}

function encodeNumeric(text: string): Buffer | undefined {
  const digits = text.replace("-", "");
  if (digits.includes(".")) return undefined;
  const groups = digits.padStart(Math.ceil(digits.length / 4) * 4, "0").match(/.{4}/g) ?? [];
  const bytes = Buffer.alloc(8 + 2 * groups.length);
  bytes.writeInt16BE(groups.length, 0);
  bytes.writeInt16BE(groups.length - 1, 2);
  bytes.writeUInt16BE(text.startsWith("-") ? 0x4000 : 0, 4);
  for (const [index, group] of groups.entries()) bytes.writeUInt16BE(Number(group), 8 + 2 * index);
  return bytes;
}
