import {
  FLAG_REDACTED,
  FLAG_WITHHELD,
  FRAME_KIND,
  writeFrameHeader,
  type FrameKind,
} from "../../core/recording/frame.ts";
import type { SessionEvent, SessionOpenedEvent } from "../../core/recording/events.ts";
import type { CloseReason, SessionId } from "../../core/ports/session-store.ts";
import { SallyportError } from "../../core/errors.ts";
import { MARK, MAX_RECORD_PAYLOAD, RECORD_HEADER_BYTES, sealRecord, sessionKey } from "./journal-record.ts";
import type { IntentLog } from "./intent-log.ts";
import { mintPermit, type Permit } from "./permit.ts";
import type { Share, Slabs } from "./slabs.ts";

/** What a recorder of one session needs of the recorder of all. */
export interface RecorderCore {
  readonly log: IntentLog;
  readonly slabs: Slabs;
  /** A session ends, and never goes unrecorded, at this many recorded bytes (invariant 2). */
  readonly maxSessionBytes?: number | undefined;
  /**
   * Throws `recording-failed` when nothing can be recorded any more, `limit-exceeded` when the spool is full.
   * @param closing what is to be recorded is a session's end: there is always room for it
   */
  check(closing?: boolean): void;
  /** Is told of each event that is recorded, to count it. */
  told?(event: SessionEvent): void;
}

/** As much as a week of bulk; more in one session is something else. */
const MAX_SESSION_BYTES = 256 * 2 ** 30;
const NOTHING = Buffer.alloc(0);

/**
 * Records one session. Every method that answers a permit answers it, or a promise of it, only when `bytes` are recorded
 * as the connection's durability demands; it throws or rejects with `recording-failed` or `limit-exceeded`.
 */
export class SessionRecorder {
  readonly session: SessionId;
  readonly opened: Promise<void> | void;
  readonly #core: RecorderCore;
  readonly #strict: boolean;
  /** A policy exempts this session: only events are recorded. */
  readonly #exempt: boolean;
  readonly #startedAt = performance.now();
  readonly #header = Buffer.alloc(RECORD_HEADER_BYTES);
  readonly #share: Share = { slab: -1, bytes: 0 };
  #frames = 0;
  #bytes = 0;
  #sealed = false;
  #refused: SallyportError | undefined;

  /** Opens the recording: the event is in the intent log when `opened` resolves, on disk within 50 ms. */
  constructor(core: RecorderCore, opened: SessionOpenedEvent) {
    this.session = opened.session as SessionId;
    this.#core = core;
    this.#strict = opened.durability === "strict";
    this.#exempt = opened.unrecordedBy !== undefined;
    sessionKey(this.session).copy(this.#header, 8);
    this.opened = this.#eventRecord(opened, MARK.opens);
  }

  /**
   * What the client asks. It is in the intent log before the permit is made.
   * @param recorded the same bytes with secrets replaced, where there are any
   */
  input(bytes: Buffer, recorded: Buffer = bytes): Permit<"target"> | Promise<Permit<"target">> {
    return this.#input(recorded === bytes ? 0 : FLAG_REDACTED, bytes, recorded);
  }

  /**
   * What the client asked and the target must not see: it is recorded, and `substitute` may go on in its place.
   * @param recorded the same bytes as `asked` with secrets replaced, where there are any
   */
  withheld(asked: Buffer, substitute: Buffer, recorded: Buffer = asked): Permit<"target"> | Promise<Permit<"target">> {
    return this.#input(FLAG_WITHHELD | (recorded === asked ? 0 : FLAG_REDACTED), substitute, recorded);
  }

  /** What the client asks of the gateway itself: it is recorded, and nothing goes on. */
  asked(bytes: Buffer): Permit<"target"> | Promise<Permit<"target">> {
    return this.#input(0, NOTHING, bytes);
  }

  #input(flags: number, bytes: Buffer, recorded: Buffer): Permit<"target"> | Promise<Permit<"target">> {
    if (this.#exempt) return this.#unrecorded<"target">(bytes);
    if (recorded.length > MAX_RECORD_PAYLOAD) return this.#inPieces(FRAME_KIND.input, flags, bytes, recorded, true);
    const waiting = this.#record(FRAME_KIND.input, flags, recorded, true, MARK.none);
    this.#core.check(); // the write may have waited for a disk that stalls
    return this.#permit<"target">(bytes, recorded.length, waiting);
  }

  /**
   * What the client is to see. It is in the spool within one second, or at once with `strict`.
   * @param recorded the same bytes with secrets replaced, where there are any
   */
  output(bytes: Buffer, recorded: Buffer = bytes): Permit<"client"> | Promise<Permit<"client">> {
    return this.#output(recorded === bytes ? 0 : FLAG_REDACTED, bytes, recorded);
  }

  /** What the target tells the gateway itself: it is recorded, and nothing goes on. */
  heard(bytes: Buffer): Permit<"client"> | Promise<Permit<"client">> {
    return this.#output(0, NOTHING, bytes);
  }

  #output(flags: number, bytes: Buffer, recorded: Buffer): Permit<"client"> | Promise<Permit<"client">> {
    if (this.#exempt) return this.#unrecorded<"client">(bytes);
    if (recorded.length > MAX_RECORD_PAYLOAD)
      return this.#inPieces(FRAME_KIND.output, flags, bytes, recorded, this.#strict);
    const waiting = this.#record(FRAME_KIND.output, flags, recorded, this.#strict, MARK.none);
    return this.#permit<"client">(bytes, recorded.length, waiting);
  }

  /** Records what the bytes do not say. */
  event(event: SessionEvent): void | Promise<void> {
    return this.#eventRecord(event, MARK.none);
  }

  /** Records nothing more but the session's end: whatever is asked or shown next throws this. */
  refuse(error: SallyportError): void {
    this.#refused ??= error;
  }

  /** Ends the recording. Nothing is recorded after it, and so nothing can be forwarded. Idempotent. */
  seal(reason: CloseReason, message?: string): void {
    if (this.#sealed) return;
    try {
      void this.#eventRecord(
        { type: "session-closed", reason, ...(message === undefined ? {} : { message }) },
        MARK.closes,
      );
    } finally {
      this.#sealed = true;
    }
  }

  /** Also an exempt session ends with the recorder: its events could not be kept. */
  #unrecorded<To extends "client" | "target">(bytes: Buffer): Permit<To> {
    this.#demandOpen(false);
    return mintPermit<To>(bytes);
  }

