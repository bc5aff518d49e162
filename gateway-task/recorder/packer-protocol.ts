import type { Digest } from "../../core/brand.ts";
import type { SessionId } from "../../core/ports/session-store.ts";
import type { SessionTotals } from "./session-packer.ts";

/** What the recorder sends to the packer's thread. */
export type ToPacker =
  | {
      readonly kind: "slab";
      readonly slab: ArrayBuffer;
      readonly length: number;
      readonly number: number;
      /** More slabs wait behind it than the packer should have: it is to compress less and be done sooner. */
      readonly busy: boolean;
    }
  /** Close every open chunk now, whatever its age. */
  | { readonly kind: "flush" };

/** What the packer's thread answers. */
export type FromPacker =
  /** A slab has been read and can be used again. */
  | { readonly kind: "slab-returned"; readonly slab: ArrayBuffer }
  /** A chunk stands in the spool under `file`. */
  | {
      readonly kind: "chunk";
      readonly session: SessionId;
      readonly sequence: number;
      readonly file: string;
      readonly sha256: Digest;
      /** The first slab whose frames are in it. */
      readonly firstSlab: number;
      /** It is the session's last. */
      readonly totals: SessionTotals | undefined;
    }
  /** This session held the most of a memory that all share, and it was too much: it is no longer followed, and must end. */
  | { readonly kind: "overdrawn"; readonly session: SessionId }
  /** Everything in slabs before this one stands in chunks. */
  | { readonly kind: "progress"; readonly openSlab: number }
  | { readonly kind: "flushed" };

/** Names in the spool: `<task>/<session>/<sequence>.chunk`, and `<task>/<n>.intent`. */
const CHUNK_SUFFIX = ".chunk";
export const INTENT_SUFFIX = ".intent";
export const chunkFile = (sequence: number): string => String(sequence).padStart(8, "0") + CHUNK_SUFFIX;
