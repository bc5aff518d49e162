/** What the library takes at most, and more than any packet that we let peers send. */
const MAX_PACKET_BYTES = 35_000;
/** AES-GCM (RFC 5647 §7.3): the length of a packet is in the clear, and a tag stands behind it. */
const LENGTH_BYTES = 4;
const TAG_BYTES = 16;
/** Buffers kept for whoever needs one next, of all legs together. */
const MAX_SPARE = 32;

const spare: Buffer[] = [];

/**
 * Cuts what is read of a leg into whole packets: the library, given a part of one, would have to make a buffer for it. Memory
 * is held only while a part is waited for.
 */
export class Inbox {
  readonly #parse: (bytes: Buffer, from: number, to: number) => void;
  #part: Buffer | undefined;
  #held = 0;

  /** @param parse takes whole packets, or what cannot be one */
  constructor(parse: (bytes: Buffer, from: number, to: number) => void) {
    this.#parse = parse;
  }

  /** Takes bytes as they are read; their buffer can be used again afterwards. */
  push(bytes: Buffer): void {
    const from = this.#held === 0 ? 0 : this.#complete(bytes);
    let to = from;
    for (let length = lengthOf(bytes, to); length <= bytes.length - to; length = lengthOf(bytes, to)) to += length;
    if (to > from) this.#parse(bytes, from, to);
    if (bytes.length - to >= MAX_PACKET_BYTES) this.#parse(bytes, to, bytes.length);
    else if (to < bytes.length) this.#keep(bytes, to, bytes.length);
  }

  /** Completes the part that is held; answers up to where that took the bytes. */
  #complete(bytes: Buffer): number {
    let at = 0;
    if (this.#held < LENGTH_BYTES) at = this.#keep(bytes, 0, Math.min(bytes.length, LENGTH_BYTES - this.#held));
    const part = this.#part as Buffer;
    const length = lengthOf(part.subarray(0, this.#held), 0);
    const missing = Math.min(length, MAX_PACKET_BYTES) - this.#held;
    at = this.#keep(bytes, at, Math.min(bytes.length, at + missing));
    if (this.#held < Math.min(length, MAX_PACKET_BYTES)) return at;
    const held = this.#held;
    this.#held = 0;
    this.#part = undefined;
    this.#parse(part, 0, held);
    if (spare.length < MAX_SPARE) spare.push(part);
    return at;
  }

  #keep(bytes: Buffer, from: number, to: number): number {
    const part = (this.#part ??= spare.pop() ?? Buffer.allocUnsafeSlow(MAX_PACKET_BYTES));
    part.set(bytes.subarray(from, to), this.#held);
    this.#held += to - from;
    return to;
  }
}

/** Of the packet that begins there, as it crosses the wire; infinite where not even its length has come. */
function lengthOf(bytes: Buffer, at: number): number {
  if (bytes.length - at < LENGTH_BYTES) return Infinity;
  return LENGTH_BYTES + bytes.readUInt32BE(at) + TAG_BYTES;
}