  #demandOpen(closing: boolean): void {
    if (this.#sealed) throw new SallyportError("recording-failed", "the recording of this session has ended");
    this.#core.check(closing);
    if (this.#refused && !closing) throw this.#refused;
  }

  #permit<To extends "client" | "target">(
    bytes: Buffer,
    length: number,
    written: Promise<void> | undefined,
  ): Permit<To> | Promise<Permit<To>> {
    const admitted = this.#core.slabs.admission(this.#share, length);
    if (!this.#strict && written === undefined && admitted === undefined) return mintPermit<To>(bytes);
    return this.#awaited<To>(bytes, written, admitted);
  }

  async #awaited<To extends "client" | "target">(
    bytes: Buffer,
    written: Promise<void> | undefined,
    admitted: Promise<void> | undefined,
  ): Promise<Permit<To>> {
    await written;
    if (this.#strict) await this.#core.log.flushed();
    await admitted;
    this.#core.check();
    return mintPermit<To>(bytes);
  }

  #eventRecord(event: SessionEvent, marks: number): void | Promise<void> {
    const payload = Buffer.from(JSON.stringify(event));
    if (payload.length > MAX_RECORD_PAYLOAD)
      throw new SallyportError("limit-exceeded", "an event is too large to record");
    this.#core.told?.(event);
    return this.#record(FRAME_KIND.event, 0, payload, true, marks);
  }

  /**
   * What is larger than a record, one after the other: the memory between a session and the disk holds one record of it, or
   * a few large statements would leave no room in the log for anybody else's.
   */
  async #inPieces<To extends "client" | "target">(
    kind: FrameKind,
    flags: number,
    bytes: Buffer,
    recorded: Buffer,
    intent: boolean,
  ): Promise<Permit<To>> {
    for (let at = 0; at < recorded.length; at += MAX_RECORD_PAYLOAD) {
      const piece = recorded.subarray(at, at + MAX_RECORD_PAYLOAD);
      await this.#record(kind, flags, piece, intent, MARK.none);
      await this.#core.slabs.admission(this.#share, piece.length);
    }
    return this.#awaited<To>(bytes, undefined, undefined);
  }

  /** One frame, in the intent log where `intent` says so, and always in the slab. */
  #record(kind: FrameKind, flags: number, bytes: Buffer, intent: boolean, marks: number): Promise<void> | undefined {
    const closing = marks === MARK.closes;
    this.#demandOpen(closing);
    this.#bytes += bytes.length;
    if (this.#bytes > (this.#core.maxSessionBytes ?? MAX_SESSION_BYTES) && !closing)
      throw new SallyportError("limit-exceeded", "the session has reached the size up to which it can be recorded");
    return this.#frame(kind, flags, bytes, intent, marks);
  }

  #frame(kind: FrameKind, flags: number, payload: Buffer, intent: boolean, marks: number): Promise<void> | undefined {
    const { log, slabs } = this.#core;
    const micros = Math.round((performance.now() - this.#startedAt) * 1000);
    this.#header.writeUInt32LE(this.#frames++, 4);
    this.#header.writeUInt32LE(marks, 24);
    writeFrameHeader(this.#header, 28, payload.length, kind, flags, 0, micros);
    const at = slabs.add(this.#header, payload);
    if (!intent) return undefined;
    const end = at + RECORD_HEADER_BYTES + payload.length;
    sealRecord(slabs.open, at, end);
    return log.append(slabs.open, at, end, slabs.number);
  }
}
