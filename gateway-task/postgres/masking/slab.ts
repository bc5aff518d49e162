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
    this.length = this.#bytes.writeInt32BE(value, this.length);
  }

  byte(value: number): void {
    this.#room(1);
    this.#bytes[this.length++] = value;
  }

  setWord(value: number, at: number): void {
    this.#bytes.writeInt32BE(value, at);
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
