import { createHash } from "node:crypto";
import { zstdDecompressSync } from "node:zlib";
import type { Digest } from "../brand.ts";
import { SallyportError } from "../errors.ts";
import type { SessionId } from "../ports/session-store.ts";
import { compress } from "./zstd.ts";

/**
 * A chunk: a run of frames, compressed, opening with the hash of the chunk before it. ADR 0003 holds the layout.
 *
 *   offset 0   8 bytes   "SALLYPC1"
 *          8   16 bytes  session id (UUID)
 *          24  u32       sequence, from 0
 *          28  u32       number of the gateway's own frames in it (derived events do not count)
 *          32  u64       number of such frames before it
 *          40  u32       length of the body when decompressed
 *          44  u32       length of the compressed body
 *          48  u64       the session's start, milliseconds since the Unix epoch
 *          56  32 bytes  SHA-256 of the whole chunk before it; for chunk 0, of "sallyport/1" ‖ session id
 *          88            body: one zstd frame
 *
 * All integers are little-endian. The hash of a chunk covers all its bytes, so the last hash covers the session.
 */
export const CHUNK_HEADER_BYTES = 88;
/**
 * A chunk closes when its frames exceed this many bytes, if it is not old enough before. Of bulk, a chunk's file costs as much
 * as its bytes (its making, flushing, linking and removal), so that fewer are faster.
 */
export const CHUNK_BODY_TARGET = 4 << 20;
/** No body is larger: the target, one more frame of the largest size, and what was derived from it. */
export const MAX_CHUNK_BODY = 8 << 20;

const MAGIC = Buffer.from("SALLYPC1", "latin1");
const TWO_32 = 2 ** 32;

export interface ChunkHeader {
  readonly session: SessionId;
  readonly sequence: number;
  readonly frames: number;
  readonly firstFrame: number;
  readonly startedAt: number;
  /** Hash of the chunk before it, 32 bytes. */
  readonly previous: Uint8Array;
}

export interface Chunk {
  readonly header: ChunkHeader;
  readonly body: Buffer;
}

function sessionBytes(session: SessionId): Buffer {
  const bytes = Buffer.from(session.replaceAll("-", ""), "hex");
  if (bytes.length !== 16) throw new SallyportError("internal", "a session id is a UUID");
  return bytes;
}

/** What chunk 0 names as the hash before it. */
export function genesis(session: SessionId): Buffer {
  return createHash("sha256").update("sallyport/1").update(sessionBytes(session)).digest();
}

export function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

export function toDigest(hash: Uint8Array): Digest {
  return Buffer.from(hash.buffer, hash.byteOffset, hash.byteLength).toString("hex") as Digest;
}

/** A chunk's bytes from its header and the frames of its body. */
export function encodeChunk(header: ChunkHeader, body: Uint8Array): Buffer {
  if (body.length > MAX_CHUNK_BODY) throw new SallyportError("limit-exceeded", "a chunk's body is too large");
  const compressed = compress(body);
  const chunk = Buffer.allocUnsafe(CHUNK_HEADER_BYTES + compressed.length);
  MAGIC.copy(chunk, 0);
  sessionBytes(header.session).copy(chunk, 8);
  chunk.writeUInt32LE(header.sequence, 24);
  chunk.writeUInt32LE(header.frames, 28);
  writeU64(chunk, 32, header.firstFrame);
  chunk.writeUInt32LE(body.length, 40);
  chunk.writeUInt32LE(compressed.length, 44);
  writeU64(chunk, 48, header.startedAt);
  chunk.set(header.previous, 56);
  chunk.set(compressed, CHUNK_HEADER_BYTES);
  return chunk;
}

/** The header and the decompressed body of a chunk. Throws `recording-corrupt`. */
export function decodeChunk(chunk: Uint8Array): Chunk {
  const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  const corrupt = (why: string, cause?: unknown): SallyportError =>
    new SallyportError("recording-corrupt", `not a chunk of a recording: ${why}`, { cause });
  if (bytes.length < CHUNK_HEADER_BYTES || !bytes.subarray(0, 8).equals(MAGIC)) throw corrupt("no chunk header");
  const rawLength = bytes.readUInt32LE(40);
  if (rawLength > MAX_CHUNK_BODY) throw corrupt("its body is too large");
  if (bytes.length !== CHUNK_HEADER_BYTES + bytes.readUInt32LE(44)) throw corrupt("its length is wrong");
  let body: Buffer;
  try {
    body = zstdDecompressSync(bytes.subarray(CHUNK_HEADER_BYTES), { maxOutputLength: Math.max(rawLength, 1) });
  } catch (cause) {
    throw corrupt("its body does not decompress", cause);
  }
  if (body.length !== rawLength) throw corrupt("its body has another length");
  const id = bytes.toString("hex", 8, 24);
  const session = id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5") as SessionId;
  const header: ChunkHeader = {
    session,
    sequence: bytes.readUInt32LE(24),
    frames: bytes.readUInt32LE(28),
    firstFrame: readU64(bytes, 32),
    startedAt: readU64(bytes, 48),
    previous: bytes.subarray(56, 88),
  };
  return { header, body };
}

function writeU64(into: Buffer, at: number, value: number): void {
  into.writeUInt32LE((value % TWO_32) >>> 0, at);
  into.writeUInt32LE(Math.floor(value / TWO_32), at + 4);
}

function readU64(from: Buffer, at: number): number {
  return from.readUInt32LE(at) + from.readUInt32LE(at + 4) * TWO_32;
}
