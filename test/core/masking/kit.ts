import { parseMasking } from "../../../core/masking/config.ts";
import type { MaskRule, MaskStyle, Masking } from "../../../core/masking/masking.ts";

export const KEY = Buffer.from("a key of the tests, 32 bytes long");
export const STYLES: readonly MaskStyle[] = ["full", "partial", "hash", "null", "format-preserving"];

export function maskingOf(document: unknown, key: Uint8Array = KEY): Masking {
  return parseMasking(document, key).forConnection("shop", "demo");
}

export function ruleOf(style: MaskStyle): MaskRule {
  return { name: `by-${style}`, style, where: "client+recording" };
}

export const DETECTORS = [
  "email",
  "card",
  "iban",
  "us-ssn",
  "phone",
  "jwt",
  "aws-key",
  "private-key",
  "bearer-token",
] as const;

/** All detectors in one style. */
export function detecting(style: MaskStyle): Masking {
  return maskingOf({ detectors: DETECTORS.map((detect) => ({ name: detect, detect, style })) });
}

/** What a value becomes, as text, and which rules were counted for it. */
export function detected(masking: Masking, value: string | Buffer, type = 25, format: 0 | 1 = 0) {
  const counted: string[] = [];
  const masked = masking.detectInValue(Buffer.from(value), type, format, (rule) => counted.push(rule.name));
  return { masked, text: masked?.toString(), counted };
}

/** The text of length words and items, as binary arrays and records have them. */
export function int4(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

export function int8(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}

function item(value: Buffer | undefined): Buffer {
  return value === undefined ? int4(-1) : Buffer.concat([int4(value.length), value]);
}

export function binaryArray(type: number, elements: readonly (Buffer | undefined)[]): Buffer {
  const hasNull = elements.includes(undefined) ? 1 : 0;
  const header = [int4(1), int4(hasNull), int4(type), int4(elements.length), int4(1)];
  return Buffer.concat([...header, ...elements.map(item)]);
}

export function binaryRecord(fields: readonly (readonly [type: number, value: Buffer | undefined])[]): Buffer {
  return Buffer.concat([int4(fields.length), ...fields.flatMap(([type, value]) => [int4(type), item(value)])]);
}
