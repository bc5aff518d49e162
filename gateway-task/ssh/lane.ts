import type { Permit, Side } from "../recorder/permit.ts";
import type { Leg, Renumbered } from "./leg.ts";
import { FRAME_BYTES } from "./messages.ts";

/** A message behind its length, as it is recorded, until it is sent: shared by all lanes, which copy what is in it at once. */
let scratch = Buffer.allocUnsafeSlow(64 << 10);

/** Records something; what it answers may go on. */
type Recording<To extends Side> = () => Permit<To> | Promise<Permit<To>>;

/** Records a message behind its length; `recorded` is what is stored of it. */
type RecordMessage<To extends Side> = (bytes: Buffer, recorded: Buffer) => Permit<To> | Promise<Permit<To>>;

/**
 * One direction of a session: every message is recorded, and then sent, in order. Who produces too fast for the recorder or
 * for the receiving peer is not read for as long.
 */
export class Lane<To extends Side> {
  readonly #record: RecordMessage<To>;
  readonly #to: Leg<To>;
  readonly #from: Leg<Side>;
  readonly #failed: (error: unknown) => void;
  #queue: { readonly recording: Recording<To>; readonly as: Renumbered | undefined }[] = [];
  #busy = false;
  #stalled = false;
  #settled: Promise<void> = Promise.resolve();

  constructor(record: RecordMessage<To>, to: Leg<To>, from: Leg<Side>, failed: (error: unknown) => void) {
    this.#record = record;
    this.#to = to;
    this.#from = from;
    this.#failed = failed;
  }

  /**
   * @param message a message; its bytes can be used again as soon as this returns
   * @param recorded what is recorded of it, of the same length, where that is something else
   * @param as numbers of channels that are others at the peer
   */
  pass(message: Buffer, recorded: Buffer = message, as?: Renumbered): void {
    const framed = this.#busy ? framedCopy(message) : framedInScratch(message);
    const kept = recorded === message ? framed : framedCopy(recorded);
    if (this.#busy) return void this.#queue.push({ recording: () => this.#record(framed, kept), as });
    const permit = this.#record(framed, kept);
    if (!(permit instanceof Promise)) return this.#send(permit, as);
    if (framed.buffer === scratch.buffer) scratch = Buffer.allocUnsafeSlow(scratch.length); // the permit has the old one
    this.#wait(permit, as);
  }

  /** The same of what is recorded in another way. Nothing is sent for a permit of no bytes. */
  by(recording: Recording<To>): void {
    if (this.#busy) return void this.#queue.push({ recording, as: undefined });
    const permit = recording();
    if (permit instanceof Promise) this.#wait(permit, undefined);
    else this.#send(permit, undefined);
  }

  /** Whether whoever produces may go on, but for those that are paused; if not, it resolves when they may, or the peer is gone. */
  keptUp(): true | Promise<void> {
    if (!this.#busy && !this.#to.isFull) return true;
    return this.#settled.then(() => this.#to.drained());
  }

  /** Resolves when all that was passed so far has been handed to the leg, or cannot be. */
  settled(): Promise<void> {
    return this.#settled;
  }

  #wait(permit: Promise<Permit<To>>, as: Renumbered | undefined): void {
    this.#busy = true;
    this.#from.pause();
    this.#settled = this.#later(permit, as).then(
      () => this.#from.resume(),
      (error: unknown) => this.#failed(error),
    );
  }

  async #later(permit: Promise<Permit<To>>, as: Renumbered | undefined): Promise<void> {
    this.#send(await permit, as);
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift())
      this.#send(await next.recording(), next.as);
    this.#busy = false;
  }

  #send(permit: Permit<To>, as: Renumbered | undefined): void {
    if (permit.bytes.length > 0) this.#to.send(permit, as);
    if (this.#stalled || !this.#to.isFull) return;
    this.#stalled = true;
    this.#from.pause();
    void this.#untilDrained();
  }

  async #untilDrained(): Promise<void> {
    await this.#to.drained();
    this.#stalled = false;
    this.#from.resume();
  }
}

/** A message behind its length, as it is recorded. */
export function framedCopy(message: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(FRAME_BYTES + message.length);
  framed.writeUInt32BE(message.length, 0);
  framed.set(message, FRAME_BYTES);
  return framed;
}

function framedInScratch(message: Buffer): Buffer {
  const length = FRAME_BYTES + message.length;
  if (length > scratch.length) return framedCopy(message);
  scratch.writeUInt32BE(message.length, 0);
  scratch.set(message, FRAME_BYTES);
  return scratch.subarray(0, length);
}
