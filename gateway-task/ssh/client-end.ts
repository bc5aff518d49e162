import { SallyportError } from "../../core/errors.ts";
import type { Channel } from "./channels.ts";
import { MESSAGE, message } from "./messages.ts";
import type { Passage } from "./passage.ts";

/** Bytes that the client may send ahead of what is read, if it is not told otherwise. */
const WINDOW = 64 << 10;
/** What waits for the client's window, above which nothing more of the client's is read. */
const HIGH_WATER_MARK = 64 << 10;
/** More than any output may be ahead of the client's window: what is left is texts and echoes of ours, for a client that ignores ours. */
const MAX_WAITING = 4 << 20;
/** RFC 4254 §5.2 SSH_EXTENDED_DATA_STDERR. */
const STDERR = 1;
/** Fields of a message of data before the data. */
const HEAD_BYTES = 13;

interface Waiting {
  bytes: Buffer;
  readonly error: boolean;
  /** Told how much of it has been sent. */
  readonly sent: ((bytes: number) => void) | undefined;
}

/** The gateway's end of a client's channel, where it is the far end: both windows of RFC 4254 §5.2 are its own. */
export class ClientEnd {
  readonly #passage: Passage;
  readonly #channel: Channel;
  readonly #window: number;
  /** What the client's window has room for. */
  #room: number;
  #waiting: Waiting[] = [];
  #waits = 0;
  /** Bytes that the client may send now. */
  #open: number;
  /** Bytes that were read, and not yet given back to the client's view of our window. */
  #read: number;
  #last: (() => void) | undefined;
  #over = false;

  /** @param given what of the window the client has been given already */
  constructor(passage: Passage, channel: Channel, { window = WINDOW, given = 0 } = {}) {
    this.#passage = passage;
    this.#channel = channel;
    this.#window = window;
    this.#room = channel.room.window;
    this.#open = given;
    this.#read = window - given;
  }

  /** @param sent is told as it leaves, by how much. Throws `limit-exceeded` where too much waits for the client already */
  write(bytes: Buffer, error = false, sent?: (bytes: number) => void): void {
    if (this.#over || bytes.length === 0) return;
    this.#waiting.push({ bytes, error, sent });
    this.#waits += bytes.length;
    if (this.#waits > MAX_WAITING)
      throw new SallyportError("limit-exceeded", "the client sends on, and does not read what it is shown");
    this.#flush();
  }

  /** The client has given more of its window. */
  granted(bytes: number): void {
    this.#room += bytes;
    this.#flush();
  }

  /** So many bytes have come of the client's. Throws `protocol-violation` for more than it was given (RFC 4254 §5.2). */
  came(bytes: number): void {
    this.#open -= bytes;
    if (this.#open < 0) throw new SallyportError("protocol-violation", "the client sent more than its window");
  }

  /** So many bytes of the client's have been used, and as many more may come. */
  used(bytes: number): void {
    this.#read += bytes;
    this.#grant();
  }

  /**
   * Ends the channel behind all that was written.
   * @param status of what ran in it, if something did
   */
  end(status: number | undefined, closed: () => void): void {
    this.#last = () => {
      const { client, output } = this.#channel;
      output?.end();
      if (status !== undefined) this.#passage.say(MESSAGE.channelRequest, client, "exit-status", false, status);
      this.#passage.say(MESSAGE.channelEof, client);
      this.#passage.say(MESSAGE.channelClose, client);
      this.#over = true; // the client may use the number again as soon as it has read that
      closed();
    };
    this.#flush();
  }

  /** The client is gone: nothing is said any more. */
  abandon(): void {
    this.#over = true;
    this.#waiting = [];
    this.#waits = 0;
  }

  #flush(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#room > 0; next = this.#waiting[0]) {
      const most = Math.min(this.#room, Math.max(this.#channel.room.packet - HEAD_BYTES, 1));
      const piece = next.bytes.subarray(0, most);
      next.bytes = next.bytes.subarray(piece.length);
      if (next.bytes.length === 0) this.#waiting.shift();
      this.#room -= piece.length;
      this.#waits -= piece.length;
      const { client } = this.#channel;
      const data = next.error
        ? message(MESSAGE.channelExtendedData, client, STDERR, piece)
        : message(MESSAGE.channelData, client, piece);
      this.#pass(data, next.sent === undefined);
      next.sent?.(piece.length);
    }
    this.#grant();
    if (this.#waiting.length > 0 || this.#over) return;
    const last = this.#last;
    this.#last = undefined;
    last?.();
  }

  /** @param isOurs a text or an echo of ours, which need not wait for what comes next */
  #pass(data: Buffer, isOurs: boolean): void {
    const { output } = this.#channel;
    if (output === undefined) this.#passage.toClient.pass(data);
    else output.take(data, isOurs);
  }

  #grant(): void {
    if (this.#over || this.#waits > HIGH_WATER_MARK || this.#read < this.#window / 2) return;
    this.#passage.say(MESSAGE.channelWindowAdjust, this.#channel.client, this.#read);
    this.#open += this.#read;
    this.#read = 0;
  }
}
