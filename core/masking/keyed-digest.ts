import { createHmac, createSecretKey } from "node:crypto";

/** HMAC-SHA-256 under the deployment's key: 32 bytes. */
export type KeyedDigest = (bytes: Uint8Array) => Buffer;

export function keyedDigest(key: Uint8Array): KeyedDigest {
  const secret = createSecretKey(key);
  return (bytes) => createHmac("sha256", secret).update(bytes).digest();
}

/** As many pseudo-random bytes as are asked for, the same for the same value: the digest, then digests of it and a counter. */
export function digestStream(digest: KeyedDigest, value: Uint8Array): () => number {
  const first = digest(value);
  let block = first;
  let at = 0;
  let counter = 0;
  return () => {
    if (at === block.length) {
      counter++;
      const next = Buffer.alloc(first.length + 4);
      first.copy(next);
      next.writeUInt32BE(counter, first.length);
      block = digest(next);
      at = 0;
    }
    return block[at++] ?? 0;
  };
}
