import fs from "node:fs";
import path from "node:path";
import { SallyportError } from "../../core/errors.ts";

/** A segment is closed at this size, so that what is stored elsewhere by now can be deleted piece by piece. */
const SEGMENT_BYTES = 16 << 20;
/** Invariant 1: what was asked is on disk within 50 ms; the margin is for the flush itself. */
const FLUSH_WITHIN_MS = 30;
/** A flush that takes longer means that the disk stalls: from then on writes wait on another thread, not on the event loop. */
const STALL_MS = 250;
/**
 * Larger records are written on another thread: copying them into the page cache would hold up everybody else. A message of
 * SSH with 32 KiB of data is not: waiting for each would halve an upload.
 */
const LARGE_BYTES = 40 << 10;
/** Memory for records that wait for a stalled disk; beyond it sessions fail rather than wait. */
const MAX_WAITING_BYTES = 64 << 20;

/** The calls of node:fs that the log makes; tests hand in one that stalls or fails. */
export type LogFiles = Pick<typeof fs, "openSync" | "writeSync" | "write" | "fdatasync" | "close" | "unlink">;

interface Segment {
  readonly file: string;
  readonly fd: number;
  bytes: number;
  /** Number of the last slab that repeats what stands in this segment. */
  lastSlab: number;
}

interface Waiting {
  readonly bytes: Buffer;
  readonly done: () => void;
  readonly failed: (error: SallyportError) => void;
}

/**
 * The intent log: what clients ask, written before it is forwarded and flushed in groups (invariant 1).
 * One a process, for all sessions: thousands of sessions then cost one flush. It is read only after a crash.
 */
export class IntentLog {
  readonly #directory: string;
  readonly #files: LogFiles;
  readonly #failed: (error: SallyportError) => void;
  readonly #closed: Segment[] = [];
  /** Rotated away, not yet flushed. */
  #unflushed: Segment[] = [];
  #segment: Segment;
  #segments = 0;
  #failure: SallyportError | undefined;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #writing = false;
  #dirty = false;
  #flushTimer: NodeJS.Timeout | undefined;
  #flushStarted: number | undefined;
  #flushDue = false;
  #flushWaiters: Waiting[] = [];

  /**
   * @param directory an existing folder of this task's own
   * @param failed called once, when the log has failed: also a flush that nobody waits for can
   */
  constructor(directory: string, files: LogFiles = fs, failed: (error: SallyportError) => void = () => {}) {
    this.#directory = directory;
    this.#files = files;
    let opened = false;
    this.#failed = (error) => opened && failed(error);
    this.#segment = this.#open();
    opened = true;
  }

