import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import type { Logger } from "pino";
import type { SessionId } from "../../core/ports/session-store.ts";
import { isSessionId } from "../../core/recording/session-id.ts";
import type { EvidenceStores } from "./closing.ts";
import type { JournalRecord } from "./journal-record.ts";
import { INTENT_SUFFIX } from "./packer-protocol.ts";
import { RecoveredSession } from "./recovered-session.ts";
import { spooledRecords } from "./spooled-records.ts";

/** Frames in open chunks of all sessions together; beyond it the chunks close early. */
const MAX_OPEN_BYTES = 64 << 20;

export interface RecoveryStores extends EvidenceStores {
  readonly logger: Logger;
}

interface Place {
  readonly spool: string;
  /** The dead task. */
  readonly dead: string;
  readonly quarantine: string;
}

/**
 * Recovers every session of one spool and removes it. The log is read once, a record at a time: a session is taken up at
 * its first record and closed at its last, as they were in the dead gateway, so that no more is held than that one held.
 * What goes wrong with one session does not keep the others; it is thrown at the end, and the spool stays.
 * @param renew called between any two records; throws when the spool is another's
 * @returns the number of sessions
 */
export async function recoverSpool(
  stores: RecoveryStores,
  { spool, dead, quarantine }: Place,
  renew: () => Promise<void> | undefined,
): Promise<number> {
  const directory = path.join(spool, dead);
  const entries = await readdir(directory);
  const open = new Map<SessionId, RecoveredSession>();
  const settled = new Set<SessionId>();
  let failure: { readonly error: unknown } | undefined;

  const settle = (session: SessionId): void => {
    settled.add(session);
    open.delete(session);
  };
  const attempt = async (session: SessionId, run: () => Promise<void>): Promise<void> => {
    try {
      await run();
    } catch (error) {
      failure ??= { error };
      stores.logger.error({ err: error, spool: dead, session }, "a dead task's session could not be recovered yet");
      settle(session);
    }
  };
  const opened = async (session: SessionId, first: JournalRecord | undefined): Promise<RecoveredSession> => {
    const found = open.get(session) ?? new RecoveredSession(stores, { directory, quarantine, task: dead }, session);
    if (!open.has(session)) await found.resume(first);
    open.set(session, found);
    return found;
  };
  const finish = (session: SessionId): Promise<void> =>
    attempt(session, async () => {
      await (await opened(session, undefined)).finish();
      settle(session);
    });

  let bytes = 0;
  for await (const record of spooledRecords(directory, entries.filter(isSegment).toSorted())) {
    await renew();
    const session = record.session;
    if (settled.has(session)) continue;
    await attempt(session, async () => (await opened(session, record)).add(record));
    if (open.get(session)?.isClosed) await finish(session);
    bytes += record.payload.length;
    if (bytes < MAX_OPEN_BYTES) continue;
    bytes = 0;
    for (const [id, one] of open) await attempt(id, () => one.flush());
  }
  for (const session of new Set([...open.keys(), ...entries.filter(isSessionId)])) {
    await renew();
    if (!settled.has(session)) await finish(session);
  }
  if (failure !== undefined) throw failure.error;
  await rm(directory, { recursive: true, force: true });
  return settled.size;
}

const isSegment = (name: string): boolean => name.endsWith(INTENT_SUFFIX);
