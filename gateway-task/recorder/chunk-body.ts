import { FRAME_HEADER_BYTES, writeFrameHeader, type FrameKind } from "../../core/recording/frame.ts";

const INITIAL_BYTES = 4 << 10;
/** Of constants shorter than this a loop copies faster than a call. */
const SHORT_BYTES = 16;
/** Text up to this is written unit by unit. */
const SHORT_TEXT = 64;
/** Numbers are written by so many digits at a time, which are a small integer. */
const LOW_DIGITS = 9;
const LOW_END = 10 ** LOW_DIGITS;

const ZERO = 0x30;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The body of a chunk that is still open: frames, and the JSON of events within them, written into memory that grows. */
export class ChunkBody {
  #bytes: Buffer = EMPTY;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What was written, valid until it is emptied. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  empty(): void {
    giveBack(this.#bytes);
    this.#bytes = EMPTY;
    this.#length = 0;
  }

  /** A frame whose payload is `bytes` from `start` to `end`. */
  frame(
    kind: FrameKind,
    flags: number,
    channel: number,
    micros: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    const length = end - start;
    this.#reserve(FRAME_HEADER_BYTES + length);
    const at = writeFrameHeader(this.#bytes, this.#length, length, kind, flags, channel, micros);
    bytes.copy(this.#bytes, at, start, end);
    this.#length = at + length;
  }

  /** Leaves room for the header of a frame whose payload is then written piece by piece; answers where it begins. */
  beginFrame(): number {
    const at = this.#length;
    this.#reserve(FRAME_HEADER_BYTES);
    this.#length += FRAME_HEADER_BYTES;
    return at;
  }

  /** Ends the frame that began at `at`. Answers false, and takes it back, if its payload has more than `most` bytes. */
  endFrame(at: number, kind: FrameKind, micros: number, most: number): boolean {
    const length = this.#length - at - FRAME_HEADER_BYTES;
    if (length > most) {
      this.#length = at;
      return false;
    }
    writeFrameHeader(this.#bytes, at, length, kind, 0, 0, micros);
    return true;
  }

  raw(bytes: Uint8Array): void {
    const { length } = bytes;
    this.#reserve(length);
    const into = this.#bytes;
    const at = this.#length;
    if (length >= SHORT_BYTES) into.set(bytes, at);
    else for (let i = 0; i < length; i++) into[at + i] = bytes[i] as number;
    this.#length = at + length;
  }

  /** Any text, in UTF-8. */
  utf8(text: string): void {
    this.#reserve(3 * text.length);
    this.#length += this.#bytes.write(text, this.#length, "utf8");
  }

  /** A number as JSON. */
  number(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) return this.utf8(JSON.stringify(value));
    if (value >= LOW_END) {
      this.number(Math.floor(value / LOW_END));
      return this.#digits(value % LOW_END, LOW_DIGITS);
    }
    let width = 1;
    for (let power = 10; power <= value; power *= 10) width++;
    this.#digits(value, width);
  }

  /** A number below `LOW_END`, in so many digits. */
  #digits(value: number, width: number): void {
    this.#reserve(width);
    const bytes = this.#bytes;
    const from = this.#length;
    let left = value | 0; // a small integer, which divides fast
    for (let at = from + width - 1; at >= from; at--) {
      const rest = (left / 10) | 0;
      bytes[at] = ZERO + left - 10 * rest;
      left = rest;
    }
    this.#length = from + width;
  }

  /** A text as a JSON string. */
  string(text: string): void {
    if (text.length > SHORT_TEXT || !this.#plain(text)) this.utf8(JSON.stringify(text));
  }

  /** Writes a text that stands in JSON as it is (RFC 8259 §7) and in ASCII; answers false if it is none. */
  #plain(text: string): boolean {
    this.#reserve(2 + text.length);
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = QUOTE;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit < 0x20 || unit > 0x7e || unit === QUOTE || unit === BACKSLASH) return false;
      bytes[at++] = unit;
    }
    bytes[at++] = QUOTE;
    this.#length = at;
    return true;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = take(needed);
    this.#bytes.copy(grown, 0, 0, this.#length);
    giveBack(this.#bytes);
    this.#bytes = grown;
  }
}

/**
 * Memory of closed chunks, for the next chunk that needs some: an idle session holds none, and busy ones do not make the
 * collector's work. Ordered by nothing: the last one given back is the first one taken.
 */
const spare: Buffer[] = [];
let spareBytes = 0;
/** What the busiest gateway fills in the time that a chunk is open: with less, the collector marks the heap for each new chunk. */
const MAX_SPARE_BYTES = 32 << 20;

function take(needed: number): Buffer {
  const found = spare.pop();
  spareBytes -= found?.length ?? 0;
  if (found !== undefined && found.length >= needed) return found;
  const doubled = Math.max(INITIAL_BYTES, found === undefined ? 0 : found.length, needed);
  return Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(doubled)));
}

function giveBack(bytes: Buffer): void {
  if (bytes.length === 0 || spareBytes + bytes.length > MAX_SPARE_BYTES) return;
  spare.push(bytes);
  spareBytes += bytes.length;
}

const EMPTY = Buffer.alloc(0);
