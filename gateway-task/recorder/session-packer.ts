import {
  CHUNK_BODY_TARGET,
  encodeChunk,
  genesis,
  sha256,
  toDigest,
  type ChunkHeader,
} from "../../core/recording/chunk.ts";
import type { Digest } from "../../core/brand.ts";
import { FORGOTTEN, type SessionEvent } from "../../core/recording/events.ts";
import { FRAME_KIND, MAX_FRAME_PAYLOAD, type Frame, type FrameKind } from "../../core/recording/frame.ts";
import type { Interpreter, NewInterpreter } from "../../core/recording/interpreter.ts";
import type { SessionId } from "../../core/ports/session-store.ts";
import { ChunkBody } from "./chunk-body.ts";
import { writeEvent } from "./event-json.ts";

const TOO_LARGE = Buffer.from(
  JSON.stringify({
    type: "error",
    severity: "WARNING",
    sqlstate: "54000",
    message: "an event was too large to be stored; the raw frames before it hold what it was derived from",
  } satisfies SessionEvent),
);

const FORGOTTEN_JSON = Buffer.from(JSON.stringify(FORGOTTEN));

export interface PackedChunk {
  readonly session: SessionId;
  readonly sequence: number;
  readonly bytes: Buffer;
  readonly sha256: Digest;
}

export interface SessionTotals {
  readonly statements: number;
  readonly frames: number;
  readonly bytesFromClient: number;
  readonly bytesFromTarget: number;
}

/** A frame on its way into a chunk; its payload is `bytes` from `start` to `end`, which are the caller's again when it is added. */
interface NumberedFrame extends Omit<Frame, "payload"> {
  readonly frameNumber: number;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/**
 * Turns one session's frames into chunks: appends the events that the interpreter derives, compresses, and links each
 * chunk to the hash of the one before. The same frames give the same chunks, in a living gateway and after a crash.
 */
export class SessionPacker {
  readonly session: SessionId;
  readonly #startedAt: number;
  readonly #sink: (chunk: PackedChunk) => void;
  readonly #interpreter: Interpreter;
  readonly #body = new ChunkBody();
  #frames = 0;
  #firstFrame = 0;
  #sequence = 0;
  #previous: Uint8Array;
  #micros = 0;
  #muted = false;
  #bytesIn = 0;
  #bytesOut = 0;

  /** @param sink takes each chunk as it closes */
  constructor(
    session: SessionId,
    startedAt: number,
    newInterpreter: NewInterpreter,
    sink: (chunk: PackedChunk) => void,
  ) {
    this.session = session;
    this.#sink = sink;
    this.#startedAt = startedAt;
    this.#previous = genesis(session);
    this.#interpreter = newInterpreter((event, micros) => this.#event(event, micros));
  }

  /** The number that the next frame bears, when none is lost. */
  get nextFrame(): number {
    return this.#firstFrame + this.#frames;
  }

  get isEmpty(): boolean {
    return this.#body.length === 0;
  }

  get totals(): SessionTotals {
    return {
      statements: this.#interpreter.statements,
      frames: this.nextFrame,
      bytesFromClient: this.#bytesIn,
      bytesFromTarget: this.#bytesOut,
    };
  }

  /** Adds the next frame. Frames between it and the last one are lost: the recording says so. */
  add(frame: NumberedFrame): void {
    const lost = frame.frameNumber - this.nextFrame;
    if (lost > 0) {
      const message = "the gateway died before it had written these frames";
      this.#event({ type: "gap", frames: lost, message }, frame.micros);
      this.#frames += lost;
    }
    this.#frames++;
    const { kind, flags, channel, micros, bytes, start, end } = frame;
    this.#body.frame(kind, flags, channel, micros, bytes, start, end);
    this.#flushFull();
    this.#interpret(kind, bytes, start, end, micros, flags);
  }

  /** Ends the recording with an event of the packer's own, where the gateway could not write one. */
  addEvent(event: SessionEvent): void {
    this.finish();
    this.#event(event, this.#micros);
  }

  /** Bytes of memory that are held for it, roughly, beside its open chunk. */
  get held(): number {
    return this.#interpreter.held;
  }

  /** Lets go of that memory; what is asked has an unknown outcome from here on. */
  forget(): void {
    this.#interpreter.forget(this.#micros);
  }

  /** Statements without an outcome get the outcome `unknown`. */
  finish(): void {
    this.#interpreter.finish(this.#micros);
  }

  /**
   * Takes up a session whose first chunks are stored already: the interpreter sees their frames again, which brings it to
   * the state that it had, and what it derives from them is dropped, since it stands in those chunks.
   */
  resume(header: ChunkHeader, frames: Iterable<Frame>, digest: Uint8Array): void {
    this.#muted = true;
    for (const frame of frames)
      if (frame.kind === FRAME_KIND.event && FORGOTTEN_JSON.equals(frame.payload)) this.forget();
      else this.#interpret(frame.kind, frame.payload, 0, frame.payload.length, frame.micros, frame.flags);
    this.#muted = false;
    this.#sequence = header.sequence + 1;
    this.#firstFrame = header.firstFrame + header.frames;
    this.#previous = digest;
  }

  /** Closes the open chunk, if there is anything in it. */
  flush(): void {
    if (this.isEmpty) return;
    const header: ChunkHeader = {
      session: this.session,
      sequence: this.#sequence,
      frames: this.#frames,
      firstFrame: this.#firstFrame,
      startedAt: this.#startedAt,
      previous: this.#previous,
    };
    const bytes = encodeChunk(header, this.#body.bytes);
    this.#previous = sha256(bytes);
    this.#sequence++;
    this.#firstFrame += this.#frames;
    this.#frames = 0;
    this.#body.empty();
    this.#sink({ session: this.session, sequence: header.sequence, bytes, sha256: toDigest(this.#previous) });
  }

  #interpret(kind: FrameKind, bytes: Buffer, start: number, end: number, micros: number, flags: number): void {
    this.#micros = micros;
    if (kind === FRAME_KIND.input) {
      this.#bytesIn += end - start;
      this.#interpreter.input(bytes, micros, flags, start, end);
    } else if (kind === FRAME_KIND.output) {
      this.#bytesOut += end - start;
      this.#interpreter.output(bytes, micros, flags, start, end);
    }
  }

  #event(event: SessionEvent, micros: number): void {
    if (this.#muted) return;
    const at = this.#body.beginFrame();
    writeEvent(this.#body, event);
    if (!this.#body.endFrame(at, FRAME_KIND.event, micros, MAX_FRAME_PAYLOAD))
      this.#body.frame(FRAME_KIND.event, 0, 0, micros, TOO_LARGE, 0, TOO_LARGE.length);
    this.#flushFull();
  }

  #flushFull(): void {
    if (this.#body.length >= CHUNK_BODY_TARGET) this.flush();
  }
}
