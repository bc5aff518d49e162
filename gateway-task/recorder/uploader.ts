import { readFile, unlink } from "node:fs/promises";
import type { Logger } from "pino";
import { SallyportError } from "../../core/errors.ts";
import type { Digest } from "../../core/brand.ts";
import type { ChunkStore } from "../../core/ports/chunk-store.ts";
import type { SessionId } from "../../core/ports/session-store.ts";
import { within } from "../within.ts";
import { STORE_WITHIN_MS } from "./timely-stores.ts";

/** Uploads at a time: two leave half of Node's thread pool to the flushing of the intent log. */
const CONCURRENCY = 2;
/** Chunks of one session that are stored together, where the store can. */
const MAX_BATCH = 32;
/** Calls that were given up and may still answer: each holds a chunk or the names of a batch. No more are made beyond it. */
const MAX_UNANSWERED = 64;
const FIRST_RETRY_MS = 200;
const MAX_RETRY_MS = 15_000;

export interface SpooledChunk {
  readonly session: SessionId;
  readonly sequence: number;
  readonly file: string;
  readonly sha256: Digest;
}

interface Job {
  readonly chunk: SpooledChunk;
  readonly stored: () => void;
}

/**
 * Moves chunks from the spool to the store. A chunk's file is deleted only when the store has confirmed it, which it does
 * by checksum; an outage is retried for as long as it lasts, and the spool's own bound ends it if it must. A call that does
 * not answer is given up and made again: should both succeed in the end, they have put the same bytes under the same key.
 */
export class Uploader {
  readonly #store: ChunkStore;
  readonly #logger: Logger;
  readonly #queue: Job[] = [];
  readonly #withinMs: number;
  readonly #failed: () => void;
  #running = 0;
  #unanswered = 0;
  #stopped = false;
  #idle: (() => void)[] = [];

  /** @param failed called for each call to the store that failed */
  constructor(store: ChunkStore, logger: Logger, withinMs = STORE_WITHIN_MS, failed: () => void = () => {}) {
    this.#withinMs = withinMs;
    this.#store = store;
    this.#logger = logger;
    this.#failed = failed;
  }

  /** @param stored called when the store has the chunk and its file is gone */
  add(chunk: SpooledChunk, stored: () => void): void {
    this.#queue.push({ chunk, stored });
    if (this.#running < CONCURRENCY) void this.#work();
  }

  /** Resolves when nothing is left to upload. */
  idle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return new Promise((done) => this.#idle.push(done));
  }

  /** Gives up retrying: what is in the spool stays there for the next task. */
  stop(): void {
    this.#stopped = true;
    this.#queue.length = 0;
  }

  /** Chunks that could not be stored go to the end of the queue: one that never can be must not hold up the others. */
  async #work(): Promise<void> {
    this.#running++;
    let delay = FIRST_RETRY_MS;
    for (let jobs = this.#next(); jobs.length > 0; jobs = this.#next()) {
      if (await this.#upload(jobs)) {
        delay = FIRST_RETRY_MS;
        continue;
      }
      if (this.#stopped) break;
      for (const job of jobs) this.#queue.push(job);
      await new Promise((done) => setTimeout(done, delay).unref());
      delay = Math.min(delay * 2, MAX_RETRY_MS);
    }
    this.#running--;
    if (this.#running === 0) for (const done of this.#idle.splice(0)) done();
  }

  /** The oldest chunk, and those of its session that wait right behind it. */
  #next(): Job[] {
    const [first] = this.#queue;
    let count = 0;
    while (
      count < MAX_BATCH &&
      this.#queue[count]?.chunk.session === first?.chunk.session &&
      count < this.#queue.length
    )
      count++;
    return this.#queue.splice(0, count);
  }

  /** Whether the store has them now. */
  async #upload(jobs: readonly Job[]): Promise<boolean> {
    try {
      await this.#put(jobs.map(({ chunk }) => chunk));
    } catch (error) {
      this.#failed();
      this.#logger.error({ err: error, session: jobs[0]?.chunk.session }, "chunks could not be stored");
      return false;
    }
    for (const { chunk, stored } of jobs) {
      await unlink(chunk.file).catch(() => {}); // else it goes with the session's folder
      stored();
    }
    return true;
  }

  async #put(chunks: readonly SpooledChunk[]): Promise<void> {
    const store = this.#store;
    if (store.adopt !== undefined && (await this.#timely(() => store.adopt?.(chunks))) === true) return;
    for (const chunk of chunks) {
      const body = await readFile(chunk.file);
      await this.#timely(() => store.put(chunk, body, chunk.sha256));
    }
  }

  async #timely<T>(call: () => Promise<T> | undefined): Promise<T | undefined> {
    if (this.#unanswered >= MAX_UNANSWERED)
      throw new SallyportError("store-unavailable", "the store has left too many calls without an answer");
    this.#unanswered++;
    const asked = Promise.resolve(call()).finally(() => this.#unanswered--);
    asked.catch(() => {}); // it may fail when nobody waits for it any more
    return within(this.#withinMs, asked, "storing a chunk");
  }
}
