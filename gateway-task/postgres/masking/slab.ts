import { MAX_WRITTEN, type WriteMask } from "../../../core/masking/text-styles.ts";
import { giveBack, takeBuffer } from "../../io-buffers.ts";

/** Grows as it is written to; what is left out of it is copied in one piece. */
export class Slab {
  #bytes: Buffer;
  length = 0;

  constructor(room: number) {
    this.#bytes = takeBuffer(room);
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.length);
  }

  add(from: Buffer, start: number, end: number): void {
    this.#room(end - start);
    if (end - start < SHORT) for (let at = start; at < end; at++) this.#bytes[this.length++] = from[at] as number;
    else this.length += from.copy(this.#bytes, this.length, start, end);
  }

  word(value: number): void {
    this.#room(4);
    this.setWord(value, this.length);
    this.length += 4;
  }

  byte(value: number): void {
    this.#room(1);
    this.#bytes[this.length++] = value;
  }

  /** What becomes of a value, behind a word that tells its length, which is answered; or -1, and then nothing was added. */
  masked(write: WriteMask, from: Buffer, start: number, end: number): number {
    this.#room(4 + MAX_WRITTEN);
    const at = this.length + 4;
    const to = write(from, start, end, this.#bytes, at);
    if (to < 0) return -1;
    this.word(to - at);
    this.length = to;
    return to - at;
  }

  setWord(value: number, at: number): void {
    // As `writeInt32BE`, whose checks cost more than what it writes.
    const bytes = this.#bytes;
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
  }

  #room(more: number): void {
    if (this.length + more <= this.#bytes.length) return;
    const grown = takeBuffer(Math.max(2 * this.#bytes.length, this.length + more));
    this.#bytes.copy(grown, 0, 0, this.length);
    giveBack(this.#bytes);
    this.#bytes = grown;
  }
}

/** Calling out costs more than copying so few bytes by hand. */
const SHORT = 24;
