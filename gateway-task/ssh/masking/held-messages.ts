import type { View } from "./views.ts";

/** A message of a channel on its way to the client. */
interface OutputMessage {
  /** As it goes on. */
  bytes: Buffer;
  /** As it is recorded, where that is something else. */
  recorded: Buffer | undefined;
  /** Where its data begin in it. */
  readonly at: number;
  /** Positions of its data in the channel's output. */
  readonly from: number;
  readonly to: number;
  /** Since when it is held, its bytes a copy of ours; undefined: it is not yet. */
  heldSince: number | undefined;
}

/** A message in the usual size of a packet; one that has gone on leaves its memory to the next. */
const SPARE_BYTES = 33 << 10;

/** The messages of a channel's output that have not all gone on yet, in order. Each keeps its length. */
export class HeldMessages {
  readonly #pass: (message: Buffer, recorded?: Buffer) => void;
  #messages: OutputMessage[] = [];
  #spare: Buffer | undefined;
  #position = 0;
  #bytes = 0;

  /** @param pass sends a message on; its bytes can be used again afterwards */
  constructor(pass: (message: Buffer, recorded?: Buffer) => void) {
    this.#pass = pass;
  }

  get count(): number {
    return this.#messages.length;
  }

  /** Of all that are held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Where those end that have been held since a time, or longer. */
  endOfThoseSince(time: number): number {
    let end = 0;
    for (const { heldSince = Infinity, to } of this.#messages) {
      if (heldSince > time) break;
      end = to;
    }
    return end;
  }

  /** Since when the first of them is. */
  get since(): number {
    return this.#messages[0]?.heldSince ?? Infinity;
  }

  /** Where the next byte of output will stand. */
  get position(): number {
    return this.#position;
  }

  /** Takes a message whose data begin at `at`: those of one that has none begin behind it. */
  add(message: Buffer, at: number): void {
    const from = this.#position;
    this.#position += message.length - at;
    this.#bytes += message.length;
    this.#messages.push({ bytes: message, recorded: undefined, at, from, to: this.#position, heldSince: undefined });
  }

  /** Puts bytes, all within one message, in the place of others; what has gone on stays as it was. */
  put({ of }: View, position: number, bytes: Buffer): void {
    const message = this.#holding(position);
    if (message === undefined) return;
    const into = of === "record" ? (message.recorded ??= Buffer.from(message.bytes)) : message.bytes;
    bytes.copy(into, message.at + position - message.from);
  }

  /** Sends on what lies before a position, and keeps the rest. */
  release(upTo: number): void {
    let sent = 0;
    for (const message of this.#messages) {
      if (message.to > upTo) break;
      sent++;
      this.#bytes -= message.bytes.length;
      this.#pass(message.bytes, message.recorded);
      if (message.heldSince !== undefined && message.bytes.buffer.byteLength === SPARE_BYTES)
        this.#spare = message.bytes;
    }
    this.#messages = sent === this.#messages.length ? [] : this.#messages.slice(sent);
    const last = this.#messages.at(-1);
    if (last !== undefined && last.heldSince === undefined) this.#keep(last);
  }

  /** Gives back what memory it has for messages to come. */
  rest(): void {
    if (this.#messages.length === 0) this.#spare = undefined;
  }

  #keep(message: OutputMessage): void {
    const { bytes } = message;
    const isLarge = bytes.length > SPARE_BYTES / 4 && bytes.length <= SPARE_BYTES;
    const whole = isLarge
      ? Buffer.from((this.#spare ?? Buffer.allocUnsafeSlow(SPARE_BYTES)).buffer)
      : Buffer.allocUnsafe(bytes.length);
    if (isLarge) this.#spare = undefined;
    whole.set(bytes);
    message.bytes = whole.subarray(0, bytes.length);
    message.heldSince = performance.now();
  }

  /** The message that a byte of output is in, of those that are held. */
  #holding(position: number): OutputMessage | undefined {
    let [low, high] = [0, this.#messages.length - 1];
    while (low <= high) {
      const middle = (low + high) >> 1;
      const message = this.#messages[middle];
      if (message === undefined || position < message.from) high = middle - 1;
      else if (position >= message.to) low = middle + 1;
      else return message;
    }
    return undefined;
  }
}
