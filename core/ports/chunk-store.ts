import type { Digest } from "../brand.ts";
import type { SessionId } from "./session-store.ts";

/** Where a recording's objects live. Objects are written once and never changed. */
export interface ChunkKey {
  readonly session: SessionId;
  /** From 0, without gaps. */
  readonly sequence: number;
}

/** Every method throws SallyportError: `store-unavailable`, `not-found`, or `conflict`. */
export interface ChunkStore {
  /**
   * Stores a chunk durably (it survives the loss of power when this returns) and checks it against `sha256` first.
   * The same bytes under the same key again: nothing happens. Other bytes under the same key: `conflict`.
   */
  put(key: ChunkKey, body: Uint8Array, sha256: Digest): Promise<void>;
  /**
   * As `put`, for chunks of one session that the caller itself has just written to files and will not change: a store on
   * the same file system makes the files durable and takes them as they are, without reading them again. The caller's
   * names for them stay the caller's to delete. A store without this method, or one that answers false, wants `put`.
   */
  adopt?(chunks: readonly (ChunkKey & { readonly file: string })[]): Promise<boolean>;
  get(key: ChunkKey): Promise<Uint8Array>;
  /** The keys of a session in the order of their sequence. */
  list(session: SessionId): AsyncIterable<ChunkKey>;
  /** The signed manifest (a compact JWS); written once, like a chunk. */
  putManifest(session: SessionId, jws: string): Promise<void>;
  getManifest(session: SessionId): Promise<string | undefined>;
}
