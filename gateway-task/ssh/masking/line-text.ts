/** Most lines are shorter; a long one's memory is given back when it has ended. */
const USUAL_BYTES = 512;

/** The text of one line as far as it has come, and where in the channel's output each of its bytes stands. */
export class LineText {
  #bytes = Buffer.alloc(USUAL_BYTES);
  #positions = new Float64Array(USUAL_BYTES);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Valid until it is changed. */
  get text(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  positionOf(at: number): number {
    return this.#positions[at] ?? 0;
  }

  /** How many of its bytes stand before a position. */
  countBefore(position: number): number {
    let [low, high] = [0, this.#length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.positionOf(middle) < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  add(byte: number, position: number): void {
    if (this.#length === this.#bytes.length) this.#resize(2 * this.#length);
    this.#bytes[this.#length] = byte;
    this.#positions[this.#length++] = position;
  }

  /** Forgets its first bytes. */
  forget(count: number): void {
    this.#bytes.copyWithin(0, count, this.#length);
    this.#positions.copyWithin(0, count, this.#length);
    this.#length -= count;
  }

  clear(): void {
    this.#length = 0;
    if (this.#bytes.length > USUAL_BYTES) this.#resize(USUAL_BYTES);
  }

  #resize(capacity: number): void {
    const bytes = Buffer.alloc(capacity);
    const positions = new Float64Array(capacity);
    bytes.set(this.text);
    positions.set(this.#positions.subarray(0, this.#length));
    this.#bytes = bytes;
    this.#positions = positions;
  }
}
