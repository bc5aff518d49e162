import { SallyportError } from "../../../core/errors.ts";
import { takeBuffer } from "../../io-buffers.ts";
import { MESSAGE_HEADER_BYTES } from "../messages.ts";

/** A message that has to be looked at is held until it is whole. Values are rarely larger, and cannot be masked in part. */
const MAX_HELD_BYTES = 64 << 20;

/** The beginning of a message whose rest is still to come. */
export class HeldBytes {
  #pieces: Buffer[] = [];
  #length = 0;
  /** How many bytes the message has, once that is known; 0 before. */
  #wanted = 0;

  /** Keeps what stands from `from` on. @param wanted bytes of the whole message, 0 where that is not known yet */
  hold(bytes: Buffer, from: number, wanted: number): void {
    if (wanted > MAX_HELD_BYTES)
      throw new SallyportError("limit-exceeded", `a message of ${wanted} bytes is too large to be masked`, {
        hint: "Select large values in pieces, or without the columns that are masked.",
      });
    this.#pieces = [Buffer.from(bytes.subarray(from))];
    this.#length = bytes.length - from;
    this.#wanted = wanted;
  }

  /** The chunk, with what was held before it, in a buffer that can be given back; undefined if that is still not enough. */
  joined(chunk: Buffer): Buffer | undefined {
    if (this.#length === 0) return chunk;
    const needed = Math.max(this.#wanted, MESSAGE_HEADER_BYTES);
    this.#length += chunk.length;
    if (this.#length < needed) {
      this.#pieces.push(Buffer.from(chunk));
      return undefined;
    }
    this.#pieces.push(chunk);
    const bytes = takeBuffer(this.#length).subarray(0, this.#length);
    let at = 0;
    for (const piece of this.#pieces) at += piece.copy(bytes, at);
    this.#pieces = [];
    this.#length = this.#wanted = 0;
    return bytes;
  }
}
