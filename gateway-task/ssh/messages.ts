export { MESSAGE } from "../../core/ssh/connection-reader.ts";

/** The connection protocol of SSH (RFC 4254): message numbers, and how its messages are read and made. */
export const FIRST_CONNECTION_MESSAGE = 80;

/** RFC 4254 §5.1. */
export const OPEN_FAILURE = { prohibited: 1, connectFailed: 2, unknownType: 3, resourceShortage: 4 } as const;

/** In the recording a message stands behind its length. */
export const FRAME_BYTES = 4;

/** Where the data of a CHANNEL_DATA begin. */
export const DATA_AT = 9;

/** The largest packet that the library takes is a little longer; OpenSSH never asks for more. */
const MAX_PACKET_SIZE = 32 << 10;

/** Of a CHANNEL_OPEN or its confirmation: the maximum packet size that stands at `at` (RFC 4254 §5.1), made one that we can pass. */
export function clampPacketSize(bytes: Buffer, at: number): void {
  if (bytes.readUInt32BE(at) > MAX_PACKET_SIZE) bytes.writeUInt32BE(MAX_PACKET_SIZE, at);
}

/** Reads the fields of a message one after the other. Throws RangeError where the message is too short. */
export class MessageFields {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at = 1) {
    this.#bytes = bytes;
    this.#at = at;
  }

  /** Where the next field begins. */
  get at(): number {
    return this.#at;
  }

  uint32(): number {
    const value = this.#bytes.readUInt32BE(this.#at);
    this.#at += 4;
    return value;
  }

  boolean(): boolean {
    return this.#bytes.readUInt8(this.#at++) !== 0;
  }

  bytes(): Buffer {
    const length = this.uint32();
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError("a field is longer than its message");
    const value = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return value;
  }

  text(): string {
    return this.textBytes().toString("utf8");
  }

  /** A text as it is. C programs end one at its first NUL, so that they would see another than was judged: RangeError. */
  textBytes(): Buffer {
    const bytes = this.bytes();
    if (bytes.includes(0)) throw new RangeError("a text holds a NUL");
    return bytes;
  }
}

/** A field of a message. */
export type Field = number | boolean | string | Buffer;

/** A message of these fields: numbers are uint32, texts and buffers are strings (RFC 4251 §5). */
export function message(type: number, ...fields: readonly Field[]): Buffer {
  return Buffer.concat([Buffer.of(type), ...fields.map(encoded)]);
}

function encoded(field: Field): Buffer {
  if (typeof field === "boolean") return Buffer.of(field ? 1 : 0);
  if (typeof field === "number") {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(field);
    return bytes;
  }
  const bytes = Buffer.from(field);
  return Buffer.concat([encoded(bytes.length), bytes]);
}
