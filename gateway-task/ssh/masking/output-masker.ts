import { DATA_AT, MESSAGE } from "../messages.ts";
import { HeldMessages } from "./held-messages.ts";
import { MaskedStream } from "./masked-stream.ts";
import type { SessionMasks } from "./session-masks.ts";

/** Behind the kind of data (RFC 4254 §5.2). */
const EXTENDED_DATA_AT = DATA_AT + 4;
/** What may be the beginning of a value waits for its end for as long as the output pauses … */
const PAUSE_MS = 25;
/** … and in all for so long: whoever watches a program print letter by letter should see that it does. */
const MAX_WAIT_MS = 1_000;
/** More does not wait: the output of a program that prints nothing but the beginnings of values. */
const MAX_HELD_BYTES = 256 << 10;
const MAX_HELD_MESSAGES = 1 << 10;

/** Sends a message of a channel on to the client; its bytes can be used again afterwards. */
type PassOutput = (message: Buffer, recorded?: Buffer) => void;

/**
 * Masks what a command or a shell shows (RFC 4254 §5.2). A message keeps its length and its place. One that ends with what may
 * be the beginning of a value waits for what comes next, and all that follows in its channel waits behind it.
 */
export class OutputMasker {
  readonly #pass: PassOutput;
  readonly #held: HeldMessages;
  readonly #output: MaskedStream;
  readonly #errors: MaskedStream;
  readonly #failed: (error: unknown) => void;
  readonly #isTerminal: boolean;
  #isBinary = false;
  #timer: NodeJS.Timeout | undefined;
  /** When something was last held. */
  #lastAt = 0;

  /**
   * @param isTerminal what is shown is text, whatever it holds
   * @param failed takes what a timer of ours threw
   */
  constructor({ views, found }: SessionMasks, isTerminal: boolean, pass: PassOutput, failed: (error: unknown) => void) {
    this.#isTerminal = isTerminal;
    this.#pass = pass;
    this.#held = new HeldMessages(pass);
    const sink = { put: this.#held.put.bind(this.#held), found };
    this.#output = new MaskedStream(views, sink);
    this.#errors = new MaskedStream(views, sink);
    this.#failed = failed;
  }

  /**
   * Takes the next message of the target's in the channel; its bytes can be used again afterwards, and are changed.
   * @param isEcho it shows no more than what the client has typed, which need not wait: the client knows it
   */
  take(message: Buffer, isEcho: boolean): void {
    switch (message[0] as number) {
      case MESSAGE.channelData:
        if (this.#turnsBinary(message)) return this.#pass(message);
        return this.#show(this.#output, message, DATA_AT, isEcho);
      case MESSAGE.channelExtendedData:
        return this.#show(this.#errors, message, EXTENDED_DATA_AT, isEcho);
      case MESSAGE.channelWindowAdjust:
        return this.#pass(message); // it is about what the client sends
      case MESSAGE.channelEof:
      case MESSAGE.channelClose:
        this.end();
        return this.#pass(message);
    }
    this.#held.add(message, message.length);
    this.#release();
  }

  /** A command's output that holds a NUL is an archive, an image or the like: a mask within it would break it. */
  #turnsBinary(message: Buffer): boolean {
    if (this.#isTerminal) return false;
    if (!this.#isBinary && message.includes(0, DATA_AT)) {
      this.#isBinary = true;
      this.end();
    }
    return this.#isBinary;
  }

  #show(stream: MaskedStream, message: Buffer, dataAt: number, isEcho: boolean): void {
    const wasEmpty = this.#held.count === 0;
    const { position } = this.#held;
    const at = Math.min(dataAt, message.length);
    this.#held.add(message, at);
    stream.push(message.subarray(at), position);
    const isTooMuch = this.#held.bytes > MAX_HELD_BYTES || this.#held.count > MAX_HELD_MESSAGES;
    if (isTooMuch || (isEcho && wasEmpty)) this.#letGo(Infinity);
    else this.#release();
  }

  /** Sends on what is held before a position, masked as far as it is known for what it is. */
  #letGo(before: number): void {
    this.#output.letGo(before);
    this.#errors.letGo(before);
    this.#sendDecided();
  }

  /** Nothing more comes. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#letGo(Infinity);
    this.#held.rest();
  }

  #release(): void {
    this.#sendDecided();
    if (this.#held.count === 0) return;
    this.#lastAt = performance.now();
    this.#timer ??= this.#after(PAUSE_MS);
  }

  #sendDecided(): void {
    this.#held.release(Math.min(this.#output.undecided ?? Infinity, this.#errors.undecided ?? Infinity));
  }

  #after(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#timer = undefined;
      const lastAt = this.#lastAt;
      // A process that was busy for so long has read nothing: what has come meanwhile counts, and is read before an immediate.
      setImmediate(() => this.#waited(lastAt));
    }, ms);
  }

  #waited(lastAt: number): void {
    const now = performance.now();
    try {
      if (this.#lastAt === lastAt && now - lastAt >= PAUSE_MS) this.#letGo(Infinity);
      else if (now - this.#held.since >= MAX_WAIT_MS) this.#letGo(this.#held.endOfThoseSince(now - MAX_WAIT_MS));
    } catch (error) {
      return this.#failed(error);
    }
    if (this.#held.count === 0) return this.#held.rest();
    const due = Math.min(this.#lastAt + PAUSE_MS, this.#held.since + MAX_WAIT_MS);
    this.#timer ??= this.#after(Math.max(1, due - now));
  }
}
