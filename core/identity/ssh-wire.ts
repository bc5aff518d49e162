/** The `string` of SSH (RFC 4251 §5): four bytes of length, and so many bytes. */
const LENGTH_BYTES = 4;

/** The strings that these bytes are, to the last byte; undefined where they are something else. */
export function sshStrings(bytes: Buffer): Buffer[] | undefined {
  const strings: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    if (bytes.length - at < LENGTH_BYTES) return undefined;
    const end = at + LENGTH_BYTES + bytes.readUInt32BE(at);
    if (end > bytes.length) return undefined;
    strings.push(bytes.subarray(at + LENGTH_BYTES, end));
    at = end;
  }
  return strings;
}

export function sshString(content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content as Uint8Array);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** The magnitude of an `mpint` above zero, without sign; undefined for anything else, also for one written at needless length. */
export function sshMagnitude(mpint: Buffer | undefined): Buffer | undefined {
  const [first, second = 0] = mpint ?? [];
  if (mpint === undefined || first === undefined || first >= 0x80) return undefined;
  if (first > 0) return mpint;
  return second >= 0x80 ? mpint.subarray(1) : undefined;
}
