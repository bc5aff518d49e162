import { crc32 } from "node:zlib";
import {
  FRAME_HEADER_BYTES,
  FRAME_KIND,
  MAX_FRAME_PAYLOAD,
  type Frame,
  type FrameKind,
} from "../../core/recording/frame.ts";
import type { SessionId } from "../../core/ports/session-store.ts";

/**
 * A frame on its way into a chunk, as it stands in the intent log and in the slabs that go to the packer:
 *
 *   offset 0   u32       CRC-32 of all that follows (of what goes into the intent log; slabs never leave memory)
 *          4   u32       number of the frame in its session, from 0
 *          8   16 bytes  session id
 *          24  u32       marks (below)
 *          28  16 bytes  frame header (core/recording/frame.ts)
 *          44            payload
 *
 * All integers are little-endian.
 */
export const RECORD_HEADER_BYTES = 28 + FRAME_HEADER_BYTES;

/** A record's payload: larger runs of bytes are split, the same way for log and slab, so that frame numbers agree. */
export const MAX_RECORD_PAYLOAD = 128 << 10;

export const MARK = { none: 0, opens: 1, closes: 2 } as const;

/** A record that stands whole in `bytes`, from `at` to `end`, until the next one is read: one object serves for all of them. */
export class JournalRecord implements Frame {
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  end = 0;
  frameNumber = 0;
  marks = 0;
  kind: FrameKind = FRAME_KIND.event;
  flags = 0;
  channel = 0;
  micros = 0;

  /**
   * Reads the record at `at`; answers false where the bytes end, or hold no whole and sound record there (the torn tail
   * that a loss of power leaves).
   */
  read(bytes: Buffer, at: number, checked: boolean): boolean {
    if (bytes.length - at < RECORD_HEADER_BYTES) return false;
    const length = bytes.readUInt32LE(at + 28);
    const end = at + RECORD_HEADER_BYTES + length;
    if (length > MAX_FRAME_PAYLOAD || end > bytes.length) return false;
    if (checked && bytes.readUInt32LE(at) !== crc32(bytes.subarray(at + 4, end))) return false;
    this.bytes = bytes;
    this.at = at;
    this.end = end;
    this.frameNumber = bytes.readUInt32LE(at + 4);
    this.marks = bytes.readUInt32LE(at + 24);
    this.kind = bytes[at + 32] as FrameKind;
    this.flags = bytes[at + 33] as number;
    this.channel = bytes.readUInt16LE(at + 34);
    this.micros = bytes.readUInt32LE(at + 36) + bytes.readUInt32LE(at + 40) * TWO_32;
    return true;
  }

  /** Where its payload begins, which goes to `end`. */
  get start(): number {
    return this.at + RECORD_HEADER_BYTES;
  }

  /** A view. */
  get payload(): Buffer {
    return this.bytes.subarray(this.start, this.end);
  }

  /** Where its session's id stands: 16 bytes. */
  get sessionAt(): number {
    return this.at + 8;
  }

  get session(): SessionId {
    const hex = this.bytes.toString("hex", this.sessionAt, this.sessionAt + 16);
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5") as SessionId;
  }
}

const TWO_32 = 2 ** 32;

export function sessionKey(session: SessionId): Buffer {
  return Buffer.from(session.replaceAll("-", ""), "hex");
}

/** Fills in the CRC of a record that stands whole at `at`. */
export function sealRecord(buffer: Buffer, at: number, end: number): void {
  buffer.writeUInt32LE(crc32(buffer.subarray(at + 4, end)), at);
}
