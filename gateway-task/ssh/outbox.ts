import { randomFillSync } from "node:crypto";
import type net from "node:net";

/** AES-GCM (RFC 5647 §7): a packet's length and its padding's, whole blocks without the length, and room for the tag. */
const LENGTH_BYTES = 4;
const HEAD_BYTES = LENGTH_BYTES + 1;
const BLOCK_BYTES = 16;
const MIN_PADDING = 4;
const TAG_BYTES = 16;

/** Room for some of the largest packets. */
const SLAB_BYTES = 256 << 10;
/** Slabs kept for whoever needs one next, of all legs together. */
const MAX_SPARE = 32;

interface Slab {
  readonly bytes: Buffer;
  /** Up to where it has been handed to the socket, and up to where it is used. */
  left: number;
  end: number;
  /** Writes that are under way. */
  writes: number;
}

const spare: Buffer[] = [];

/** Random bytes are made many at a time: a call for a few costs as much. */
const random = Buffer.allocUnsafeSlow(4 << 10);
let used = random.length;

/** RFC 4253 §6: padding should be random. */
function pad(packet: Buffer, at: number, bytes: number): void {
  if (used + bytes > random.length) {
    randomFillSync(random);
    used = 0;
  }
  random.copy(packet, at, used, used + bytes);
  used += bytes;
}

/**
 * Where the packets of one leg are made, one behind the other; all of one turn leave in one write. Its memory is used again
 * and again: a buffer of its own for each packet would have the garbage collector mark the whole heap every few megabytes.
 */
export class Outbox {
  readonly #socket: net.Socket;
  #slab: Slab | undefined;
  #scheduled = false;

  constructor(socket: net.Socket) {
    this.#socket = socket;
  }

  /** A packet of this payload, to be encrypted where it lies before the turn ends; undefined for one that is too large. */
  packet(payload: Buffer): Buffer | undefined {
    const unpadded = HEAD_BYTES + payload.length;
    let padding = BLOCK_BYTES - ((unpadded - LENGTH_BYTES) % BLOCK_BYTES);
    if (padding < MIN_PADDING) padding += BLOCK_BYTES;
    const bytes = unpadded + padding + TAG_BYTES;
    if (bytes > SLAB_BYTES) return undefined;
    const packet = this.#room(bytes);
    packet.writeUInt32BE(bytes - LENGTH_BYTES - TAG_BYTES, 0);
    packet[LENGTH_BYTES] = padding;
    packet.set(payload, HEAD_BYTES);
    pad(packet, unpadded, padding);
    return packet;
  }

  #room(bytes: number): Buffer {
    const slab = this.#slabFor(bytes);
    const room = slab.bytes.subarray(slab.end, slab.end + bytes);
    slab.end += bytes;
    if (!this.#scheduled) queueMicrotask(() => this.flush());
    this.#scheduled = true;
    return room;
  }

  /** Hands what there is to the socket: before something else is written to it. */
  flush(): void {
    this.#scheduled = false;
    const slab = this.#slab;
    if (slab === undefined || slab.left === slab.end) return;
    const packets = slab.bytes.subarray(slab.left, slab.end);
    slab.left = slab.end;
    slab.writes++;
    this.#socket.write(packets, () => this.#written(slab));
  }

  #slabFor(bytes: number): Slab {
    const open = this.#slab;
    if (open !== undefined && open.end + bytes <= SLAB_BYTES) return open;
    this.flush();
    return (this.#slab = { bytes: spare.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES), left: 0, end: 0, writes: 0 });
  }

  /** An idle leg holds no memory. */
  #written(slab: Slab): void {
    if (--slab.writes > 0 || slab.left < slab.end) return;
    if (slab === this.#slab) this.#slab = undefined;
    if (spare.length < MAX_SPARE) spare.push(slab.bytes);
  }
}
