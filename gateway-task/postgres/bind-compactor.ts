import type { BodySink } from "./message-reader.ts";

/** Parameters of one Bind that are kept; the rest are counted. */
export const MAX_PARAMETERS = 1_000;
/** Bytes kept of one parameter: enough to recognise it by. */
const MAX_PARAMETER_BYTES = 4 << 10;
/** Bytes kept of all parameters of one Bind, so that an event fits into a frame. */
const MAX_PARAMETERS_BYTES = 128 << 10;
/** Bytes kept of the names of portal and statement, each; PostgreSQL itself keeps 63. */
const MAX_NAME_BYTES = 512;

/** How many bytes of a parameter a compacted Bind holds, from its place, its length (-1: NULL), and what the ones before it took. */
export function keptBytes(index: number, length: number, taken: number): number {
  if (index >= MAX_PARAMETERS || length <= 0) return 0;
  return Math.min(length, MAX_PARAMETER_BYTES, MAX_PARAMETERS_BYTES - taken);
}

/** A count of 16 bits, and as many codes. */
const MAX_RESULT_FORMATS_BYTES = 2 + 2 * 0xffff;

type Phase = "name" | "format-count" | "formats" | "count" | "length" | "value" | "results";

/**
 * Shortens a large Bind as it goes by: the same layout (§55.7), but of each parameter's bytes only what `keptBytes` says
 * are there, while its length stays what it was. The result is at most 1 MiB: names, 4 bytes a parameter, formats, values.
 */
export class BindCompactor implements BodySink {
  #bytes: Buffer = Buffer.allocUnsafeSlow(4 << 10);
  #length = 0;
  #phase: Phase = "name";
  #names = 0;
  #nameBytes = 0;
  /** Bytes to copy in this phase, then bytes to pass over. */
  #copy = 0;
  #pass = 0;
  #number = 0;
  #parameters = 0;
  #index = 0;
  #taken = 0;

  push(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      if (this.#phase === "name") at = this.#name(bytes, at);
      else if (this.#copy > 0) at = this.#copied(bytes, at, end);
      else if (this.#pass > 0) {
        const passed = Math.min(this.#pass, end - at);
        this.#pass -= passed;
        at += passed;
      } else break; // all that a Bind can hold is there
      while (this.#copy === 0 && this.#pass === 0 && this.#phase !== "name" && this.#phase !== "results")
        this.#advance();
    }
  }

  end(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #name(bytes: Buffer, at: number): number {
    const byte = bytes[at] as number;
    if (byte === 0 || this.#nameBytes++ < MAX_NAME_BYTES) this.#append(byte);
    if (byte === 0) {
      this.#nameBytes = 0;
      if (++this.#names === 2) this.#expect("format-count", 2);
    }
    return at + 1;
  }

  #copied(bytes: Buffer, from: number, end: number): number {
    const to = Math.min(from + this.#copy, end);
    for (let at = from; at < to; at++) {
      this.#append(bytes[at] as number);
      this.#number = (this.#number << 8) | (bytes[at] as number);
    }
    this.#copy -= to - from;
    return to;
  }

  #advance(): void {
    const number = this.#number;
    switch (this.#phase) {
      case "format-count":
        return this.#expect("formats", 2 * (number & 0xffff));
      case "formats":
        return this.#expect("count", 2);
      case "count":
        this.#parameters = number & 0xffff;
        return this.#parameter();
      case "length":
        this.#copy = keptBytes(this.#index, number, this.#taken);
        this.#taken += this.#copy;
        this.#pass = Math.max(number, 0) - this.#copy;
        this.#phase = "value";
        return undefined;
      case "value":
        this.#index++;
        return this.#parameter();
      case "name":
      case "results":
        return undefined;
    }
  }

  #parameter(): void {
    if (this.#index < this.#parameters) this.#expect("length", 4);
    else this.#expect("results", MAX_RESULT_FORMATS_BYTES);
  }

  #expect(phase: Phase, bytes: number): void {
    this.#phase = phase;
    this.#copy = bytes;
    this.#number = 0;
  }

  #append(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(this.#length * 2);
      this.#bytes.copy(grown);
      this.#bytes = grown;
    }
    this.#bytes[this.#length++] = byte;
  }
}
