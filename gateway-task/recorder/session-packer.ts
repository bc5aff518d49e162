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
import {
  FRAME_HEADER_BYTES,
  FRAME_KIND,
  MAX_FRAME_PAYLOAD,
  writeFrameHeader,
  type Frame,
  type FrameKind,
} from "../../core/recording/frame.ts";
import type { Interpreter, NewInterpreter } from "../../core/recording/interpreter.ts";
import type { SessionId } from "../../core/ports/session-store.ts";
import { eventJson } from "./event-json.ts";

const INITIAL_BODY_BYTES = 4 << 10;
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

interface NumberedFrame extends Frame {
  readonly frameNumber: number;
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
  #body: Buffer = EMPTY;
  #length = 0;
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
    return this.#length === 0;
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
    this.#append(frame.kind, frame.flags, frame.channel, frame.micros, frame.payload);
    this.#interpret(frame);
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
      else this.#interpret(frame);
    this.#muted = false;
    this.#sequence = header.sequence + 1;
    this.#firstFrame = header.firstFrame + header.frames;
    this.#previous = digest;
  }

  /** Closes the open chunk, if there is anything in it. */
  flush(): void {
    if (this.#length === 0) return;
    const header: ChunkHeader = {
      session: this.session,
      sequence: this.#sequence,
      frames: this.#frames,
      firstFrame: this.#firstFrame,
      startedAt: this.#startedAt,
      previous: this.#previous,
    };
    const bytes = encodeChunk(header, this.#body.subarray(0, this.#length));
    this.#previous = sha256(bytes);
    this.#sequence++;
    this.#firstFrame += this.#frames;
    this.#frames = 0;
    this.#length = 0;
    giveBackBody(this.#body);
    this.#body = EMPTY;
    this.#sink({ session: this.session, sequence: header.sequence, bytes, sha256: toDigest(this.#previous) });
  }

  #interpret(frame: Frame): void {
    this.#micros = frame.micros;
    if (frame.kind === FRAME_KIND.input) {
      this.#bytesIn += frame.payload.length;
      this.#interpreter.input(frame.payload, frame.micros, frame.flags);
    } else if (frame.kind === FRAME_KIND.output) {
      this.#bytesOut += frame.payload.length;
      this.#interpreter.output(frame.payload, frame.micros, frame.flags);
    }
  }

  #event(event: SessionEvent, micros: number): void {
    if (this.#muted) return;
    const json = eventJson(event);
    this.#reserve(FRAME_HEADER_BYTES + 3 * json.length); // UTF-8 takes at most 3 bytes a UTF-16 unit
    const at = this.#length + FRAME_HEADER_BYTES;
    const length = this.#body.write(json, at, "utf8");
    if (length > MAX_FRAME_PAYLOAD) return this.#append(FRAME_KIND.event, 0, 0, micros, TOO_LARGE);
    writeFrameHeader(this.#body, this.#length, length, FRAME_KIND.event, 0, 0, micros);
    this.#advance(at + length);
  }

  #append(kind: FrameKind, flags: number, channel: number, micros: number, payload: Buffer): void {
    this.#reserve(FRAME_HEADER_BYTES + payload.length);
    const at = writeFrameHeader(this.#body, this.#length, payload.length, kind, flags, channel, micros);
    payload.copy(this.#body, at);
    this.#advance(at + payload.length);
  }

  #advance(length: number): void {
    this.#length = length;
    if (length >= CHUNK_BODY_TARGET) this.flush();
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#body.length) return;
    const grown = takeBody(needed);
    this.#body.copy(grown, 0, 0, this.#length);
    giveBackBody(this.#body);
    this.#body = grown;
  }
}

/**
 * Bodies of closed chunks, for the next chunk that needs one: an idle session holds none, and busy ones do not make the
 * collector's work. Ordered by nothing: the last one given back is the first one taken.
 */
const spareBodies: Buffer[] = [];
let spareBytes = 0;
const MAX_SPARE_BYTES = 16 << 20;

function takeBody(needed: number): Buffer {
  const spare = spareBodies.pop();
  spareBytes -= spare?.length ?? 0;
  if (spare !== undefined && spare.length >= needed) return spare;
  const doubled = Math.max(INITIAL_BODY_BYTES, spare === undefined ? 0 : spare.length, needed);
  return Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(doubled)));
}

function giveBackBody(body: Buffer): void {
  if (body.length === 0 || spareBytes + body.length > MAX_SPARE_BYTES) return;
  spareBodies.push(body);
  spareBytes += body.length;
}

const EMPTY = Buffer.alloc(0);
