import { SallyportError } from "../../core/errors.ts";
import { MAX_MESSAGE_LENGTH, MESSAGE_HEADER_BYTES, MIN_MESSAGE_LENGTH } from "./messages.ts";

/** What to do with a message, by its tag: one byte a tag in a table of 256. */
export const RULE = { refuse: 0, stream: 1, whole: 2 } as const;
export type Rules = Uint8Array;

/** The rules of a direction, from its table of messages. Tags that are not in it are refused. */
export function rulesOf(messages: Record<string, { readonly name: string; readonly whole?: boolean }>): Rules {
  const rules = new Uint8Array(256);
  for (const [tag, row] of Object.entries(messages)) rules[tag.charCodeAt(0)] = row.whole ? RULE.whole : RULE.stream;
  return rules;
}

/** A table for `MessageFramer`'s count. */
export function countedTags(tags: string): Uint8Array {
  const counted = new Uint8Array(256);
  for (const tag of tags) counted[tag.charCodeAt(0)] = 1;
  return counted;
}

/** What takes a message's place, on its way and in the record. */
export interface Replacement {
  readonly forward: Buffer;
  readonly recorded: Buffer;
}

/**
 * Sees a `whole` message, tag and length included. Answers it as it is to be recorded; or what takes its place; or undefined
 * to stop before it: see `halted`.
 */
type Inspect = (message: Buffer) => Buffer | Replacement | undefined;

/** A message that `Inspect` stopped at, and what stands behind it: copies, which outlive the chunk. */
interface Halted {
  readonly message: Buffer;
  readonly rest: Buffer;
}

/** Room that is made at once for a message that has only begun. */
const HELD_AHEAD = 64 << 10;

/**
 * Follows the messages of one direction (PostgreSQL 18 §54.2: tag, length, body) through chunks as they come from a
 * socket. Whole chunks pass without a copy; only a `whole` message that is cut by a chunk's end is held back until the rest
 * of it has come.
 */
export class MessageFramer {
  /** Bytes that may go on now: a view of the chunk, save where held bytes came before it. */
  forward: Buffer = EMPTY;
  /** The same, with what `inspect` put in a message's place; the identical object where it changed nothing. */
  recorded: Buffer = EMPTY;
  /** The message before which the last push stopped. Whoever deals with it calls `pass`, and pushes what is behind it. */
  halted: Halted | undefined;
  /** Which rule each tag has; it may change between chunks. */
  rules: Rules;
  /** Messages of the counted types so far. */
  count = 0;
  /** The type of the last message that began. */
  lastTag = 0;
  readonly #counted: Uint8Array;
  readonly #maxWhole: number;
  readonly #inspect: Inspect;
  /** Bytes of a streamed message that are still to come. */
  #skip = 0;
  /** The beginning of a streamed message's header that a chunk's end cut: 0 to 4 bytes. */
  readonly #header = new Uint8Array(MESSAGE_HEADER_BYTES);
  #headerBytes = 0;
  /** Room for the held message; its first `#heldBytes` bytes are there. One buffer, however many pieces it comes in. */
  #held: Buffer = EMPTY;
  #heldBytes = 0;
  /** How long the held message is, once its header is known; 0 before. */
  #wanted = 0;

  /**
   * @param counted  1 for the tags whose messages `count` counts, when they begin
   * @param maxWhole bytes up to which a `whole` message is held; a longer one is refused
   * @param inspect sees every `whole` message
   */
  constructor(rules: Rules, counted: Uint8Array, maxWhole: number, inspect: Inspect) {
    this.rules = rules;
    this.#counted = counted;
    this.#maxWhole = maxWhole;
    this.#inspect = inspect;
  }

  /** Whether everything that was passed on ends with a whole message, so that one of ours can stand behind it. */
  get atBoundary(): boolean {
    return this.#skip === 0 && this.#headerBytes === 0;
  }

  /** Takes the next bytes; `forward` and `recorded` then hold what may go on. Throws `protocol-violation`, `limit-exceeded`. */
  push(chunk: Buffer): void {
    if (this.#heldBytes === 0) {
      this.#scan(chunk);
      return;
    }
    // Held bytes are ours to keep: the caller may use its buffer again.
    this.#keep(chunk);
    this.forward = this.recorded = EMPTY;
    if (this.#heldBytes < this.#wanted) return;
    const bytes = this.#held.subarray(0, this.#heldBytes);
    this.#held = EMPTY;
    this.#heldBytes = 0;
    this.#wanted = 0;
    this.#scan(bytes);
  }

  /** A message that the last push stopped at has been dealt with. */
  pass(): void {
    const tag = this.halted?.message[0] ?? 0;
    this.halted = undefined;
    this.#begun(tag);
  }

  #scan(bytes: Buffer): void {
    let changes: Changes | undefined;
    let at = this.#resumeStreamed(bytes);
    while (at + MESSAGE_HEADER_BYTES <= bytes.length) {
      const tag = bytes[at] as number;
      const end = at + 1 + this.#checked(tag, bytes.readUInt32BE(at + 1));
      if (this.rules[tag] === RULE.whole) {
        if (end > bytes.length) {
          this.#hold(bytes, at, end - at);
          break;
        }
        const message = bytes.subarray(at, end);
        const seen = this.#inspect(message);
        if (seen === undefined) {
          this.halted = { message: Buffer.from(message), rest: Buffer.from(bytes.subarray(end)) };
          break;
        }
        if (seen !== message) (changes ??= new Changes(bytes)).add(at, end, seen);
      }
      this.#begun(tag);
      at = end;
    }
    const sent = this.#heldBytes > 0 || this.halted !== undefined ? at : this.#end(bytes, at);
    this.forward = changes?.forward(sent) ?? (sent === bytes.length ? bytes : bytes.subarray(0, sent));
    this.recorded = changes?.recorded(sent) ?? this.forward;
  }

