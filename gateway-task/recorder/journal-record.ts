import { crc32 } from "node:zlib";
import { FRAME_HEADER_BYTES, MAX_FRAME_PAYLOAD, type FrameKind } from "../../core/recording/frame.ts";
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

export interface JournalRecord {
  readonly frameNumber: number;
  readonly session: string;
  readonly marks: number;
  readonly kind: FrameKind;
  readonly flags: number;
  readonly channel: number;
  readonly micros: number;
  readonly payload: Buffer;
  /** Offset behind the record. */
  readonly end: number;
}

const TWO_32 = 2 ** 32;

export function sessionKey(session: SessionId): Buffer {
  return Buffer.from(session.replaceAll("-", ""), "hex");
}

function sessionIdOf(key: string): SessionId {
  return key.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5") as SessionId;
}

/** Fills in the CRC of a record that stands whole at `at`. */
export function sealRecord(buffer: Buffer, at: number, end: number): void {
  buffer.writeUInt32LE(crc32(buffer.subarray(at + 4, end)), at);
}

/**
 * The record at `at`, its payload a view; undefined where the bytes end, or hold no whole and sound record there
 * (the torn tail that a loss of power leaves).
 */
export function readRecord(buffer: Buffer, at: number, checked: boolean): JournalRecord | undefined {
  if (buffer.length - at < RECORD_HEADER_BYTES) return undefined;
  const length = buffer.readUInt32LE(at + 28);
  const end = at + RECORD_HEADER_BYTES + length;
  if (length > MAX_FRAME_PAYLOAD || end > buffer.length) return undefined;
  if (checked && buffer.readUInt32LE(at) !== crc32(buffer.subarray(at + 4, end))) return undefined;
  return {
    frameNumber: buffer.readUInt32LE(at + 4),
    session: buffer.toString("latin1", at + 8, at + 24),
    marks: buffer.readUInt32LE(at + 24),
    kind: buffer.readUInt8(at + 32) as FrameKind,
    flags: buffer.readUInt8(at + 33),
    channel: buffer.readUInt16LE(at + 34),
    micros: buffer.readUInt32LE(at + 36) + buffer.readUInt32LE(at + 40) * TWO_32,
    payload: buffer.subarray(at + RECORD_HEADER_BYTES, end),
    end,
  };
}

export function latin1Key(session: string): SessionId {
  return sessionIdOf(Buffer.from(session, "latin1").toString("hex"));
}
