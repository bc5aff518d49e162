import type { ChunkStore } from "../ports/chunk-store.ts";
import type { SessionId } from "../ports/session-store.ts";
import { FRAME_KIND } from "./frame.ts";
import { framesOf, readSession, type ReadOptions, type RecordedChunk } from "./reader.ts";

/** The bytes of one direction, as one stream: its frames' payloads concatenated. */
export type Stream = "input" | "output";

/** Reads pieces of a stream; cheapest in ascending order, since it holds on to the chunk that it read last. */
export interface SliceReader {
  /**
   * The bytes in [from, to), at most `limit` of them; fewer where the recording ends before.
   * Calls must not overlap. Throws `recording-corrupt`.
   */
  slice(from: number, to: number, limit: number): Promise<Buffer>;
  close(): Promise<void>;
}

interface Piece {
  readonly at: number;
  readonly payload: Buffer;
}

interface Loaded {
  readonly chunk: RecordedChunk;
  readonly pieces: readonly Piece[];
}

function load(chunk: RecordedChunk, stream: Stream): Loaded {
  const pieces: Piece[] = [];
  let at = chunk.start[stream];
  for (const { kind, payload } of framesOf(chunk)) {
    if (kind !== FRAME_KIND[stream]) continue;
    pieces.push({ at, payload });
    at += payload.length;
  }
  return { chunk, pieces };
}

/** The bytes of a chunk in [from, to), which are views. */
function* cut({ pieces }: Loaded, from: number, to: number): Generator<Buffer> {
  for (let n = firstAt(pieces, from); n < pieces.length; n++) {
    const piece = pieces[n];
    if (!piece || piece.at >= to) return;
    yield piece.payload.subarray(Math.max(from - piece.at, 0), to - piece.at);
  }
}

/** The index of the piece that holds `offset`, by bisection. */
function firstAt(pieces: readonly Piece[], offset: number): number {
  let low = 0;
  let high = pieces.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const piece = pieces[middle];
    if (piece && piece.at + piece.payload.length <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function sliceReader(
  store: ChunkStore,
  session: SessionId,
  stream: Stream,
  options: Omit<ReadOptions, "from"> = {},
): SliceReader {
  let chunks: AsyncGenerator<RecordedChunk, void> | undefined;
  let loaded: Loaded | undefined;

  const close = async (): Promise<void> => {
    await chunks?.return();
    chunks = undefined;
    loaded = undefined;
  };
  /** Starts again where the trail allows, unless going on from here is as good. */
  const seek = async (offset: number): Promise<void> => {
    const best = options.trail?.last((position) => position[stream] <= offset);
    const behind = loaded !== undefined && offset < loaded.chunk.start[stream];
    const farAhead = loaded !== undefined && best !== undefined && best.sequence > loaded.chunk.next.sequence;
    if (chunks && !behind && !farAhead) return;
    await close();
    chunks = readSession(store, session, { ...options, from: best });
  };
  /** The next chunk; undefined at the recording's end. */
  const advance = async (): Promise<Loaded | undefined> => {
    const next = await chunks?.next();
    if (!next || next.done) return undefined;
    loaded = load(next.value, stream);
    return loaded;
  };
  const slice = async (from: number, to: number, limit: number): Promise<Buffer> => {
    const end = Math.min(to, from + limit);
    if (end <= from) return Buffer.alloc(0);
    await seek(from);
    const parts: Buffer[] = [];
    for (let at = loaded ?? (await advance()); at; at = await advance()) {
      for (const view of cut(at, from, end)) parts.push(Buffer.from(view));
      if (at.chunk.next[stream] >= end) break;
    }
    return Buffer.concat(parts);
  };
  return { slice, close };
}

async function sliceOnce(reader: SliceReader, from: number, to: number, limit: number): Promise<Buffer> {
  try {
    return await reader.slice(from, to, limit);
  } finally {
    await reader.close();
  }
}

/** The bytes that the client saw in [from, to) of the output stream, at most `limit` of them. */
export function outputSlice(
  store: ChunkStore,
  session: SessionId,
  from: number,
  to: number,
  limit: number,
  options?: Omit<ReadOptions, "from">,
): Promise<Buffer> {
  return sliceOnce(sliceReader(store, session, "output", options), from, to, limit);
}

/** The bytes that the client sent in [from, to) of the input stream, as recorded, at most `limit` of them. */
export function inputSlice(
  store: ChunkStore,
  session: SessionId,
  from: number,
  to: number,
  limit: number,
  options?: Omit<ReadOptions, "from">,
): Promise<Buffer> {
  return sliceOnce(sliceReader(store, session, "input", options), from, to, limit);
}