  #begun(tag: number): void {
    this.count += this.#counted[tag] as number;
    this.lastTag = tag;
  }

  /** The rest of a streamed message that earlier chunks began; answers the offset of the next message. */
  #resumeStreamed(bytes: Buffer): number {
    let at = 0;
    if (this.#headerBytes > 0) {
      const header = this.#header;
      while (this.#headerBytes < MESSAGE_HEADER_BYTES && at < bytes.length)
        header[this.#headerBytes++] = bytes[at++] as number;
      if (this.#headerBytes < MESSAGE_HEADER_BYTES) return at;
      const [tag = 0, a = 0, b = 0, c = 0, d = 0] = header;
      this.#skip = this.#checked(tag, ((a << 24) | (b << 16) | (c << 8) | d) >>> 0) - 4;
      this.#headerBytes = 0;
      this.#begun(tag);
    }
    const skipped = Math.min(this.#skip, bytes.length - at);
    this.#skip -= skipped;
    return at + skipped;
  }

  /** What a chunk ends with: part of a streamed body, part of a header, or nothing. */
  #end(bytes: Buffer, at: number): number {
    if (at > bytes.length) {
      this.#skip = at - bytes.length;
      return bytes.length;
    }
    const tag = bytes[at];
    if (tag === undefined) return at;
    if (this.rules[tag] === RULE.refuse) throw unknownTag(tag);
    if (this.rules[tag] === RULE.whole) {
      this.#hold(bytes, at, 0);
      return at;
    }
    while (at < bytes.length) this.#header[this.#headerBytes++] = bytes[at++] as number;
    return at;
  }

  #hold(bytes: Buffer, at: number, wanted: number): void {
    this.#wanted = wanted > 0 ? wanted : MESSAGE_HEADER_BYTES;
    this.#keep(bytes.subarray(at));
  }

  /** A claimed length is believed as far as HELD_AHEAD; beyond it room is made for what comes. */
  #keep(bytes: Buffer): void {
    const needed = this.#heldBytes + bytes.length;
    if (needed > this.#held.length) {
      const ahead = Math.min(this.#wanted, Math.max(HELD_AHEAD, 2 * this.#held.length));
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, ahead));
      grown.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = grown;
    }
    this.#held.set(bytes, this.#heldBytes);
    this.#heldBytes = needed;
  }

  #checked(tag: number, length: number): number {
    const rule = this.rules[tag];
    if (rule === RULE.refuse) throw unknownTag(tag);
    if (length < MIN_MESSAGE_LENGTH || length > MAX_MESSAGE_LENGTH)
      throw new SallyportError(
        "protocol-violation",
        `a message of type ${quoted(tag)} has the impossible length ${length}`,
      );
    if (rule === RULE.whole && length > this.#maxWhole)
      throw new SallyportError(
        "limit-exceeded",
        `a statement of ${length} bytes is over the bound of ${this.#maxWhole}`,
        {
          hint: "Load data with COPY, or bind large values as parameters.",
        },
      );
    return length;
  }
}

/** A chunk in which messages were replaced. */
class Changes {
  readonly #bytes: Buffer;
  readonly #forward: Buffer[] = [];
  readonly #recorded: Buffer[] = [];
  #forwardFrom = 0;
  #recordedFrom = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  add(from: number, to: number, by: Buffer | Replacement): void {
    this.#recorded.push(this.#bytes.subarray(this.#recordedFrom, from), "recorded" in by ? by.recorded : by);
    this.#recordedFrom = to;
    if (!("forward" in by)) return;
    this.#forward.push(this.#bytes.subarray(this.#forwardFrom, from), by.forward);
    this.#forwardFrom = to;
  }

  /** What goes on of the bytes up to `to`. */
  forward(to: number): Buffer | undefined {
    if (this.#forwardFrom === 0) return undefined;
    return Buffer.concat([...this.#forward, this.#bytes.subarray(this.#forwardFrom, to)]);
  }

  recorded(to: number): Buffer {
    return Buffer.concat([...this.#recorded, this.#bytes.subarray(this.#recordedFrom, to)]);
  }
}

const EMPTY = Buffer.alloc(0);

function unknownTag(tag: number): SallyportError {
  return new SallyportError("protocol-violation", `there is no message of type ${quoted(tag)}`);
}

function quoted(tag: number): string {
  return tag > 0x20 && tag < 0x7f ? `'${String.fromCharCode(tag)}'` : `0x${tag.toString(16).padStart(2, "0")}`;
}
