import { MAX_MESSAGE_LENGTH, MESSAGE_HEADER_BYTES, MIN_MESSAGE_LENGTH } from "./messages.ts";

/** How a reader treats a message, by its tag: unknown, counted in runs without a look at its body, or given up to so many bytes of its body. */
const UNKNOWN = -2;
const COUNTED = -1;
export type ReadingPlan = Int32Array;

/**
 * @param bodies  bytes of the body that are wanted, by tag
 * @param counted tags of messages that come in bulk
 */
export function readingPlan(bodies: Readonly<Record<string, number>>, counted: string): ReadingPlan {
  const plan = new Int32Array(256).fill(UNKNOWN);
  for (const [tag, bytes] of Object.entries(bodies)) plan[tag.charCodeAt(0)] = bytes;
  for (let i = 0; i < counted.length; i++) plan[counted.charCodeAt(i)] = COUNTED;
  return plan;
}

/** One message, valid only during the call that hands it over: its body is `bytes` from `start` to `end`, cut to what the plan wants. */
export interface ReadMessage {
  tag: number;
  bytes: Buffer;
  start: number;
  end: number;
  /** Of the whole body on the wire. */
  bodyBytes: number;
  /** The message's place in its direction's stream of bytes: [from, to). */
  from: number;
  to: number;
  /** The flags of all pieces that it came in. */
  flags: number;
  micros: number;
}

/** Takes a body that is longer than the plan wants, piece by piece. */
export interface BodySink {
  push(bytes: Buffer, start: number, end: number): void;
  /** What became of it: stands for the body in `ReadMessage`. */
  end(): Buffer;
}

export interface MessageHandler {
  message(message: ReadMessage): void;
  /** `count` messages of one tag in a row, of `bytes` in their bodies, the first at `from`. */
  bulk(tag: number, count: number, bytes: number, from: number): void;
  /** A sink for a body over the plan's bound; undefined to have it cut. */
  oversize(tag: number): BodySink | undefined;
  /** Nothing more can be read: what stands at `offset` is no message. Called once; of `message` only time and place count. */
  lost(offset: number, why: string, message: ReadMessage): void;
}

/**
 * Follows one direction of a conversation through pieces of any size, hopping from header to header. Holds no more of a
 * message than its plan wants, allocates nothing for bulk messages. Never throws.
 */
