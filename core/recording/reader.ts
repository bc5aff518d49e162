import { SallyportError } from "../errors.ts";
import type { ChunkStore } from "../ports/chunk-store.ts";
import type { SessionClosing, SessionId } from "../ports/session-store.ts";
import { type Chunk, type ChunkHeader, decodeChunk, sha256, toDigest } from "./chunk.ts";
import { type SessionEvent, sessionEvent } from "./events.ts";
import { type Frame, FRAME_KIND, readFrames } from "./frame.ts";
import { beginning, type Position, type Trail } from "./position.ts";

/** What a closed session's recording must end with: its number of chunks and the hash of the last. */
type Seal = Pick<SessionClosing, "chunks" | "head">;

export interface ReadOptions {
  /** Where to start; the beginning by default. It must come from an earlier read of the same session. */
  readonly from?: Position | undefined;
  /** Given for a closed session: its last chunks cannot be missing unnoticed. */
  readonly seal?: Seal | undefined;
  /** The session goes on: chunks are stored in parallel, so a gap is where the recording ends for now. */
  readonly live?: boolean | undefined;
  /** Takes note of the positions that are passed. */
  readonly trail?: Trail | undefined;
}

export interface RecordedChunk extends Chunk {
  readonly start: Position;
  readonly next: Position;
}

type FaultKind =
  | "chunk-missing"
  | "chunk-unreadable"
  | "chunk-misplaced"
  | "chunk-altered"
  | "chunk-unexpected"
  | "closed-broken"
  | "manifest-missing"
  | "manifest-invalid";

/** What is wrong with a recording. */
export interface Fault {
  readonly kind: FaultKind;
  /** The chunk at which it shows. */
  readonly chunk?: number;
  readonly message: string;
}

/** An event of a recording, in microseconds since the session's start. */
export interface RecordedEvent {
  readonly event: SessionEvent;
  readonly micros: number;
}

function corrupt(fault: Fault, cause?: unknown): SallyportError {
  return new SallyportError("recording-corrupt", fault.message, { cause });
}

/**
 * The chunks of a session in order, decoded, each after the hash chain has been verified up to it. A chunk is yielded
 * only when the chunk behind it, or the seal, vouches for its bytes; the last one of a live session nothing vouches for.
 * Two chunks are in memory at a time. Throws `recording-corrupt`, saying which chunk is wrong and how.
 */
export async function* readSession(
  store: ChunkStore,
  session: SessionId,
  options: ReadOptions = {},
): AsyncGenerator<RecordedChunk, void> {
  const fault = yield* walkSession(store, session, options);
  if (fault) throw corrupt(fault);
}

/** As `readSession`, but what is wrong is returned instead of thrown. Throws only what the store throws. */
export async function* walkSession(
  store: ChunkStore,
  session: SessionId,
  options: ReadOptions,
): AsyncGenerator<RecordedChunk, Fault | undefined> {
  const { seal, trail } = options;
  let position = options.from ?? beginning(session);
  let held: RecordedChunk | undefined;
  for await (const { sequence } of store.list(session)) {
    if (sequence < position.sequence) continue;
    if (seal && position.sequence >= seal.chunks) {
      // The seal vouches for what is before it, whatever stands behind it.
      const altered = judgeEnd(position, seal);
      if (altered) return altered;
      if (held) yield held;
      return unexpected(sequence, seal);
    }
    if (sequence > position.sequence && options.live) break;
    if (sequence > position.sequence) return missing(position.sequence, `chunk ${sequence} is there`);
    const read = await readChunk(store, session, position);
    if ("kind" in read) return read;
    if (held) yield held;
    trail?.note(read.start);
    held = read;
    position = read.next;
  }
  const fault = seal && judgeEnd(position, seal);
  if (fault) return fault;
  if (held) yield held;
  return undefined;
}

function missing(sequence: number, but: string): Fault {
  return { kind: "chunk-missing", chunk: sequence, message: `chunk ${sequence} is missing, but ${but}` };
}

function unexpected(chunk: number, { chunks }: Seal): Fault {
  const message = `the session closed with ${chunks} chunks; chunk ${chunk} came later`;
  return { kind: "chunk-unexpected", chunk, message };
}

