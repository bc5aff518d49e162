import { cutWireText, wireText } from "../wire-text.ts";

/** A text from the wire, and how many bytes it has there where it was cut. */
export interface WireText {
  readonly text: string;
  readonly bytes?: number;
}

/**
 * Reads the fields of a message one after the other (RFC 4251 §5). Never past its end: what is not there reads as 0 or
 * empty, and `isWhole` tells it.
 */
export class FieldReader {
  /** No field was missing so far, or cut. */
  isWhole = true;
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;

  constructor({ bytes, start, end }: { readonly bytes: Buffer; readonly start: number; readonly end: number }) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  byte(): number {
    const at = this.#take(1);
    return at < 0 ? 0 : (this.#bytes[at] as number);
  }

  boolean(): boolean {
    return this.byte() !== 0;
  }

  uint32(): number {
    const at = this.#take(4);
    return at < 0 ? 0 : this.#bytes.readUInt32BE(at);
  }

  /** Offsets and sizes beyond 2^53 lose their last bits: no file is that large. */
  uint64(): number {
    return this.uint32() * 2 ** 32 + this.uint32();
  }

  /** @param max bytes that are kept of it */
  string(max: number): WireText {
    const length = this.uint32();
    const start = this.#at;
    const there = Math.min(length, this.#end - start);
    this.#at = start + there;
    if (there === length && length <= max) return { text: wireText(this.#bytes, start, this.#at) };
    this.isWhole = false;
    return { text: cutWireText(this.#bytes, start, start + Math.min(there, max)), bytes: length };
  }

  /** A string of few bytes that need not be text, such as a handle: a character a byte. */
  opaque(): string {
    const length = this.uint32();
    const at = this.#take(length);
    return at < 0 ? "" : this.#bytes.toString("latin1", at, at + length);
  }

  #take(length: number): number {
    const at = this.#at;
    if (this.#end - at < length) {
      this.isWhole = false;
      this.#at = this.#end;
      return -1;
    }
    this.#at += length;
    return at;
  }
}
