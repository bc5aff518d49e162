import { type PrefixedHandler, type PrefixedMessage, PrefixedReader } from "./prefixed-reader.ts";

/** The messages of the connection protocol (RFC 4254 §9). */
export const MESSAGE = {
  globalRequest: 80,
  requestSuccess: 81,
  requestFailure: 82,
  channelOpen: 90,
  channelOpenConfirmation: 91,
  channelOpenFailure: 92,
  channelWindowAdjust: 93,
  channelData: 94,
  channelExtendedData: 95,
  channelEof: 96,
  channelClose: 97,
  channelRequest: 98,
  channelSuccess: 99,
  channelFailure: 100,
} as const;

/** What ADR 0011 allows in a stream: the connection protocol's numbers (RFC 4250 §4.1.1). */
const FIRST_TYPE = 80;
const LAST_TYPE = 127;
/** Four times what OpenSSH takes (PACKET_MAX_SIZE in packet.h). */
const MAX_MESSAGE_BYTES = 1 << 20;
/** Bytes of a command's text that are kept: as of a statement. */
export const MAX_TEXT_BYTES = 64 << 10;
/** A text, whatever stands before it in its message, and what the gateway puts around a line of a guarded shell. */
const MAX_HEAD_BYTES = 2 * MAX_TEXT_BYTES;
/** Type, recipient, and the length of the data; of extended data its type code too (§5.2). */
const DATA_HEAD_BYTES = 9;
const EXTENDED_HEAD_BYTES = 13;

/** The type code of `channelData`, which has none; SSH_EXTENDED_DATA_STDERR is 1. */
export const PLAIN_DATA = 0;

export interface ConnectionHandler {
  /** Any message but data; a longer one than a text needs is cut. */
  message(type: number, message: PrefixedMessage): void;
  /** A piece of the data of one message; `from` and `to` are the message's, `flags` the piece's. */
  data(recipient: number, code: number, bytes: Buffer, start: number, end: number, message: PrefixedMessage, flags: number): void; // prettier-ignore
  /** The stream cannot be read any further. Called once. */
  lost(why: string, message: PrefixedMessage): void;
}

/** Reads one direction of a recorded SSH session (ADR 0011): messages of the connection layer, each behind its length. */
export class ConnectionReader implements PrefixedHandler {
  readonly #handler: ConnectionHandler;
  readonly #reader: PrefixedReader = new PrefixedReader(this, MAX_MESSAGE_BYTES);
  #recipient = 0;
  #code = -1;

  constructor(handler: ConnectionHandler) {
    this.#handler = handler;
  }

  push(bytes: Buffer, micros: number, flags: number, start = 0, end = bytes.length): void {
    this.#reader.push(bytes, start, end, micros, flags);
  }

  /** Bytes of memory that it holds on to. */
  get held(): number {
    return this.#reader.held;
  }

  wanted(bytes: Buffer, start: number): number {
    if (bytes[start] === MESSAGE.channelData) return DATA_HEAD_BYTES;
    if (bytes[start] === MESSAGE.channelExtendedData) return EXTENDED_HEAD_BYTES;
    return MAX_HEAD_BYTES;
  }

  message(message: PrefixedMessage): void {
    const { bytes, start, end } = message;
    const type = bytes[start] as number;
    this.#code = -1;
    if (type < FIRST_TYPE || type > LAST_TYPE) return this.#reader.lose(`no message has type ${type}`);
    if (type !== MESSAGE.channelData && type !== MESSAGE.channelExtendedData)
      return this.#handler.message(type, message);
    const extended = type === MESSAGE.channelExtendedData;
    if (end - start < (extended ? EXTENDED_HEAD_BYTES : DATA_HEAD_BYTES)) return;
    this.#recipient = bytes.readUInt32BE(start + 1);
    this.#code = extended ? bytes.readUInt32BE(start + 5) : PLAIN_DATA;
  }

  rest(bytes: Buffer, start: number, end: number, message: PrefixedMessage, flags: number): void {
    if (this.#code >= 0) this.#handler.data(this.#recipient, this.#code, bytes, start, end, message, flags);
  }

  lost(why: string, message: PrefixedMessage): void {
    this.#handler.lost(why, message);
  }
}
