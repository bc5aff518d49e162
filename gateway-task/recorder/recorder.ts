import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { Worker } from "node:worker_threads";
import type { Logger } from "pino";
import { SallyportError } from "../../core/errors.ts";
import type { SessionEvent, SessionOpenedEvent } from "../../core/recording/events.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { LeaseStore } from "../../core/ports/lease-store.ts";
import type { CloseReason, SessionId } from "../../core/ports/session-store.ts";
import type { Digest, Instant } from "../../core/brand.ts";
import { alone } from "../alone.ts";
import { type Counters, countEvent, newCounters } from "../counters.ts";
import { newSessionLimits, type SessionLimits } from "../session-limits.ts";
import { within } from "../within.ts";
import { closeSession, openingOf, type EvidenceStores } from "./closing.ts";
import { IntentLog, type LogFiles } from "./intent-log.ts";
import type { FromPacker, ToPacker } from "./packer-protocol.ts";
import { spoolRecovery } from "./recovery.ts";
import type { SessionTotals } from "./session-packer.ts";
import { SessionRecorder, type RecorderCore } from "./session-recorder.ts";
import { Slabs } from "./slabs.ts";
import { spoolLease } from "../../core/recording/spool-lease.ts";
import { type LeaseKeeper, leaseKeeper, type Monotonic } from "./spool-lease.ts";
import { spoolFault } from "./spool-room.ts";
import { STORE_WITHIN_MS, timelyStores } from "./timely-stores.ts";
import { Uploader } from "./uploader.ts";

const HOUSEKEEPING_MS = 1_000;
/** Less than half of the heap that V8 gives a thread on a machine of 1 GiB. What an application prepares takes some 100 kB. */
const MAX_HELD_BYTES = 192 << 20;
const CLOSE_RETRY_MS = 1_000;
/** A client waits for its session to open: what the index needs longer for is refused, and closed again. */
const OPEN_WITHIN_MS = 10_000;
const OVERDRAWN = "the session keeps more unanswered or prepared than can be followed";
/** At the very end, for a last flush of a disk that may stall, and for giving up the lease. */
const LET_GO_MS = 1_000;

export interface RecorderOptions extends EvidenceStores {
  /** Folder of all tasks' spools; it outlives the task. */
  readonly spool: string;
  /** This task's name, different at every start. */
  readonly task: string;
  readonly leases: LeaseStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly files?: LogFiles;
  readonly monotonic?: Monotonic;
  readonly limits?: SessionLimits;
  readonly maxSessionBytes?: number;
  /** Memory that all sessions together may hold for what is asked and prepared. */
  readonly maxHeldBytes?: number;
  /** How long a store may take for an answer. */
  readonly storeWithinMs?: number;
  /** Where what happens is counted; nobody reads it where it is not given. */
  readonly counters?: Counters | undefined;
}

/** How far what was recorded is behind. */
export interface RecorderStanding {
  /** Milliseconds for which what was handed first to the disk or to the packer's thread has waited for it. */
  readonly lagMs: number;
  /** Milliseconds for which the oldest of what the store is still to take has been in the spool. */
  readonly spoolAgeMs: number;
}

interface Ending {
  readonly recorder: SessionRecorder;
  /** Makes room for another session. */
  readonly leave: () => void;
  readonly opened: SessionOpenedEvent;
  reason: CloseReason;
  endedAt: Instant;
  /** Chunks of it that the store has. */
  stored: number;
  /** Its last chunk, once the store has that one. */
  last: LastChunk | undefined;
}

interface LastChunk {
  readonly sequence: number;
  readonly sha256: Digest;
  readonly totals: SessionTotals;
  readonly mark: Mark;
}

/** A chunk that is not yet in the store. */
interface Mark {
  readonly firstSlab: number;
  /** When it came into the spool, by the clock that nobody sets. */
  readonly since: number;
}

export interface Recorder {
  /** Opens a session's recording and its row in the index. Rejects when either cannot be: the session must not go on. */
  open(opened: SessionOpenedEvent): Promise<SessionRecorder>;
  /** Ends a session's recording, says so in the index when all of it is stored. Never throws. */
  seal(recorder: SessionRecorder, reason: CloseReason, message?: string): void;
  /** Called once, when nothing can be recorded any more. */
  onFailure(listener: (error: SallyportError) => void): void;
  /** Why no session could be opened now; undefined while one could. */
  readonly fault: SallyportError | undefined;
  readonly standing: RecorderStanding;
  /** Stores what is left and ends; what cannot be stored within `withinMs` stays in the spool for the next task. */
  close(withinMs: number): Promise<void>;
}

