import type { SessionId } from "../ports/session-store.ts";
import { genesis } from "./chunk.ts";

/** A place between two chunks, and all that must be known to go on reading, and verifying, from it. */
export interface Position {
  /** The chunk that comes next. */
  readonly sequence: number;
  /** The hash that it must name as that of the chunk before it. */
  readonly previous: Uint8Array;
  /** The session's start, as all chunks state it; undefined before the first. */
  readonly startedAt: number | undefined;
  /** The gateway's own frames before it, as headers count them. */
  readonly firstFrame: number;
  /** What stands before it: frames of every kind, events among them, and bytes of either stream. */
  readonly frames: number;
  readonly events: number;
  readonly input: number;
  readonly output: number;
}

export function beginning(session: SessionId): Position {
  const previous = genesis(session);
  return { sequence: 0, previous, startedAt: undefined, firstFrame: 0, frames: 0, events: 0, input: 0, output: 0 };
}

/** Positions of one session, verified by earlier reads, so that a later read need not start at the beginning. */
export interface Trail {
  note(position: Position): void;
  /** The last position noted for which `fits` holds; `fits` must hold for all positions before one for which it does. */
  last(fits: (position: Position) => boolean): Position | undefined;
}

/** About 100 kB a session. */
const MAX_POSITIONS = 512;

/** A trail of bounded size: it grows coarser as the session grows. */
export function newTrail(): Trail {
  let positions: Position[] = [];
  let stride = 1;
  return {
    note(position) {
      if (position.sequence < (positions.at(-1)?.sequence ?? 0) + stride) return;
      positions.push(position);
      if (positions.length < MAX_POSITIONS) return;
      positions = positions.filter((_, at) => at % 2 === 1);
      stride *= 2;
    },
    last: (fits) => positions.findLast(fits),
  };
}
