import { SallyportError } from "../errors.ts";
import type { ChunkKey } from "../ports/chunk-store.ts";
import type { SessionId } from "../ports/session-store.ts";
import { CHUNK_HEADER_BYTES, MAX_CHUNK_BODY } from "./chunk.ts";
import { isSessionId } from "./session-id.ts";

/** The largest body, should it not compress: zstd's ZSTD_COMPRESSBOUND adds a 256th. */
export const MAX_CHUNK_BYTES = CHUNK_HEADER_BYTES + MAX_CHUNK_BODY + (MAX_CHUNK_BODY >> 8);
/** A manifest is about a kilobyte; whatever is larger is something else. */
export const MAX_MANIFEST_BYTES = 64 << 10;
export const MANIFEST_NAME = "manifest.jws";

/** Eight digits in a name: 95 TiB of recording in one session at a chunk's usual size. */
const MAX_SEQUENCE = 99_999_999;
const CHUNK = /^(\d{8})\.chunk$/;

/** The folder of a session's objects; throws `bad-request` for what could be any other. */
export function folderNameOf(session: SessionId): string {
  if (!isSessionId(session)) throw new SallyportError("bad-request", "a session id is a UUID in lower case");
  return session;
}

/** The name of a chunk within its session's folder: names sort as sequences do. */
export function chunkNameOf({ sequence }: ChunkKey): string {
  if (!Number.isInteger(sequence) || sequence < 0 || sequence > MAX_SEQUENCE)
    throw new SallyportError("bad-request", `a chunk's sequence is a number from 0 to ${MAX_SEQUENCE}`);
  return `${String(sequence).padStart(8, "0")}.chunk`;
}

/** The sequence that a name within a session's folder stands for; undefined where it is no chunk's. */
export function sequenceOf(name: string): number | undefined {
  const digits = CHUNK.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
