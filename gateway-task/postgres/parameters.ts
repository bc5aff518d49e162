import type { BoundParameter } from "../../core/recording/events.ts";
import { binaryValue } from "./binary-values.ts";
import { keptBytes, MAX_PARAMETERS } from "./bind-compactor.ts";
import { cutWireText, stringEnd, wireText } from "../../core/wire-text.ts";

/** The body of a Bind (§55.7), as it came or compacted; it is decoded only when an event wants it. */
export interface BoundArguments {
  readonly body: Buffer;
  /** Values are shortened to what `keptBytes` says. */
  readonly compacted: boolean;
}

export interface BoundValues {
  readonly count: number;
  readonly parameters: BoundParameter[];
  /** Format codes of the result's columns: none (all text), one for all, or one a column. */
  readonly resultFormats: readonly number[];
}

const NO_CODES: readonly number[] = [];
const NOTHING_BOUND: BoundValues = { count: 0, parameters: [], resultFormats: [] };

/** Names of the portal and of the statement that a Bind's body begins with, decoded by `read`. */
export function boundNames(
  bytes: Buffer,
  start: number,
  end: number,
  read: typeof wireText = wireText,
): { portal: string; statement: string } {
  const portal = stringEnd(bytes, start, end);
  const statement = stringEnd(bytes, portal + 1, end);
  return {
    portal: portal === start ? "" : read(bytes, start, portal),
    statement: statement <= portal + 1 ? "" : read(bytes, portal + 1, statement),
  };
}

/**
 * What a Bind binds: values as the server would print them (binary timestamps in UTC), at most `MAX_PARAMETERS`, each cut
 * to `MAX_PARAMETER_BYTES`, all together to `MAX_PARAMETERS_BYTES`. A body that is cut short yields the values before the cut.
 * @param types OIDs by position, 0 or missing where unknown
 */
export function boundValues({ body, compacted }: BoundArguments, types: readonly number[]): BoundValues {
  let at = stringEnd(body, stringEnd(body, 0, body.length) + 1, body.length) + 1;
  if (at + 2 > body.length) return NOTHING_BOUND;
  const formats = codesAt(body, at);
  at += 2 + 2 * formats.length;
  if (at + 2 > body.length) return NOTHING_BOUND;
  const count = body.readUInt16BE(at);
  at += 2;
  const parameters: BoundParameter[] = [];
  let taken = 0;
  for (let index = 0; index < count; index++) {
    if (at + 4 > body.length) return { count, parameters, resultFormats: NO_CODES };
    const length = body.readInt32BE(at);
    at += 4;
    const kept = keptBytes(index, length, taken);
    taken += kept;
    if (index < MAX_PARAMETERS) {
      const format = formats.length === 1 ? formats[0] : formats[index];
      parameters.push(boundParameter(body, at, kept, length, types[index] ?? 0, format === 1));
    }
    at += compacted ? kept : Math.max(length, 0);
  }
  return { count, parameters, resultFormats: codesAt(body, at) };
}

/** @param kept how many of its `length` bytes are there, from `at` on */
function boundParameter(
  body: Buffer,
  at: number,
  kept: number,
  length: number,
  type: number,
  binary: boolean,
): BoundParameter {
  if (length < 0) return { type, value: null };
  const end = Math.min(at + kept, body.length);
  if (end - at === length)
    return { type, value: binary ? binaryValue(type, body.subarray(at, end)) : wireText(body, at, end) };
  const value = binary ? `\\x${body.toString("hex", at, end)}` : cutWireText(body, at, end);
  return { type, value, bytes: length };
}

/** A count of 16 bits and as many format codes. */
function codesAt(bytes: Buffer, at: number): readonly number[] {
  if (at + 2 > bytes.length || (bytes[at] === 0 && bytes[at + 1] === 0)) return NO_CODES;
  const codes: number[] = [];
  const end = Math.min(at + 2 + 2 * bytes.readUInt16BE(at), bytes.length - 1);
  for (let code = at + 2; code < end; code += 2) codes.push(bytes.readUInt16BE(code));
  return codes;
}