function judgeEnd(end: Position, seal: Seal): Fault | undefined {
  const last = end.sequence - 1;
  if (end.sequence < seal.chunks) return missing(end.sequence, `the session closed with ${seal.chunks} chunks`);
  if (end.sequence > seal.chunks) return unexpected(last, seal);
  if (end.sequence > 0 && toDigest(end.previous) !== seal.head)
    return { kind: "chunk-altered", chunk: last, message: `chunk ${last} is not the one that the session closed with` };
  return undefined;
}

async function readChunk(store: ChunkStore, session: SessionId, start: Position): Promise<RecordedChunk | Fault> {
  const { sequence } = start;
  let bytes: Uint8Array;
  try {
    bytes = await store.get({ session, sequence });
  } catch (thrown) {
    if (thrown instanceof SallyportError && thrown.code === "not-found") return missing(sequence, "it was listed");
    throw thrown;
  }
  try {
    const chunk = decodeChunk(bytes);
    const fault = judgeHeader(chunk.header, session, start);
    if (fault) return fault;
    const next = advance(chunk, start, sha256(bytes));
    if (next.ownFrames > chunk.header.frames) throw new RangeError("it holds more frames than it says");
    return { ...chunk, start, next };
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    return { kind: "chunk-unreadable", chunk: sequence, message: `chunk ${sequence} cannot be read: ${why}` };
  }
}

function judgeHeader(header: ChunkHeader, session: SessionId, start: Position): Fault | undefined {
  const chunk = start.sequence;
  const misplaced = (message: string): Fault => ({ kind: "chunk-misplaced", chunk, message });
  if (header.session !== session) return misplaced(`chunk ${chunk} belongs to another session, ${header.session}`);
  if (header.sequence !== chunk) return misplaced(`where chunk ${chunk} should be stands chunk ${header.sequence}`);
  if (!Buffer.from(header.previous).equals(start.previous)) {
    const message =
      chunk === 0
        ? "chunk 0 does not open the session's hash chain: it was altered"
        : `chunk ${chunk} does not follow chunk ${chunk - 1} as it is stored: one of them was altered`;
    return { kind: "chunk-altered", chunk, message };
  }
  if (header.firstFrame !== start.firstFrame)
    return misplaced(`chunk ${chunk} starts at frame ${header.firstFrame} instead of ${start.firstFrame}`);
  if (start.startedAt !== undefined && header.startedAt !== start.startedAt)
    return misplaced(`chunk ${chunk} states another start of the session than chunk 0`);
  return undefined;
}

/** The position behind a chunk, and how many of its frames are bytes that the gateway passed on. */
function advance(chunk: Chunk, start: Position, hash: Buffer): Position & { readonly ownFrames: number } {
  let { frames, events, input, output } = start;
  for (const frame of readFrames(chunk.body)) {
    frames++;
    if (frame.kind === FRAME_KIND.event) events++;
    else if (frame.kind === FRAME_KIND.input) input += frame.payload.length;
    else output += frame.payload.length;
  }
  return {
    sequence: start.sequence + 1,
    previous: hash,
    startedAt: chunk.header.startedAt,
    firstFrame: start.firstFrame + chunk.header.frames,
    frames,
    events,
    input,
    output,
    ownFrames: frames - start.frames - (events - start.events),
  };
}

/** The frames of a chunk, in order; payloads are views into its body. */
export function framesOf(chunk: Chunk): Generator<Frame> {
  return readFrames(chunk.body);
}

/** The events of a chunk, in order. Throws `recording-corrupt` for one that is not an event of ours. */
export function* eventsOf(chunk: Chunk): Generator<RecordedEvent> {
  for (const frame of readFrames(chunk.body))
    if (frame.kind === FRAME_KIND.event)
      yield { event: parseEvent(frame, chunk.header.sequence), micros: frame.micros };
}

function parseEvent(frame: Frame, chunk: number): SessionEvent {
  const message = `chunk ${chunk} holds an event that is not one of ours`;
  let json: unknown;
  try {
    json = JSON.parse(frame.payload.toString("utf8"));
  } catch (thrown) {
    throw corrupt({ kind: "chunk-unreadable", chunk, message }, thrown);
  }
  const parsed = sessionEvent.safeParse(json);
  if (!parsed.success) throw corrupt({ kind: "chunk-unreadable", chunk, message }, parsed.error);
  return parsed.data;
}

/** All events of a session, in order. */
export async function* readEvents(
  store: ChunkStore,
  session: SessionId,
  options: ReadOptions = {},
): AsyncGenerator<RecordedEvent, void> {
  for await (const chunk of readSession(store, session, options)) yield* eventsOf(chunk);
}