  /**
   * Appends whole records. When it returns undefined the bytes are in the file; a promise means that they will be when it
   * resolves. Throws, or rejects with, `recording-failed`; nothing is appended after that.
   * @param buffer its bytes from `at` to `end` are appended; it can be used again as soon as this returns
   * @param slab the number of the slab that repeats them
   */
  append(buffer: Buffer, at: number, end: number, slab: number): Promise<void> | undefined {
    if (this.#failure) throw this.#failure;
    if (this.#segment.bytes >= SEGMENT_BYTES && !this.#writing) this.#rotate();
    this.#segment.lastSlab = slab;
    if (this.#writing || end - at >= LARGE_BYTES || this.#stalled())
      return this.#enqueue(Buffer.from(buffer.subarray(at, end)));
    try {
      writeWhole(this.#files, this.#segment.fd, buffer, at, end);
    } catch (cause) {
      throw this.#fail(cause);
    }
    this.#segment.bytes += end - at;
    this.#touch();
    return undefined;
  }

  /** Resolves when all that was appended before this call is on disk. */
  flushed(): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((done, failed) => {
      this.#flushWaiters.push({ bytes: EMPTY, done, failed });
      this.#dirty = true;
      this.#flush();
    });
  }

  /** Milliseconds for which the flush under way has been waiting for the disk. */
  get lagMs(): number {
    return this.#flushStarted === undefined ? 0 : performance.now() - this.#flushStarted;
  }

  /** Deletes the closed segments that hold nothing newer than this slab. */
  release(slab: number): void {
    while (this.#closed[0] && this.#closed[0].lastSlab <= slab) {
      const { file } = this.#closed.shift() as Segment;
      this.#files.unlink(file, () => {});
    }
  }

  /** Flushes and closes; with `remove` deletes every segment, for when all of it is stored elsewhere. */
  async close(remove: boolean): Promise<void> {
    if (!this.#failure) await this.flushed().catch(() => {});
    // Its descriptor may be somebody else's from here on.
    this.#failure ??= new SallyportError("recording-failed", "the recording is closed");
    clearTimeout(this.#flushTimer);
    await new Promise<void>((done) => this.#files.close(this.#segment.fd, () => done()));
    if (!remove) return;
    for (const { file } of [...this.#closed, this.#segment])
      await new Promise<void>((done) => this.#files.unlink(file, () => done()));
  }

  #open(): Segment {
    const file = path.join(this.#directory, `${String(this.#segments++).padStart(8, "0")}.intent`);
    try {
      return { file, fd: this.#files.openSync(file, "ax", 0o600), bytes: 0, lastSlab: 0 };
    } catch (cause) {
      throw this.#fail(cause);
    }
  }

  #rotate(): void {
    const old = this.#segment;
    this.#segment = this.#open();
    this.#closed.push(old);
    this.#unflushed.push(old);
  }

  #stalled(): boolean {
    return this.#flushStarted !== undefined && performance.now() - this.#flushStarted > STALL_MS;
  }

  #enqueue(bytes: Buffer): Promise<void> {
    if (this.#waitingBytes + bytes.length > MAX_WAITING_BYTES)
      throw new SallyportError("recording-failed", "the disk that holds the recordings is too slow");
    this.#waitingBytes += bytes.length;
    const written = new Promise<void>((done, failed) => {
      this.#waiting.push({ bytes, done, failed });
      if (!this.#writing) this.#writeNext();
    });
    written.catch(() => {}); // whoever does not wait for it meets the failure at the next append
    return written;
  }

  /** One write at a time, in order: a hole in the log would hide what stands behind it. */
  #writeNext(): void {
    const next = this.#waiting[0];
    if (next === undefined) return;
    this.#writing = true;
    const segment = this.#segment;
    writeWholeAsync(this.#files, segment.fd, next.bytes, (error) => {
      this.#writing = false;
      if (error) {
        this.#fail(error);
        return;
      }
      segment.bytes += next.bytes.length;
      this.#waitingBytes -= next.bytes.length;
      this.#waiting.shift();
      this.#touch();
      next.done();
      this.#writeNext();
    });
  }

  #touch(): void {
    if (this.#dirty) return;
    this.#dirty = true;
    this.#flushTimer = setTimeout(() => this.#flush(), FLUSH_WITHIN_MS);
  }

  #flush(): void {
    if (this.#failure) return;
    if (this.#flushStarted !== undefined) {
      this.#flushDue = true; // it starts when the present one ends
      return;
    }
    clearTimeout(this.#flushTimer);
    this.#flushDue = this.#dirty = false;
    this.#flushStarted = performance.now();
    const waiters = this.#flushWaiters;
    const rotated = this.#unflushed;
    this.#flushWaiters = [];
    this.#unflushed = [];
    const fds = [...rotated.map(({ fd }) => fd), this.#segment.fd];
    syncAll(this.#files, fds, (error) => {
      this.#flushStarted = undefined;
      for (const { fd } of rotated) this.#files.close(fd, () => {});
      if (error) {
        const failure = this.#fail(error);
        for (const { failed } of waiters) failed(failure);
        return;
      }
      for (const { done } of waiters) done();
      if (this.#flushDue) this.#flush();
    });
  }

  #fail(cause: unknown): SallyportError {
    const first = this.#failure === undefined;
    const failure = (this.#failure ??= new SallyportError("recording-failed", "the recording could not be written", {
      cause,
    }));
    for (const { failed } of [...this.#waiting.splice(0), ...this.#flushWaiters.splice(0)]) failed(failure);
    if (first) this.#failed(failure);
    return failure;
  }
}

const EMPTY = Buffer.alloc(0);

function syncAll(files: LogFiles, fds: readonly number[], done: (error: Error | null) => void): void {
  const [fd, ...rest] = fds;
  if (fd === undefined) done(null);
  else files.fdatasync(fd, (error) => (error ? done(error) : syncAll(files, rest, done)));
}

function writeWhole(files: LogFiles, fd: number, buffer: Buffer, from: number, end: number): void {
  for (let at = from; at < end;) at += files.writeSync(fd, buffer, at, end - at);
}

function writeWholeAsync(
  files: LogFiles,
  fd: number,
  bytes: Buffer,
  done: (error: Error | null) => void,
  at = 0,
): void {
  files.write(fd, bytes, at, bytes.length - at, null, (error, written) => {
    if (error || at + written === bytes.length) done(error);
    else writeWholeAsync(files, fd, bytes, done, at + written);
  });
}
