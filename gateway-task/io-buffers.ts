/** What a channel reads into while much comes. */
export const READ_BYTES = 64 << 10;
/** What is made of a full read: it, and what is left of the read before, and what grows. */
const MADE_BYTES = 2 * READ_BYTES;
/** Buffers of each size kept for whatever next needs one, of all channels together. */
const MAX_SPARE = 64;
const MAX_SPARE_MADE = 16;

interface Pool {
  readonly size: number;
  readonly max: number;
  readonly spare: Buffer[];
}

const reads: Pool = { size: READ_BYTES, max: MAX_SPARE, spare: [] };
const made: Pool = { size: MADE_BYTES, max: MAX_SPARE_MADE, spare: [] };
/** Memory that is out, and may come back. */
const out = new WeakMap<ArrayBufferLike, Pool>();

/** A buffer to read `READ_BYTES` into. Whoever has written what is in it gives it back. */
export function takeReadBuffer(): Buffer {
  return take(reads);
}

/** A buffer of at least so many bytes: one that can be given back, where they are about what a full read makes. */
export function takeBuffer(bytes: number): Buffer {
  return bytes > READ_BYTES / 2 && bytes <= MADE_BYTES ? take(made) : Buffer.allocUnsafeSlow(bytes);
}

/**
 * A buffer, or a part of one, whose bytes nobody looks at any more, can be used again. Of one that was not taken here, or was
 * given back before, nothing comes.
 */
export function giveBack(buffer: Buffer): void {
  const pool = out.get(buffer.buffer);
  if (pool === undefined) return;
  out.delete(buffer.buffer);
  if (pool.spare.length < pool.max) pool.spare.push(Buffer.from(buffer.buffer));
}

function take(pool: Pool): Buffer {
  const buffer = pool.spare.pop() ?? Buffer.allocUnsafeSlow(pool.size);
  out.set(buffer.buffer, pool);
  return buffer;
}
