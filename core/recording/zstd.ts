import { constants, createZstdCompress, zstdCompressSync } from "node:zlib";

/** Level 1 is 2 to 4 times faster than gzip's level 1, and smaller; -3 takes half its time for half as many bytes again. */
const LEVELS = { usual: 1, hurried: -3 } as const;
type Pace = keyof typeof LEVELS;

/** The part of Node's compressor that its own synchronous functions are made of; it is not documented (ADR 0005). */
interface ZstdHandle {
  writeSync(
    flush: number,
    input: Uint8Array,
    inAt: number,
    inBytes: number,
    out: Uint8Array,
    outAt: number,
    outBytes: number,
  ): void;
}
interface Compressor {
  readonly handle: ZstdHandle;
  /** Set by each write: bytes left in the output, bytes left of the input. */
  readonly state: Uint32Array;
}

/** Room for any body's compressed form (ZSTD_COMPRESSBOUND): zstd then works in one pass, straight into the result. */
const bound = (length: number): number => length + (length >> 8) + (128 << 10);

const compressors: Partial<Record<Pace, Compressor | false>> = {};
let pace: Pace = "usual";
let out = Buffer.alloc(0);

/** Whether speed counts for more than size from now on, in this thread. */
export function hurry(yes: boolean): void {
  pace = yes ? "hurried" : "usual";
}

/**
 * One zstd frame (RFC 8878) of `body`. The result is valid until the next call: whoever keeps it copies it.
 * The same context serves every call. Node's own synchronous function makes a new one of a megabyte each time, and the
 * garbage collector then works as much as the compressor.
 */
export function compress(body: Uint8Array): Uint8Array {
  const compressor = (compressors[pace] ??= newCompressor(paramsOf(pace)));
  if (compressor === false) return zstdCompressSync(body, { params: paramsOf(pace), chunkSize: bound(body.length) });
  if (out.length < bound(body.length)) out = Buffer.allocUnsafeSlow(bound(Math.max(body.length, 1 << 20)));
  const { handle, state } = compressor;
  handle.writeSync(constants.ZSTD_e_end, body, 0, body.length, out, 0, out.length);
  const [left = 0, unread = 0] = state;
  if (unread === 0 && left > 0) return out.subarray(0, out.length - left);
  compressors[pace] = false; // not the interface that we know: do without it from here on
  return compress(body);
}

const paramsOf = (of: Pace): Record<number, number> => ({ [constants.ZSTD_c_compressionLevel]: LEVELS[of] });

function newCompressor(params: Record<number, number>): Compressor | false {
  try {
    const stream = createZstdCompress({ params }) as unknown as {
      _handle?: ZstdHandle;
      _writeState?: Uint32Array;
    };
    const { _handle: handle, _writeState: state } = stream;
    return typeof handle?.writeSync === "function" && state instanceof Uint32Array ? { handle, state } : false;
  } catch {
    return false;
  }
}