/** Starts the recorder of this task, after taking over what dead tasks left in the spool. */
export async function startRecorder(options: RecorderOptions): Promise<Recorder> {
  const directory = path.join(options.spool, options.task);
  if (!(await options.leases.acquire(spoolLease(options.task), options.task)))
    throw new SallyportError("conflict", `the spool of task ${options.task} belongs to another process`);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  return new TaskRecorder(directory, options);
}

class TaskRecorder implements Recorder, RecorderCore {
  readonly log: IntentLog;
  readonly slabs: Slabs;
  readonly maxSessionBytes: number | undefined;
  readonly #options: RecorderOptions;
  readonly #stores: EvidenceStores;
  readonly #directory: string;
  readonly #worker: Worker;
  readonly #uploader: Uploader;
  readonly #sessions = new Map<SessionId, Ending>();
  /** Oldest first. */
  readonly #outstanding = new Set<Mark>();
  readonly #counters: Counters;
  readonly #housekeeping: NodeJS.Timeout;
  #openSlab = 0;
  #failure: SallyportError | undefined;
  #full: SallyportError | undefined;
  #listeners: ((error: SallyportError) => void)[] = [];
  #settled: (() => void)[] = [];
  #flushed: (() => void)[] = [];
  readonly #limits: SessionLimits;
  readonly #lease: LeaseKeeper;
  readonly #lookForSpools: () => Promise<void>;
  readonly #measureSpool = alone(async () => {
    this.#full = await spoolFault(this.#directory);
  });
  readonly #recoverSpools = alone(() => this.#recover());

  constructor(directory: string, options: RecorderOptions) {
    this.#options = options;
    this.maxSessionBytes = options.maxSessionBytes;
    this.#directory = directory;
    const monotonic = options.monotonic ?? (() => performance.now());
    this.#lease = leaseKeeper(options.leases, options.task, monotonic, (error) => this.#fail(error));
    this.#limits = options.limits ?? newSessionLimits();
    const withinMs = options.storeWithinMs ?? STORE_WITHIN_MS;
    this.#stores = timelyStores(options, withinMs);
    this.#lookForSpools = spoolRecovery({ ...options, ...this.#stores, monotonic });
    this.log = new IntentLog(directory, options.files, (error) => this.#fail(error));
    this.#counters = options.counters ?? newCounters();
    this.#uploader = new Uploader(options.chunks, options.logger, withinMs, () => this.#counters.uploadFailures++);
    this.#worker = new Worker(new URL("./packer-worker.ts", import.meta.url), {
      workerData: { spool: directory, maxHeldBytes: options.maxHeldBytes ?? MAX_HELD_BYTES },
    });
    this.#worker.on("message", (message: FromPacker) => this.#hear(message));
    this.#worker.on("error", (cause) =>
      this.#fail(new SallyportError("recording-failed", "the recorder failed", { cause })),
    );
    this.slabs = new Slabs(this.#worker);
    this.#housekeeping = setInterval(() => void this.#keepHouse(), HOUSEKEEPING_MS);
    void this.#recoverSpools();
  }

  async open(opened: SessionOpenedEvent): Promise<SessionRecorder> {
    const leave = this.#limits.admit(opened.principal.id);
    const recorder = orElse(leave, () => new SessionRecorder(this, opened));
    const { session } = recorder;
    const ending = { recorder, leave, opened, reason: "interrupted", endedAt: 0, stored: 0, last: undefined } as const;
    this.#sessions.set(session, { ...ending });
    try {
      await recorder.opened;
      const row = this.#stores.sessions.open(openingOf(opened, this.#options.task));
      await within(OPEN_WITHIN_MS, row, "opening a session in the index");
    } catch (error) {
      this.seal(recorder, "recording-failed");
      throw error;
    }
    return recorder;
  }

  seal(recorder: SessionRecorder, reason: CloseReason, message?: string): void {
    const ending = this.#sessions.get(recorder.session);
    if (ending === undefined || ending.endedAt > 0) return;
    ending.reason = reason;
    ending.endedAt = this.#options.clock();
    ending.leave();
    try {
      recorder.seal(reason, message);
    } catch (error) {
      // The recorder has failed: the spool keeps the session, and the next task closes it as interrupted.
      this.#options.logger.error({ err: error, session: recorder.session }, "a session's end could not be recorded");
    }
  }

  onFailure(listener: (error: SallyportError) => void): void {
    this.#listeners.push(listener);
  }

  check(closing = false): void {
    if (this.#failure) throw this.#failure;
    this.#lease.demand();
    if (this.#full && !closing) throw this.#full;
  }

  told(event: SessionEvent): void {
    countEvent(this.#counters, event);
  }

  get fault(): SallyportError | undefined {
    return this.#failure ?? this.#full;
  }

  get standing(): RecorderStanding {
    const [oldest] = this.#outstanding;
    const spoolAgeMs = oldest === undefined ? 0 : performance.now() - oldest.since;
    return { lagMs: Math.max(this.log.lagMs, this.slabs.lagMs), spoolAgeMs };
  }

  async close(withinMs: number): Promise<void> {
    const after = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms).unref());
    await Promise.race([this.#drain(), after(withinMs)]);
    clearInterval(this.#housekeeping);
    this.#uploader.stop();
    const complete = this.#sessions.size === 0 && this.#failure === undefined;
    // Whatever still lives must not go on: nothing would be left of it.
    this.#failure ??= new SallyportError("shutting-down", "the gateway is being shut down");
    await this.#worker.terminate();
    this.slabs.abandon();
    await Promise.race([this.#letGo(complete), after(LET_GO_MS)]);
  }

  async #letGo(complete: boolean): Promise<void> {
    const { leases, task } = this.#options;
    await this.log.close(complete);
    if (complete) await rm(this.#directory, { recursive: true, force: true });
    await leases.release(spoolLease(task), task).catch(() => {});
  }

  async #drain(): Promise<void> {
    if (this.#failure) return;
    this.slabs.handOver();
    this.#worker.postMessage({ kind: "flush" } satisfies ToPacker);
    await new Promise<void>((done) => this.#flushed.push(done));
    await this.#uploader.idle();
    if (this.#sessions.size > 0) await new Promise<void>((done) => this.#settled.push(done));
  }

  #hear(message: FromPacker): void {
    switch (message.kind) {
      case "slab-returned":
        this.slabs.returned(message.slab);
        break;
      case "chunk":
        this.#upload(message);
        break;
      case "overdrawn":
        this.#sessions.get(message.session)?.recorder.refuse(new SallyportError("limit-exceeded", OVERDRAWN));
        break;
      case "progress":
        this.#openSlab = message.openSlab;
        break;
      case "flushed":
        for (const done of this.#flushed.splice(0)) done();
        break;
    }
  }

  #upload(chunk: FromPacker & { kind: "chunk" }): void {
    const mark: Mark = { firstSlab: chunk.firstSlab, since: performance.now() };
    this.#outstanding.add(mark);
    this.#uploader.add(chunk, () => {
      const { session, totals } = chunk;
      const ending = this.#sessions.get(session);
      if (totals === undefined) this.#outstanding.delete(mark);
      if (ending === undefined) return;
      ending.stored++;
      if (totals !== undefined) ending.last = { sequence: chunk.sequence, sha256: chunk.sha256, totals, mark };
      // Chunks are stored side by side: the last one may be there before others are.
      if (ending.last !== undefined && ending.stored > ending.last.sequence)
        void this.#finish(session, ending, ending.last);
    });
  }

  /** All chunks are stored. Until the manifest is too, the intent log and the session's folder stay. */
  async #finish(session: SessionId, ending: Ending, last: LastChunk): Promise<void> {
    const { opened, reason, endedAt } = ending;
    const { task, logger } = this.#options;
    const { totals, sequence, sha256 } = last;
    try {
      const opening = openingOf(opened, task);
      await closeSession(this.#stores, { opening, endedAt, reason, totals, chunks: sequence + 1, head: sha256 });
      await rm(path.join(this.#directory, session), { recursive: true, force: true });
    } catch (error) {
      logger.error({ err: error, session }, "a session could not be closed in the store");
      setTimeout(() => void this.#finish(session, ending, last), CLOSE_RETRY_MS).unref();
      return;
    }
    this.#outstanding.delete(last.mark);
    this.#sessions.delete(session);
    if (this.#sessions.size === 0) for (const done of this.#settled.splice(0)) done();
  }

  async #keepHouse(): Promise<void> {
    let oldest = this.#openSlab;
    for (const { firstSlab } of this.#outstanding) oldest = Math.min(oldest, firstSlab); // of any number: no spreading
    this.log.release(oldest - 1);
    await Promise.all([this.#lease.renew(), this.#measureSpool()]);
    await this.#recoverSpools();
  }

  async #recover(): Promise<void> {
    try {
      await this.#lookForSpools();
    } catch (error) {
      this.#options.logger.error({ err: error }, "a dead task's spool could not be recovered; it will be tried again");
    }
  }

  #fail(error: SallyportError): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#options.logger.error({ err: error }, "the recorder failed: every session ends");
    this.slabs.abandon();
    for (const listener of this.#listeners) listener(error);
  }
}

/** The result, or after `failed` what was thrown. */
function orElse<T>(failed: () => void, run: () => T): T {
  try {
    return run();
  } catch (error) {
    failed();
    throw error;
  }
}