export class MessageReader {
  /** Bytes seen so far. */
  total = 0;
  readonly #plan: ReadingPlan;
  readonly #handler: MessageHandler;
  readonly #header = Buffer.alloc(MESSAGE_HEADER_BYTES);
  #headerBytes = 0;
  /** Bytes still to come of the message that the last piece cut. */
  #missing = 0;
  /** Whether that message is to be handed over when it is complete. */
  #pending = false;
  #sink: BodySink | undefined;
  #held: Buffer = EMPTY;
  #heldBytes = 0;
  #stopped = false;
  readonly #message: ReadMessage = {
    tag: 0,
    bytes: EMPTY,
    start: 0,
    end: 0,
    bodyBytes: 0,
    from: 0,
    to: 0,
    flags: 0,
    micros: 0,
  };

  constructor(plan: ReadingPlan, handler: MessageHandler) {
    this.#plan = plan;
    this.#handler = handler;
  }

  /** The next piece: `bytes` from `start` to `end`. */
  push(bytes: Buffer, micros: number, flags: number, start = 0, end = bytes.length): void {
    const base = this.total - start;
    this.total += end - start;
    if (this.#stopped) return;
    this.#message.micros = micros;
    let at = start;
    if (this.#missing > 0) at = this.#resume(bytes, at, end, flags);
    if (this.#headerBytes > 0) at = this.#finishHeader(bytes, at, end, base, flags);
    while (at >= 0 && end - at >= MESSAGE_HEADER_BYTES) at = this.#next(bytes, at, end, base, flags);
    if (at < 0) return;
    if (at < end && this.#plan[bytes[at] as number] === UNKNOWN) this.#stop(base + at, bytes[at] as number);
    while (at < end) this.#header[this.#headerBytes++] = bytes[at++] as number;
    if (this.#headerBytes > 0 && this.#headerBytes < MESSAGE_HEADER_BYTES) this.#message.flags = flags;
  }

  /** The message at `at`; answers the offset behind it, or -1 if the piece ends within it or nothing more can be read. */
  #next(bytes: Buffer, at: number, pieceEnd: number, base: number, flags: number): number {
    const tag = bytes[at] as number;
    const plan = this.#plan[tag] as number;
    const length = lengthAt(bytes, at);
    if (plan === UNKNOWN || length < MIN_MESSAGE_LENGTH || length > MAX_MESSAGE_LENGTH)
      return this.#stop(base + at, tag);
    const end = at + 1 + length;
    if (plan === COUNTED) return this.#countRun(bytes, at, pieceEnd, base, tag);
    const message = this.#message;
    message.tag = tag;
    message.from = base + at;
    message.to = base + end;
    message.bodyBytes = length - 4;
    message.flags = flags;
    const start = at + MESSAGE_HEADER_BYTES;
    if (end > pieceEnd) {
      this.#begin(plan);
      this.#resume(bytes, start, pieceEnd, flags);
      return -1;
    }
    const sink = message.bodyBytes > plan ? this.#handler.oversize(tag) : undefined;
    if (sink === undefined) this.#deliver(bytes, start, start + Math.min(plan, message.bodyBytes));
    else {
      sink.push(bytes, start, end);
      const body = sink.end();
      this.#deliver(body, 0, body.length);
    }
    return end;
  }

  #countRun(bytes: Buffer, first: number, pieceEnd: number, base: number, tag: number): number {
    let at = first;
    let count = 0;
    let body = 0;
    while (pieceEnd - at >= MESSAGE_HEADER_BYTES && bytes[at] === tag) {
      const length = lengthAt(bytes, at);
      if (length < MIN_MESSAGE_LENGTH || length > MAX_MESSAGE_LENGTH) break;
      count++;
      body += length - 4;
      at += 1 + length;
    }
    this.#handler.bulk(tag, count, body, base + first);
    if (at <= pieceEnd) return at;
    this.#missing = at - pieceEnd;
    this.#pending = false;
    return -1;
  }

  #finishHeader(bytes: Buffer, start: number, pieceEnd: number, base: number, flags: number): number {
    const before = this.#headerBytes;
    let at = start;
    while (this.#headerBytes < MESSAGE_HEADER_BYTES && at < pieceEnd)
      this.#header[this.#headerBytes++] = bytes[at++] as number;
    const joined = this.#message.flags | flags;
    this.#message.flags = joined;
    if (this.#headerBytes < MESSAGE_HEADER_BYTES) return -1;
    this.#headerBytes = 0;
    // As if the header were a piece of its own: what follows it resumes the message that it began.
    const behind = this.#next(this.#header, 0, MESSAGE_HEADER_BYTES, base + start - before, joined);
    if (this.#stopped) return -1;
    return behind >= 0 ? at : this.#resume(bytes, at, pieceEnd, flags);
  }

  #begin(plan: number): void {
    const message = this.#message;
    this.#pending = true;
    this.#missing = message.bodyBytes;
    this.#sink = message.bodyBytes > plan ? this.#handler.oversize(message.tag) : undefined;
    this.#heldBytes = 0;
    this.#held = this.#sink === undefined ? Buffer.allocUnsafe(Math.min(plan, message.bodyBytes)) : EMPTY;
  }

  /** More of the message that the last piece cut; answers the offset behind it, or -1 if it is still cut. */
  #resume(bytes: Buffer, at: number, pieceEnd: number, flags: number): number {
    const end = Math.min(at + this.#missing, pieceEnd);
    this.#missing -= end - at;
    if (this.#pending) {
      this.#message.flags |= flags;
      if (this.#sink !== undefined) this.#sink.push(bytes, at, end);
      else if (this.#heldBytes < this.#held.length) this.#heldBytes += bytes.copy(this.#held, this.#heldBytes, at, end);
    }
    if (this.#missing > 0) return -1;
    if (this.#pending) {
      this.#pending = false;
      const body = this.#sink === undefined ? this.#held : this.#sink.end();
      this.#held = EMPTY;
      this.#sink = undefined;
      this.#deliver(body, 0, body.length);
    }
    return end;
  }

  #deliver(bytes: Buffer, start: number, end: number): void {
    const message = this.#message;
    message.bytes = bytes;
    message.start = start;
    message.end = end;
    this.#handler.message(message);
    message.bytes = EMPTY;
  }

  #stop(offset: number, tag: number): -1 {
    this.#stopped = true;
    this.#message.from = this.#message.to = offset;
    const name = `0x${tag.toString(16).padStart(2, "0")}`;
    const known = this.#plan[tag] !== UNKNOWN;
    const why = known ? `a message of type ${name} has an impossible length` : `no message has type ${name}`;
    this.#handler.lost(offset, why, this.#message);
    return -1;
  }
}

const EMPTY = Buffer.alloc(0);

/** Messages' integers are big-endian (§54.2). */
function lengthAt(bytes: Buffer, at: number): number {
  return (
    (((bytes[at + 1] as number) << 24) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 8) |
      (bytes[at + 4] as number)) >>>
    0
  );
}
