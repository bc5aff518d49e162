const KEY_BYTES = 16;

interface Entry<T> {
  readonly key: Buffer;
  readonly value: T;
}

/** What belongs to each session, by the 16 bytes of its id where they stand in a buffer: a look-up makes no string of them. */
export class SessionTable<T> {
  /** By the last four bytes, which are random (RFC 9562 §5.7): few sessions share them. */
  readonly #entries = new Map<number, readonly Entry<T>[]>();

  get(bytes: Buffer, at: number): T | undefined {
    const entries = this.#entries.get(tail(bytes, at));
    if (entries !== undefined) for (const { key, value } of entries) if (isAt(key, bytes, at)) return value;
    return undefined;
  }

  set(bytes: Buffer, at: number, value: T): void {
    const others = this.#others(bytes, at);
    this.#entries.set(tail(bytes, at), [...others, { key: Buffer.from(bytes.subarray(at, at + KEY_BYTES)), value }]);
  }

  delete(bytes: Buffer, at: number): void {
    const others = this.#others(bytes, at);
    if (others.length > 0) this.#entries.set(tail(bytes, at), others);
    else this.#entries.delete(tail(bytes, at));
  }

  #others(bytes: Buffer, at: number): Entry<T>[] {
    return (this.#entries.get(tail(bytes, at)) ?? []).filter(({ key }) => !isAt(key, bytes, at));
  }
}

function tail(bytes: Buffer, at: number): number {
  return bytes.readInt32LE(at + KEY_BYTES - 4);
}

function isAt(key: Buffer, bytes: Buffer, at: number): boolean {
  for (let i = 0; i < KEY_BYTES; i += 4) if (key.readInt32LE(i) !== bytes.readInt32LE(at + i)) return false;
  return true;
}
