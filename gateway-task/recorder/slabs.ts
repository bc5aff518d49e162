import type { Worker } from "node:worker_threads";
import { MAX_RECORD_PAYLOAD, RECORD_HEADER_BYTES } from "./journal-record.ts";
import type { ToPacker } from "./packer-protocol.ts";

/** Frames are gathered in slabs and handed to the packer's thread a slab at a time. */
const SLAB_BYTES = 256 << 10;
/** A slab that is not full is handed over this long after its first frame (see CHUNK_AGE_MS). */
const SLAB_WITHIN_MS = 200;
/** From this many slabs under way, a session that fills them waits until half of them are read; the others do not wait. */
const BUSY_SLABS = 8;
/** What one session may add while the packer is busy. */
const FAIR_SHARE_BYTES = 64 << 10;
/** Memory bound: no session adds anything beyond this many. */
const MAX_SLABS = 64;
/** Slabs kept for reuse. */
const SPARE_SLABS = 8;

/** A session's share of the slabs under way. */
export interface Share {
  slab: number;
  bytes: number;
}

/**
 * The way of frames to the packer's thread: one copy of each frame into the open slab, no queue but the slabs themselves.
 * Whoever produces faster than the packer works is told to wait (`admission`), and nobody else is.
 */
export class Slabs {
  readonly #worker: Pick<Worker, "postMessage">;
  #slab: Buffer = Buffer.allocUnsafeSlow(SLAB_BYTES);
  #length = 0;
  #number = 0;
  #underWay = 0;
  /** When each of those was handed over: the packer gives them back in that order. */
  #handedOver: number[] = [];
  #spare: Buffer[] = [];
  #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(worker: Pick<Worker, "postMessage">) {
    this.#worker = worker;
  }

  /** The open slab's number: they count from 0. */
  get number(): number {
    return this.#number;
  }

  /** The open slab itself, valid until the next `add` or `handOver`: the intent log writes from it. */
  get open(): Buffer {
    return this.#slab;
  }

  /** Copies one record, its header and its payload, into the open slab; answers where in it the record begins. */
  add(header: Buffer, payload: Uint8Array): number {
    if (this.#length + RECORD_HEADER_BYTES + payload.length > SLAB_BYTES) this.handOver();
    const at = this.#length;
    this.#slab.set(header, at);
    this.#slab.set(payload, at + RECORD_HEADER_BYTES);
    this.#length += RECORD_HEADER_BYTES + payload.length;
    this.#timer ??= setTimeout(() => this.handOver(), SLAB_WITHIN_MS);
    return at;
  }

  /** Milliseconds for which the oldest slab has been with the packer. */
  get lagMs(): number {
    const [oldest] = this.#handedOver;
    return oldest === undefined ? 0 : performance.now() - oldest;
  }

  /** Undefined: go on. A promise: this session waits until the packer has caught up. */
  admission(share: Share, bytes: number): Promise<void> | undefined {
    if (this.#underWay < BUSY_SLABS) return undefined;
    if (share.slab !== this.#number) {
      share.slab = this.#number;
      share.bytes = 0;
    }
    share.bytes += bytes;
    if (share.bytes <= FAIR_SHARE_BYTES && this.#underWay < MAX_SLABS) return undefined;
    return new Promise((done) => this.#waiting.push(done));
  }

  handOver(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#length === 0) return;
    const slab = this.#slab.buffer as ArrayBuffer;
    const busy = this.#underWay >= BUSY_SLABS / 2;
    const message: ToPacker = { kind: "slab", slab, length: this.#length, number: this.#number, busy };
    this.#worker.postMessage(message, [slab]);
    this.#underWay++;
    this.#handedOver.push(performance.now());
    this.#number++;
    this.#length = 0;
    this.#slab = this.#spare.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES);
  }

  /** The packer gives a slab back. */
  returned(slab: ArrayBuffer): void {
    this.#underWay--;
    this.#handedOver.shift();
    if (this.#spare.length < SPARE_SLABS) this.#spare.push(Buffer.from(slab));
    if (this.#underWay < BUSY_SLABS / 2) for (const go of this.#waiting.splice(0)) go();
  }

  /** Lets everyone go on, to meet the recorder's failure. */
  abandon(): void {
    clearTimeout(this.#timer);
    for (const go of this.#waiting.splice(0)) go();
  }
}

/** A record fits into an empty slab. */
if (MAX_RECORD_PAYLOAD + RECORD_HEADER_BYTES > SLAB_BYTES) throw new Error("a slab is smaller than a record");
