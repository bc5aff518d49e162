import { SallyportError } from "../errors.ts";
import type { SessionId } from "../ports/session-store.ts";
import type { Chunk } from "../recording/chunk.ts";
import type { SessionOpenedEvent } from "../recording/events.ts";
import { eventsOf } from "../recording/reader.ts";
import { type OcsfEvent, ocsfEvent } from "./ocsf.ts";
import { sessionContext } from "./session-context.ts";
import { draftOf } from "./session-events.ts";

/** The id of the batch that a chunk's events are: one for each chunk, so that deriving it again writes it again, and nothing more. */
export function chunkBatchId(session: SessionId, sequence: number): string {
  return `${session}-${String(sequence).padStart(8, "0")}`;
}

/** How a session opened, as chunk 0 of its recording says. Throws `recording-corrupt` where it does not. */
export function openingIn(first: Chunk): SessionOpenedEvent {
  for (const { event } of eventsOf(first))
    if (event.type === "session-opened" && event.session === first.header.session) return event;
  throw new SallyportError("recording-corrupt", "the first chunk of a recording does not say how its session opened");
}

/**
 * The events of a chunk, as those of OCSF, in their order. Pure: the same chunk and opening give the same events, ids included.
 * An event's id is its chunk's, and its place among the chunk's events. Throws `recording-corrupt`.
 */
export function* auditEventsOf(chunk: Chunk, opened: SessionOpenedEvent): Generator<OcsfEvent> {
  const { session, sequence, startedAt } = chunk.header;
  if (opened.session !== session)
    throw new SallyportError("recording-corrupt", "a chunk was read as one of another session");
  const context = sessionContext(opened);
  const batch = chunkBatchId(session, sequence);
  let place = 0;
  for (const { event, micros } of eventsOf(chunk)) {
    const draft = draftOf(event, context);
    if (draft !== undefined) yield ocsfEvent(draft, `${batch}-${place}`, startedAt + micros / 1000);
    place++;
  }
}
