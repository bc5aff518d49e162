/**
 * A frame: the unit of a recording. ADR 0003 holds the layout.
 *
 *   offset 0  u32  length of the payload in bytes
 *          4  u8   kind
 *          5  u8   flags
 *          6  u16  channel (0 where the protocol has one channel)
 *          8  u64  microseconds since the session's start
 *         16       payload
 *
 * All integers are little-endian.
 */
export const FRAME_HEADER_BYTES = 16;

/** Payload bytes: one frame never exceeds it, so that a reader can bound its buffers. */
export const MAX_FRAME_PAYLOAD = 1 << 20;

export const FRAME_KIND = {
  /** Bytes from the client, as forwarded to the target unless a flag says otherwise. */
  input: 1,
  /** Bytes to the client, as it saw them. */
  output: 2,
  /** A semantic event, JSON in UTF-8 (events.ts). */
  event: 3,
} as const;
export type FrameKind = (typeof FRAME_KIND)[keyof typeof FRAME_KIND];

/** Flag: secrets in the payload were replaced before it was stored; the target received other bytes. */
export const FLAG_REDACTED = 1;
/** Flag: this was asked and refused; the target received a statement in its place that fails. */
export const FLAG_WITHHELD = 2;

export interface Frame {
  readonly kind: FrameKind;
  readonly flags: number;
  readonly channel: number;
  readonly micros: number;
  readonly payload: Buffer;
}

const TWO_32 = 2 ** 32;

/** Writes a frame's header at `at`; answers the offset behind it. */
export function writeFrameHeader(
  into: Buffer,
  at: number,
  length: number,
  kind: FrameKind,
  flags: number,
  channel: number,
  micros: number,
): number {
  into.writeUInt32LE(length, at);
  into[at + 4] = kind;
  into[at + 5] = flags;
  into.writeUInt16LE(channel, at + 6);
  into.writeUInt32LE(micros >>> 0, at + 8);
  into.writeUInt32LE(Math.floor(micros / TWO_32), at + 12);
  return at + FRAME_HEADER_BYTES;
}

/** The frames of a decompressed chunk body, in order; payloads are views into `body`. Throws RangeError on a malformed body. */
export function* readFrames(body: Buffer): Generator<Frame> {
  for (let at = 0; at < body.length;) {
    if (body.length - at < FRAME_HEADER_BYTES) throw new RangeError("a frame header is cut off");
    const length = body.readUInt32LE(at);
    const kind = body[at + 4];
    const end = at + FRAME_HEADER_BYTES + length;
    if (length > MAX_FRAME_PAYLOAD || end > body.length) throw new RangeError("a frame is longer than its chunk");
    if (kind !== FRAME_KIND.input && kind !== FRAME_KIND.output && kind !== FRAME_KIND.event)
      throw new RangeError(`unknown frame kind ${kind}`);
    yield {
      kind,
      flags: body[at + 5] ?? 0,
      channel: body.readUInt16LE(at + 6),
      micros: body.readUInt32LE(at + 8) + body.readUInt32LE(at + 12) * TWO_32,
      payload: body.subarray(at + FRAME_HEADER_BYTES, end),
    };
    at = end;
  }
}
