import { setImmediate as otherWork } from "node:timers/promises";
import { SallyportError } from "../../core/errors.ts";
import { isMember, type Principal } from "../../core/identity/principal.ts";
import type { ChunkStore } from "../../core/ports/chunk-store.ts";
import type { SessionId, SessionQuery, SessionRow } from "../../core/ports/session-store.ts";
import type { StatementEvent } from "../../core/recording/events.ts";
import type { Frame } from "../../core/recording/frame.ts";
import { newTrail, type Trail } from "../../core/recording/position.ts";
import { eventsOf, framesOf, readSession, type ReadOptions, type RecordedEvent } from "../../core/recording/reader.ts";
import { isSessionId } from "../../core/recording/session-id.ts";
import { type SliceReader, sliceReader } from "../../core/recording/slices.ts";
import type { ReplayDeps } from "./deps.ts";

/** Trails of the sessions that were read last: at most some 100 kB each. */
const MAX_TRAILS = 64;

/** After so many events other work has its turn, since one process may serve the data path too: a few milliseconds. */
const EVENTS_AT_A_TIME = 64;

/** An item and its place among its kind, from 0. */
export interface Numbered<T> {
  readonly number: number;
  readonly item: T;
}

/** The recording of one session, to those who may see it. */
export interface Recording {
  readonly row: SessionRow;
  readonly live: boolean;
  /** The events from that number on. Like all reading, it throws `recording-corrupt` where the recording is broken. */
  events(from: number): AsyncGenerator<Numbered<RecordedEvent>, void>;
  /** The frames of every kind from that number on. */
  frames(from: number): AsyncGenerator<Numbered<Frame>, void>;
  /** The statement of this number; undefined where there is none, or none yet. */
  statement(number: number): Promise<StatementEvent | undefined>;
  /** What the client saw. */
  output(): SliceReader;
}

export interface Recordings {
  /** Throws `not-found` alike for a session that is not there and one that this principal may not see. */
  find(principal: Principal, id: string): Promise<Recording>;
  /** The sessions that this principal may see, newest first. */
  list(principal: Principal, query: SessionQuery): Promise<SessionRow[]>;
  seesAll(principal: Principal): boolean;
}

export function recordings(deps: Pick<ReplayDeps, "sessions" | "chunks" | "auditors">): Recordings {
  const trails = new Map<SessionId, Trail>();
  const seesAll = (principal: Principal): boolean => isMember(principal, deps.auditors);

  const trailOf = (session: SessionId): Trail => {
    const trail = trails.get(session) ?? newTrail();
    trails.delete(session);
    trails.set(session, trail);
    const [oldest] = trails.keys();
    if (trails.size > MAX_TRAILS && oldest) trails.delete(oldest);
    return trail;
  };
  const visibleRow = async (principal: Principal, id: string): Promise<SessionRow> => {
    const row = isSessionId(id) ? await deps.sessions.get(id) : undefined;
    if (!row || (row.principalId !== principal.id && !seesAll(principal)))
      throw new SallyportError("not-found", "there is no such session, or it is not for you to see");
    return row;
  };
  return {
    seesAll,
    find: async (principal, id) => {
      const row = await visibleRow(principal, id);
      return recordingOf(deps.chunks, row, trailOf(row.id));
    },
    list: async (principal, query) => {
      if (query.after !== undefined) await visibleRow(principal, query.after);
      if (seesAll(principal)) return deps.sessions.list(query);
      if (query.principalId !== undefined && query.principalId !== principal.id) return [];
      return deps.sessions.list({ ...query, principalId: principal.id });
    },
  };
}

function recordingOf(chunks: ChunkStore, row: SessionRow, trail: Trail): Recording {
  const live = row.closing === undefined;
  const options: Omit<ReadOptions, "from"> = { live, seal: row.closing, trail };

  async function* events(from: number): AsyncGenerator<Numbered<RecordedEvent>, void> {
    const start = trail.last((position) => position.events <= from);
    for await (const chunk of readSession(chunks, row.id, { ...options, from: start })) {
      let number = chunk.start.events;
      if (chunk.next.events <= from) continue;
      for (const item of eventsOf(chunk)) {
        if (number >= from) yield { number, item };
        number++;
        if (number % EVENTS_AT_A_TIME === 0) await otherWork();
      }
    }
  }
  async function* frames(from: number): AsyncGenerator<Numbered<Frame>, void> {
    const start = trail.last((position) => position.frames <= from);
    for await (const chunk of readSession(chunks, row.id, { ...options, from: start })) {
      let number = chunk.start.frames;
      for (const item of framesOf(chunk)) {
        if (number >= from) yield { number, item };
        number++;
      }
    }
  }
  const search = async (number: number, from: number): Promise<StatementEvent | undefined> => {
    for await (const { item } of events(from))
      if (item.event.type === "statement" && item.event.number === number) return item.event;
    return undefined;
  };
  return {
    row,
    live,
    events,
    frames,
    // Statements are told when they end, mostly in the order of their numbers: first where that order puts it.
    statement: async (number) => (await search(number, number)) ?? (await search(number, 0)),
    output: () => sliceReader(chunks, row.id, "output", options),
  };
}
