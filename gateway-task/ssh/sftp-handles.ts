/** As many as OpenSSH's server opens, about; what is not remembered may be read and written, and not changed otherwise. */
const MAX_REMEMBERED = 1_024;
/** PATH_MAX; a longer one is none of a file. */
const MAX_PATH = 4_096;

/** What an OPEN was judged for. */
interface Opened {
  readonly path: string;
  readonly writable: boolean;
}

/** What the handles of an SFTP channel stand for: learnt from each OPEN, and from the answer that gives it a handle. */
export class SftpHandles {
  /** By the request's id; undefined where two bear the same, whose answers cannot be told apart. */
  readonly #asked = new Map<number, Opened | undefined>();
  readonly #open = new Map<string, Opened>();

  /** Whether the next answer may be a handle. */
  get isWaiting(): boolean {
    return this.#asked.size > 0;
  }

  asked(id: number, path: string, writable: boolean): void {
    const known = !this.#asked.has(id) && path.length <= MAX_PATH;
    if (this.#asked.size < MAX_REMEMBERED || this.#asked.has(id))
      this.#asked.set(id, known ? { path, writable } : undefined);
  }

  /** The request was answered: by a handle, or otherwise. */
  answered(id: number, handle: Buffer | undefined): void {
    const opened = this.#asked.get(id);
    this.#asked.delete(id);
    if (handle === undefined) return;
    this.closed(handle);
    if (opened !== undefined && this.#open.size < MAX_REMEMBERED) this.#open.set(handle.toString("latin1"), opened);
  }

  closed(handle: Buffer): void {
    this.#open.delete(handle.toString("latin1"));
  }

  find(handle: Buffer): Opened | undefined {
    return this.#open.get(handle.toString("latin1"));
  }
}
