import { blake2s, MAX_KEY_BYTES, type Digest } from "./blake2s.ts";

/** BLAKE2s-256 under the deployment's key: 32 bytes, valid until the next one is made. */
export type KeyedDigest = Digest;

/** @param key a longer one than BLAKE2s takes counts by its own digest */
export function keyedDigest(key: Uint8Array): KeyedDigest {
  return blake2s(key.length > MAX_KEY_BYTES ? Buffer.from(blake2s(new Uint8Array())(key)) : key);
}

/** As many pseudo-random bytes as are asked for, the same for the same value: the digest, then digests of it and a counter. */
export function digestStream(digest: KeyedDigest, value: Uint8Array): () => number {
  const first = Buffer.from(digest(value));
  let block = first;
  let at = 0;
  let counter = 0;
  return () => {
    if (at === block.length) {
      counter++;
      block = Buffer.from(digest(Buffer.concat([first, Buffer.of(counter)])));
      at = 0;
    }
    return block[at++] ?? 0;
  };
}
