/** It begins and ends what the wrapper tells (ASCII's record separator): a byte that nothing shows to a person. */
const SEPARATOR = 0x1e;
/** Of what the wrapper tells, in hexadecimal: several times what can be kept. */
const MAX_TOLD = 256 << 10;

/** Parts what a line shows from what the wrapper tells behind it, however both are cut. */
export class OutputFilter {
  readonly #marker: Buffer;
  #held = Buffer.alloc(0);
  #told: Buffer[] | undefined;
  #toldBytes = 0;
  #isWhole = false;

  /** @param marker what stands behind the first separator */
  constructor(marker: string) {
    this.#marker = Buffer.concat([Buffer.of(SEPARATOR), Buffer.from(marker)]);
  }

  /** What the wrapper has told, once that is whole. */
  get told(): string | undefined {
    return this.#isWhole ? Buffer.concat(this.#told ?? []).toString("latin1") : undefined;
  }

  /** Answers what is to be shown of bytes of the target's. */
  push(bytes: Buffer): Buffer {
    if (this.#told !== undefined) return this.#tell(this.#told, bytes);
    const all = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    const at = all.indexOf(this.#marker);
    if (at >= 0) {
      this.#held = Buffer.alloc(0);
      this.#told = [];
      const behind = this.#tell(this.#told, all.subarray(at + this.#marker.length));
      return behind.length === 0 ? all.subarray(0, at) : Buffer.concat([all.subarray(0, at), behind]);
    }
    const shown = all.length - this.#begun(all);
    this.#held = Buffer.from(all.subarray(shown));
    return all.subarray(0, shown);
  }

  /** Nothing more comes: what might have been the marker is none. */
  finish(): Buffer {
    const held = this.#held;
    this.#held = Buffer.alloc(0);
    return held;
  }

  /** What comes behind the second separator is shown again: it is of a program that goes on. */
  #tell(told: Buffer[], bytes: Buffer): Buffer {
    if (this.#isWhole) return bytes;
    const end = bytes.indexOf(SEPARATOR);
    const part = end < 0 ? bytes : bytes.subarray(0, end);
    this.#toldBytes += part.length;
    if (this.#toldBytes <= MAX_TOLD) told.push(Buffer.from(part));
    else told.length = 0;
    if (end < 0) return Buffer.alloc(0);
    this.#isWhole = true;
    return bytes.subarray(end + 1);
  }

  /** How many bytes at the end may be the beginning of the marker. */
  #begun(bytes: Buffer): number {
    for (let length = Math.min(this.#marker.length - 1, bytes.length); length > 0; length--)
      if (bytes.subarray(bytes.length - length).equals(this.#marker.subarray(0, length))) return length;
    return 0;
  }
}
