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

/** A number above zero as an `mpint`, of its magnitude. */
export function sshMpint(magnitude: Buffer): Buffer {
  let at = 0;
  while (at < magnitude.length - 1 && magnitude[at] === 0) at++;
  const bytes = magnitude.subarray(at);
  return sshString((bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
}

/** Reads fields of different kinds, one after the other. Every method throws RangeError where the bytes end too soon. */
export class SshFields {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** How many bytes have been read. */
  get at(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  uint32(): number {
    const value = this.#bytes.readUInt32BE(this.#at);
    this.#at += 4;
    return value;
  }

  uint64(): bigint {
    const value = this.#bytes.readBigUInt64BE(this.#at);
    this.#at += 8;
    return value;
  }

  string(): Buffer {
    const length = this.uint32();
    if (length > this.#bytes.length - this.#at) throw new RangeError("a string is longer than what holds it");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  text(): string {
    return this.string().toString("utf8");
  }
}

/** The first string of a key, a certificate or a signature: what it is. Empty where there is none. */
export function sshTypeOf(blob: Buffer): string {
  try {
    return new SshFields(blob).text();
  } catch {
    return "";
  }
}
