import { createHash, type Hash } from "node:crypto";
import { FLAG_REDACTED } from "../../core/recording/frame.ts";
import type { MovedBytes } from "../../core/recording/ssh-events.ts";

/** Counts and hashes what is moved of a file; the hash holds for as long as it is moved in order. */
export class Moved {
  #bytes = 0;
  #offset = 0;
  /** Where in the file the next byte stands, if it is moved in order; -1 once it was not. */
  #next = 0;
  #hash: Hash | undefined;

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  /** What comes next stands at this offset of the file. */
  at(offset: number): void {
    if (this.#bytes === 0) this.#next = this.#offset = offset;
    else if (this.#next !== offset) this.spoil();
  }

  push(bytes: Buffer, start: number, end: number, flags: number): void {
    this.#bytes += end - start;
    if (flags & FLAG_REDACTED) this.spoil();
    if (this.#next < 0) return;
    this.#next += end - start;
    this.#hash ??= createHash("sha256");
    this.#hash.update(bytes.subarray(start, end));
  }

  /** So many bytes were moved unseen. */
  missed(bytes: number): void {
    this.#bytes += bytes;
    this.spoil();
  }

  /** The hash would not be that of the file's bytes. */
  spoil(): void {
    this.#next = -1;
    this.#hash = undefined;
  }

  /** What there was, once. Of nothing there is the hash of nothing. */
  end(): MovedBytes {
    const sha256 = this.#next < 0 ? undefined : (this.#hash ?? createHash("sha256")).digest("hex");
    this.#next = -1;
    return {
      bytes: this.#bytes,
      ...(this.#offset === 0 ? {} : { offset: this.#offset }),
      ...(sha256 === undefined ? {} : { sha256 }),
    };
  }
}
