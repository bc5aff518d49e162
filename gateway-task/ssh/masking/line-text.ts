/** Most lines are shorter; a long one's memory is given back when it has ended. */
const USUAL_BYTES = 512;
const NO_BYTES = Buffer.alloc(0);
const NO_POSITIONS = new Float64Array(0);

/** The text of one line as far as it has come, and where in the channel's output each of its bytes stands. */
export class LineText {
  #bytes = NO_BYTES;
  #positions = NO_POSITIONS;
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
    if (this.#length === this.#bytes.length) this.#grow();
    this.#bytes[this.#length] = byte;
    this.#positions[this.#length++] = position;
  }

  /** Adds bytes that stand next to each other. */
  addAll(bytes: Buffer, from: number, to: number, position: number): void {
    const start = this.#length - from;
    while (start + to > this.#bytes.length) this.#grow();
    for (let at = from; at < to; at++) {
      this.#bytes[start + at] = bytes[at] as number;
      this.#positions[start + at] = position + at - from;
    }
    this.#length = start + to;
  }

  /** Forgets its first bytes. */
  forget(count: number): void {
    this.#bytes.copyWithin(0, count, this.#length);
    this.#positions.copyWithin(0, count, this.#length);
    this.#length -= count;
  }

  clear(): void {
    this.#length = 0;
    if (this.#bytes.length <= USUAL_BYTES) return;
    this.#bytes = NO_BYTES;
    this.#positions = NO_POSITIONS;
  }

  #grow(): void {
    const capacity = Math.max(USUAL_BYTES, 2 * this.#bytes.length);
    const bytes = Buffer.alloc(capacity);
    const positions = new Float64Array(capacity);
    bytes.set(this.text);
    positions.set(this.#positions.subarray(0, this.#length));
    this.#bytes = bytes;
    this.#positions = positions;
  }
}
