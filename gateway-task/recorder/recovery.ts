import { readdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import type { Logger } from "pino";
import { SallyportError } from "../../core/errors.ts";
import { decodeChunk, genesis, sha256, toDigest } from "../../core/recording/chunk.ts";
import { sessionEvent, type SessionOpenedEvent } from "../../core/recording/events.ts";
import { FRAME_KIND, readFrames } from "../../core/recording/frame.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { LeaseStore } from "../../core/ports/lease-store.ts";
import type { CloseReason, SessionId } from "../../core/ports/session-store.ts";
import { INTERPRETERS } from "../protocols.ts";
import { closeSession, type EvidenceStores } from "./closing.ts";
import { latin1Key, MARK, readRecord, type JournalRecord } from "./journal-record.ts";
import { chunkFile, INTENT_SUFFIX } from "./packer-protocol.ts";
import { SessionPacker, type PackedChunk } from "./session-packer.ts";

interface RecoveryOptions extends EvidenceStores {
  readonly spool: string;
  /** The task that recovers. */
  readonly task: string;
  readonly leases: LeaseStore;
  readonly clock: Clock;
  readonly logger: Logger;
}

export const spoolLease = (task: string): string => `spool/${task}`;

const SESSION_FOLDER = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Takes over the spools of dead tasks (invariant 3): stores the chunks that they had written, makes the missing ones from
 * the intent log, closes every session that was live as `interrupted`, and removes the spool.
 * Nothing is removed before the store has all of it; dying in the middle only means that it is done again.
 */
export async function recoverSpools(options: RecoveryOptions, leaseTtlMs: number): Promise<void> {
  const { spool, task, leases, clock, logger } = options;
  const entries = await readdir(spool, { withFileTypes: true });
  for (const { name: dead } of entries.filter((entry) => entry.isDirectory())) {
    const claim = async (): Promise<boolean> => leases.acquire(spoolLease(dead), task, clock(), leaseTtlMs);
    try {
      if (dead === task || !(await claim())) continue;
      const sessions = await recoverSpool(options, path.join(spool, dead), dead, claim);
      await leases.release(spoolLease(dead), task);
      logger.warn({ spool: dead, sessions }, "recovered the spool of a dead task");
    } catch (error) {
      logger.error({ err: error, spool: dead }, "a dead task's spool could not be recovered; it will be tried again");
    }
  }
}

async function recoverSpool(
  stores: EvidenceStores,
  directory: string,
  task: string,
  renew: () => Promise<boolean>,
): Promise<number> {
  const entries = await readdir(directory);
  const records = await readIntentLog(directory, entries.filter((name) => name.endsWith(INTENT_SUFFIX)).toSorted());
  const sessions = new Set([
    ...records.keys(),
    ...(entries.filter((name) => SESSION_FOLDER.test(name)) as SessionId[]),
  ]);
  let failure: { readonly error: unknown } | undefined;
  for (const session of sessions) {
    if (!(await renew())) throw new SallyportError("conflict", "another task recovers this spool");
    try {
      await recoverSession(stores, path.join(directory, session), session, records.get(session) ?? [], task);
    } catch (error) {
      failure ??= { error }; // the others are recovered all the same; the spool stays
    }
  }
  if (failure !== undefined) throw failure.error;
  await rm(directory, { recursive: true, force: true });
  return sessions.size;
}

async function readIntentLog(directory: string, segments: string[]): Promise<Map<SessionId, JournalRecord[]>> {
  const records = new Map<SessionId, JournalRecord[]>();
  for (const segment of segments) {
    const bytes = await readFile(path.join(directory, segment));
    for (let at = 0; ;) {
      const record = readRecord(bytes, at, true);
      if (record === undefined) break; // the end, or the tail that a loss of power tore
      const session = latin1Key(record.session);
      const ofSession = records.get(session);
      if (ofSession) ofSession.push(record);
      else records.set(session, [record]);
      at = record.end;
    }
  }
  return records;
}

/** What is known of a session while its chunks are read again. */
interface Resumed {
  packer: SessionPacker;
  opened: SessionOpenedEvent;
  closed: { reason: CloseReason; micros: number } | undefined;
  last: { sequence: number; head: Uint8Array } | undefined;
  micros: number;
}

async function recoverSession(
  stores: EvidenceStores,
  folder: string,
  session: SessionId,
  records: readonly JournalRecord[],
  task: string,
): Promise<void> {
  const made: PackedChunk[] = [];
  const resumed = await resume(stores, folder, session, records, (chunk) => made.push(chunk));
  if (resumed === undefined) return; // it died before anything but an empty folder was written
  const { packer, opened } = resumed;
  if (resumed.closed === undefined) addRecords(resumed, records);
  if (resumed.closed === undefined) {
    packer.addEvent({ type: "session-closed", reason: "interrupted", message: "the gateway died; another took over" });
    resumed.closed = { reason: "interrupted", micros: resumed.micros };
  }
  packer.flush();
  for (const chunk of made) {
    await stores.chunks.put(chunk, chunk.bytes, chunk.sha256);
    resumed.last = { sequence: chunk.sequence, head: Buffer.from(chunk.sha256, "hex") };
  }
  if (resumed.last === undefined) throw new SallyportError("internal", "a recovered session has no chunk");
  const endedAt = opened.startedAt + Math.round(resumed.closed.micros / 1000);
  const last = { lastChunk: resumed.last.sequence, head: toDigest(resumed.last.head) };
  await closeSession(stores, { opened, task, totals: packer.totals, reason: resumed.closed.reason, endedAt, ...last });
}

/** Reads the chunks that there are, storing those that were only in the spool. */
async function resume(
  stores: EvidenceStores,
  folder: string,
  session: SessionId,
  records: readonly JournalRecord[],
  sink: (chunk: PackedChunk) => void,
): Promise<Resumed | undefined> {
  let resumed: Resumed | undefined;
  const first = records[0];
  for (let sequence = 0; ; sequence++) {
    const bytes = await nextChunk(stores, folder, session, sequence, resumed?.last?.head ?? genesis(session));
    if (bytes === undefined) break;
    const { header, body } = decodeChunk(bytes);
    const frames = [...readFrames(body)];
    resumed ??= start(session, frames[0]?.payload, sink);
    for (const { kind, payload, micros } of frames) {
      resumed.micros = micros;
      if (kind !== FRAME_KIND.event) continue;
      const event = sessionEvent.parse(JSON.parse(payload.toString("utf8")));
      if (event.type === "session-closed") resumed.closed = { reason: event.reason as CloseReason, micros };
    }
    const head = sha256(bytes);
    resumed.packer.resume(header, frames, head);
    resumed.last = { sequence, head };
  }
  if (resumed === undefined && first !== undefined && first.marks & MARK.opens)
    resumed = start(session, first.payload, sink);
  return resumed;
}

function start(session: SessionId, payload: Buffer | undefined, sink: (chunk: PackedChunk) => void): Resumed {
  const opened = sessionEvent.parse(JSON.parse(payload?.toString("utf8") ?? "null"));
  if (opened.type !== "session-opened")
    throw new SallyportError("recording-corrupt", "a recording begins in the middle");
  const packer = new SessionPacker(session, opened.startedAt, INTERPRETERS[opened.protocol], sink);
  return { packer, opened, closed: undefined, last: undefined, micros: 0 };
}

/** The next chunk of the chain, from the store or, if it was not stored yet, from the spool; undefined at its end. */
async function nextChunk(
  stores: EvidenceStores,
  folder: string,
  session: SessionId,
  sequence: number,
  previous: Uint8Array,
): Promise<Uint8Array | undefined> {
  try {
    return await stores.chunks.get({ session, sequence });
  } catch (error) {
    if (!(error instanceof SallyportError && error.code === "not-found")) throw error;
  }
  const spooled = await readFile(path.join(folder, chunkFile(sequence))).catch(() => undefined);
  if (spooled === undefined || !follows(spooled, session, sequence, previous)) return undefined;
  await stores.chunks.put({ session, sequence }, spooled, toDigest(sha256(spooled)));
  return spooled;
}

/** A loss of power can leave a chunk's file empty or torn: the intent log has what was asked in it. */
function follows(bytes: Uint8Array, session: SessionId, sequence: number, previous: Uint8Array): boolean {
  try {
    const { header } = decodeChunk(bytes);
    return (
      header.session === session && header.sequence === sequence && Buffer.compare(header.previous, previous) === 0
    );
  } catch {
    return false;
  }
}

function addRecords(resumed: Resumed, records: readonly JournalRecord[]): void {
  for (const record of records) {
    if (record.frameNumber < resumed.packer.nextFrame) continue;
    if (record.marks & MARK.closes) {
      resumed.packer.finish();
      const event = sessionEvent.parse(JSON.parse(record.payload.toString("utf8")));
      if (event.type === "session-closed")
        resumed.closed = { reason: event.reason as CloseReason, micros: record.micros };
    }
    resumed.micros = record.micros;
    resumed.packer.add(record);
  }
}
