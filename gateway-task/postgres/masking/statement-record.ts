import type { Relations } from "../../../core/masking/column-names.ts";
import type { CountMask, Masking, MaskRule } from "../../../core/masking/masking.ts";
import { maskStatement, type MaskedStatement } from "../../../core/masking/statement-text.ts";
import { message as encode } from "../answers.ts";
import { MESSAGE_HEADER_BYTES } from "../messages.ts";
import { stringEnd } from "../../../core/wire-text.ts";

/** Prepared statements whose parameters are told apart; of one that is forgotten all parameters are masked. */
const MAX_PREPARED = 10_000;
/** Texts that are remembered as they are recorded, and how long one may be. */
const MAX_TEXTS = 500;
const MAX_TEXT_BYTES = 16 << 10;
const PARSE = 0x50;
const QUERY = 0x51;
const BIND = 0x42;
const TEXT = 25;

interface Prepared {
  readonly masked: MaskedStatement;
  readonly types: readonly number[];
}

interface Remembered {
  readonly masked: MaskedStatement;
  readonly counted: readonly MaskRule[];
}

/** What a client asks, as it may be recorded: literals and parameters of masked columns are masked in it, the target gets them. */
export class StatementRecord {
  readonly #masking: Masking;
  readonly #relations: Relations;
  readonly #count: CountMask;
  readonly #prepared = new Map<string, Prepared>();
  readonly #texts = new Map<string, Remembered>();
  #quiet = false;

  constructor(masking: Masking, relations: Relations, count: CountMask) {
    this.#masking = masking;
    this.#relations = relations;
    this.#count = (rule) => {
      if (!this.#quiet) count(rule);
    };
  }

  /** The same for people to read, beside the record: nothing of it counts. */
  shown(message: Buffer): Buffer {
    this.#quiet = true;
    try {
      return this.masked(message);
    } finally {
      this.#quiet = false;
    }
  }

  /** A Query, Parse or Bind message (PostgreSQL 18 §54.7), complete: the same Buffer if nothing is masked in it, else a well-formed one. */
  masked(message: Buffer): Buffer {
    const [tag] = message;
    if (tag === QUERY) return this.#query(message);
    if (tag === PARSE) return this.#parse(message);
    return tag === BIND ? this.#bind(message) : message;
  }

  #query(message: Buffer): Buffer {
    const end = stringEnd(message, MESSAGE_HEADER_BYTES, message.length);
    const { text } = this.#statement(message.subarray(MESSAGE_HEADER_BYTES, end));
    return spliced(message, MESSAGE_HEADER_BYTES, end, text);
  }

  #parse(message: Buffer): Buffer {
    const nameEnd = stringEnd(message, MESSAGE_HEADER_BYTES, message.length);
    const end = stringEnd(message, nameEnd + 1, message.length);
    const masked = this.#statement(message.subarray(nameEnd + 1, end));
    const types: number[] = [];
    for (let at = end + 3; at + 4 <= message.length; at += 4) types.push(message.readUInt32BE(at));
    const name = message.toString("latin1", MESSAGE_HEADER_BYTES, nameEnd);
    this.#prepared.delete(name);
    this.#prepared.set(name, { masked, types });
    for (const [oldest] of this.#prepared) {
      if (this.#prepared.size <= MAX_PREPARED) break;
      this.#prepared.delete(oldest);
    }
    return spliced(message, nameEnd + 1, end, masked.text);
  }

  #statement(text: Buffer): MaskedStatement {
    const key = text.length <= MAX_TEXT_BYTES ? text.toString("latin1") : undefined;
    const known = key === undefined ? undefined : this.#texts.get(key);
    if (known !== undefined) {
      for (const rule of known.counted) this.#count(rule);
      return known.masked;
    }
    const counted: MaskRule[] = [];
    const note = (rule: MaskRule): void => {
      counted.push(rule);
      this.#count(rule);
    };
    const found = maskStatement(text, this.#masking, note, this.#relations);
    const masked = found.text === text ? { ...found, text: Buffer.from(text) } : found;
    if (key === undefined) return masked;
    this.#texts.set(key, { masked, counted });
    const [oldest] = this.#texts.keys();
    if (this.#texts.size > MAX_TEXTS && oldest !== undefined) this.#texts.delete(oldest);
    return masked;
  }

  #bind(message: Buffer): Buffer {
    const portalEnd = stringEnd(message, MESSAGE_HEADER_BYTES, message.length);
    const nameEnd = stringEnd(message, portalEnd + 1, message.length);
    const prepared = this.#prepared.get(message.toString("latin1", portalEnd + 1, nameEnd));
    const formatsAt = nameEnd + 3;
    const formats = formatsAt <= message.length ? message.readUInt16BE(formatsAt - 2) : 0;
    let at = formatsAt + 2 * formats + 2;
    if (at > message.length) return message; // malformed: it binds nothing
    const pieces: Buffer[] = [];
    let copied = 0;
    for (let n = 1, left = message.readUInt16BE(at - 2); left > 0 && at + 4 <= message.length; left--, n++) {
      const start = at + 4;
      const size = message.readInt32BE(at);
      at = start + Math.max(size, 0);
      if (size < 0) continue;
      const code = formats === 1 ? 0 : n - 1;
      const format = code < formats && message.readUInt16BE(formatsAt + 2 * code) === 1 ? 1 : 0;
      const value = message.subarray(start, Math.min(at, message.length));
      const masked = this.#parameter(value, n, format, prepared);
      if (masked === value) continue;
      const length = Buffer.alloc(4);
      length.writeInt32BE(masked?.length ?? -1);
      pieces.push(message.subarray(copied, start - 4), length, ...(masked === undefined ? [] : [masked]));
      copied = at;
    }
    if (pieces.length === 0) return message;
    return relengthened(Buffer.concat([...pieces, message.subarray(copied)]));
  }

  /** Of a statement that is not known any parameter may go to a masked column. */
  #parameter(value: Buffer, n: number, format: 0 | 1, prepared: Prepared | undefined): Buffer | undefined {
    const known = prepared?.types[n - 1] ?? 0;
    const type = known === 0 && format === 0 ? TEXT : known;
    const any = this.#masking.columnRuleByName();
    const rule = prepared === undefined ? any && { ...any, style: "full" as const } : prepared.masked.parameter(n);
    if (rule === undefined) return this.#masking.detectInValue(value, type, format, this.#count);
    this.#count(rule);
    return this.#masking.maskValue(rule, value, type, format);
  }
}

/** The message with another text between two offsets; the same Buffer if the text is the same. */
function spliced(message: Buffer, from: number, to: number, text: Buffer): Buffer {
  if (text.equals(message.subarray(from, to))) return message;
  return relengthened(Buffer.concat([message.subarray(0, from), text, message.subarray(to)]));
}

function relengthened(message: Buffer): Buffer {
  return encode(message.toString("latin1", 0, 1), message.subarray(MESSAGE_HEADER_BYTES));
}
