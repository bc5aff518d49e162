/** Bytes of the length before each message. */
const PREFIX_BYTES = 4;

/** One message, valid only during the call that hands it over. */
export interface PrefixedMessage {
  /** Its head: `bytes` from `start` to `end`, of which the first is the message's type. */
  bytes: Buffer;
  start: number;
  end: number;
  /** Bytes of the whole message, without the length before it. */
  length: number;
  /** Its place in the stream of bytes, the length before it included: [from, to). */
  from: number;
  to: number;
  /** The flags of all pieces that its head came in. */
  flags: number;
  micros: number;
}

export interface PrefixedHandler {
  /**
   * How many bytes of a message are its head, as far as the first ones tell it, which stand from `start` to `end`. It is
   * asked again when there are more, until it wants no more than there are; what it wants beyond the message it does not get.
   */
  wanted(bytes: Buffer, start: number, end: number): number;
  message(message: PrefixedMessage): void;
  /** What follows the head, piece by piece; `flags` are those of the piece. */
  rest(bytes: Buffer, start: number, end: number, message: PrefixedMessage, flags: number): void;
  /** Nothing more can be read: what stands at `message.from` is no message. Called once. */
  lost(why: string, message: PrefixedMessage): void;
}

/**
 * Follows a stream of messages, each behind its length in four bytes, most significant first, through pieces of any size.
 * Holds no more of a message than its head. Never throws.
 */
export class PrefixedReader {
  readonly #handler: PrefixedHandler;
  readonly #maxLength: number;
  #total = 0;
  #prefix = 0;
  #prefixBytes = 0;
  /** Bytes still to come of the message at hand, 0 between messages. */
  #missing = 0;
  #inRest = false;
  /** The beginning of a head that a piece has cut. */
  #held: Buffer = EMPTY;
  #heldBytes = 0;
  #stopped = false;
  readonly #message: PrefixedMessage = {
    bytes: EMPTY,
    start: 0,
    end: 0,
    length: 0,
    from: 0,
    to: 0,
    flags: 0,
    micros: 0,
  };

  /** @param maxLength a longer message is none */
  constructor(handler: PrefixedHandler, maxLength: number) {
    this.#handler = handler;
    this.#maxLength = maxLength;
  }

  /** Bytes of memory that it holds on to. */
  get held(): number {
    return this.#held.length;
  }

  /** Reads no more. */
  stop(): void {
    this.#stopped = true;
    this.#held = EMPTY;
  }

  push(bytes: Buffer, start: number, end: number, micros: number, flags: number): void {
    this.#message.micros = micros;
    let at = start;
    while (at < end && !this.#stopped) {
      const before = at;
      if (this.#missing === 0) at = this.#takePrefix(bytes, at, end, flags);
      else if (this.#inRest) at = this.#takeRest(bytes, at, end, flags);
      else at = this.#takeHead(bytes, at, end, flags);
      this.#total += at - before;
    }
  }

  #takePrefix(bytes: Buffer, start: number, end: number, flags: number): number {
    const message = this.#message;
    if (this.#prefixBytes === 0) {
      message.from = this.#total;
      message.flags = 0;
      this.#prefix = 0;
    }
    message.flags |= flags;
    let at = start;
    while (at < end && this.#prefixBytes < PREFIX_BYTES) {
      this.#prefix = ((this.#prefix << 8) | (bytes[at++] as number)) >>> 0;
      this.#prefixBytes++;
    }
    if (this.#prefixBytes < PREFIX_BYTES) return at;
    this.#prefixBytes = 0;
    message.length = this.#missing = this.#prefix;
    message.to = message.from + PREFIX_BYTES + message.length;
    if (message.length === 0 || message.length > this.#maxLength) this.lose("a message has an impossible length");
    return at;
  }

  #takeHead(bytes: Buffer, start: number, end: number, flags: number): number {
    const message = this.#message;
    message.flags |= flags;
    if (this.#heldBytes === 0) {
      const here = start + Math.min(end - start, this.#missing);
      const wanted = this.#wanted(bytes, start, here);
      if (wanted <= here - start) {
        this.#deliver(bytes, start, start + wanted);
        return start + wanted;
      }
    }
    return this.#gather(bytes, start, end);
  }

  /** Holds on to the beginning of a head until it is whole. */
  #gather(bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end) {
      const known = this.#heldBytes === 0 ? 1 : this.#wanted(this.#held, 0, this.#heldBytes);
      if (known > this.#held.length) this.#grow(known);
      const taken = Math.min(known - this.#heldBytes, end - at);
      bytes.copy(this.#held, this.#heldBytes, at, at + taken);
      this.#heldBytes += taken;
      at += taken;
      if (this.#wanted(this.#held, 0, this.#heldBytes) > this.#heldBytes) continue;
      const [head, length] = [this.#held, this.#heldBytes];
      this.#held = EMPTY;
      this.#heldBytes = 0;
      this.#deliver(head, 0, length);
      break;
    }
    return at;
  }

  #wanted(bytes: Buffer, start: number, end: number): number {
    return Math.min(Math.max(this.#handler.wanted(bytes, start, end), 1), this.#message.length);
  }

  #grow(size: number): void {
    const grown = Buffer.allocUnsafe(size);
    this.#held.copy(grown, 0, 0, this.#heldBytes);
    this.#held = grown;
  }

  #deliver(bytes: Buffer, start: number, end: number): void {
    const message = this.#message;
    this.#missing = message.length - (end - start);
    this.#inRest = this.#missing > 0;
    message.bytes = bytes;
    message.start = start;
    message.end = end;
    this.#handler.message(message);
    message.bytes = EMPTY;
  }

  #takeRest(bytes: Buffer, start: number, end: number, flags: number): number {
    const at = Math.min(start + this.#missing, end);
    this.#missing -= at - start;
    if (this.#missing === 0) this.#inRest = false;
    this.#handler.rest(bytes, start, at, this.#message, flags);
    return at;
  }

  /** For the handler too, when what it was handed is no message of its protocol. */
  lose(why: string): void {
    if (this.#stopped) return;
    this.stop();
    this.#handler.lost(why, this.#message);
  }
}

const EMPTY = Buffer.alloc(0);
