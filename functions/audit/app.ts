import { setImmediate } from "node:timers/promises";
import { auditEventsOf, chunkBatchId, openingIn } from "../../core/audit/derive.ts";
import type { OcsfEvent } from "../../core/audit/ocsf.ts";
import { SallyportError } from "../../core/errors.ts";
import { boundedMap } from "../../core/policy/bounded-map.ts";
import type { AuditLog } from "../../core/ports/audit-log.ts";
import type { ChunkKey, ChunkStore } from "../../core/ports/chunk-store.ts";
import type { SessionId } from "../../core/ports/session-store.ts";
import { type Chunk, decodeChunk } from "../../core/recording/chunk.ts";
import type { SessionOpenedEvent } from "../../core/recording/events.ts";

/** Sessions whose opening is remembered, so that a chunk costs one read: about 2 kB each. */
const MAX_OPENINGS = 1_000;
/** Events that are derived before others of the process have their turn: well under a millisecond. */
const EVENTS_A_TURN = 16;

export interface ChunkAuditorDeps {
  readonly chunks: Pick<ChunkStore, "get">;
  readonly log: AuditLog;
}

/** What a chunk's derivation found: whether the session's end is in it, so that no chunk follows. */
interface Derived {
  readonly events: number;
  readonly closed: boolean;
}

export interface ChunkAuditor {
  /**
   * Writes the events of a stored chunk to the audit log. Idempotent. Throws `not-found` while the chunk, or the first of its
   * session, which says whose it is, is not stored; `store-unavailable`; `recording-corrupt`, which no other try will mend.
   */
  derive(key: ChunkKey): Promise<Derived>;
}

/** From chunks to the audit log, in the account as on one machine. */
export function chunkAuditor({ chunks, log }: ChunkAuditorDeps): ChunkAuditor {
  const openings = boundedMap<SessionId, SessionOpenedEvent>(MAX_OPENINGS);
  const read = async (key: ChunkKey): Promise<Chunk> => {
    const chunk = decodeChunk(await chunks.get(key));
    if (chunk.header.session === key.session && chunk.header.sequence === key.sequence) return chunk;
    throw new SallyportError("recording-corrupt", "a chunk is stored under another's name");
  };
  const openingOf = async (session: SessionId, at: Chunk): Promise<SessionOpenedEvent> => {
    const known = openings.get(session);
    if (known !== undefined) return known;
    const opened = openingIn(at.header.sequence === 0 ? at : await read({ session, sequence: 0 }));
    openings.set(session, opened);
    return opened;
  };
  return {
    derive: async (key) => {
      const chunk = await read(key);
      const opened = await openingOf(key.session, chunk);
      const events = await inTurns(auditEventsOf(chunk, opened));
      await log.append({ id: chunkBatchId(key.session, key.sequence), events });
      return { events: events.length, closed: events.some(({ metadata }) => metadata.event_code === "session-closed") };
    },
  };
}

async function inTurns(derived: Iterable<OcsfEvent>): Promise<OcsfEvent[]> {
  const events: OcsfEvent[] = [];
  for (const event of derived) {
    events.push(event);
    if (events.length % EVENTS_A_TURN === 0) await setImmediate();
  }
  return events;
}
