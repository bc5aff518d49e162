import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SessionId } from "../../../core/ports/session-store.ts";
import { sha256, toDigest } from "../../../core/recording/chunk.ts";
import { chunkAuditor } from "../../../functions/audit/app.ts";
import { type AuditFollower, auditFollower, followedChunks } from "../../../functions/audit/follower.ts";
import { sqliteAuditProgress } from "../../../local/audit-progress.ts";
import { openDatabase } from "../../../local/database.ts";
import { sqliteSessionStore } from "../../../local/session-store.ts";
import { event, makeChunks, openedEvent, opening, statement } from "../../setup/make-recording.ts";
import { memoryAudit, type MemoryAudit } from "../../setup/memory-audit.ts";
import { type MemoryChunks, memoryChunks, nameOf } from "../../setup/memory-chunks.ts";
import { sessionIdAt } from "../../setup/session-ids.ts";

const ROWS = [1, 2, 3].map((n) => opening(sessionIdAt(1_800_000_000_000 + n)));
const logger = pino({ level: "silent" });

let chunks: MemoryChunks;
let log: MemoryAudit;
let db: ReturnType<typeof openDatabase>;
let sessions: ReturnType<typeof sqliteSessionStore>;
const running: AuditFollower[] = [];

beforeEach(() => {
  chunks = memoryChunks();
  log = memoryAudit();
  db = openDatabase(":memory:");
  sessions = sqliteSessionStore(db);
});
afterEach(async () => {
  for (const one of running.splice(0)) await one.close();
});

/** A process of which others may follow: what it keeps in the database stays. */
function follower(): AuditFollower {
  const one = auditFollower({
    auditor: chunkAuditor({ chunks, log }),
    progress: sqliteAuditProgress(db),
    logger,
    retryMs: 1,
  });
  running.push(one);
  return one;
}

const recording = (row = ROWS[0] ?? opening(sessionIdAt(1)), statements = 2): Buffer[] =>
  makeChunks(row, [
    [event(openedEvent(row))],
    ...Array.from({ length: statements }, (_, n) => [event(statement({ number: n + 1 }), n)]),
    [event({ type: "session-closed", reason: "client-closed" }, 99)],
  ]);

const put = async (to: Pick<MemoryChunks, "put">, session: SessionId, sequence: number, bytes: Buffer | undefined) =>
  to.put({ session, sequence }, bytes ?? Buffer.alloc(0), toDigest(sha256(bytes ?? Buffer.alloc(0))));

const close = (id: SessionId, count: number): Promise<void> =>
  sessions.close(id, {
    endedAt: 1_800_000_060_000,
    reason: "client-closed",
    statements: 2,
    bytesFromClient: 0,
    bytesFromTarget: 0,
    chunks: count,
    head: toDigest(sha256(Buffer.alloc(0))),
  });

describe("behind the uploader", () => {
  test("each chunk's events are written when the store has it", async () => {
    const [row = opening(sessionIdAt(1))] = ROWS;
    const follows = follower();
    const store = followedChunks(chunks, follows.stored);
    for (const [sequence, bytes] of recording(row).entries()) {
      await put(store, row.id, sequence, bytes);
      await follows.idle();
      expect(log.batches).toHaveLength(sequence + 1);
    }
    expect(log.codes()).toEqual(["session-opened", "statement", "statement", "session-closed"]);
  });

  test("chunks that are stored in another order are written in theirs", async () => {
    const [row = opening(sessionIdAt(1))] = ROWS;
    const follows = follower();
    const store = followedChunks(chunks, follows.stored);
    const made = recording(row);
    for (const sequence of [2, 1, 3, 0]) {
      await put(store, row.id, sequence, made[sequence]);
      await follows.idle();
    }
    expect(log.batches.map((id) => Number(id.slice(-1)))).toEqual([0, 1, 2, 3]);
  });

  test("chunks that the store has adopted are followed, and those that it has not are not", async () => {
    const told: SessionId[] = [];
    const [one = sessionIdAt(1), two = sessionIdAt(2)] = ROWS.map(({ id }) => id);
    const batch = [one, one, two].map((session, sequence) => ({ session, sequence, file: "f" }));
    for (const [answer, sessionsTold] of [
      [true, [one, two]],
      [false, []],
    ] as const) {
      told.length = 0;
      const store = followedChunks({ ...chunks, adopt: async () => answer }, (session) => void told.push(session));
      expect(await store.adopt?.(batch)).toBe(answer);
      expect(told).toEqual(sessionsTold);
    }
    expect("adopt" in followedChunks(chunks, () => {})).toBe(false);
  });

  test("a chunk that cannot be stored is not followed, and the uploader is told why", async () => {
    const told: SessionId[] = [];
    const failing = { ...chunks, put: () => Promise.reject(new Error("full")) };
    const store = followedChunks(failing, (session) => void told.push(session));
    await expect(put(store, sessionIdAt(1), 0, undefined)).rejects.toThrow("full");
    expect(told).toEqual([]);
  });
});

describe("an outage of the audit log", () => {
  test("holds up nobody who stores, and what came meanwhile is written afterwards, once", async () => {
    const [row = opening(sessionIdAt(1))] = ROWS;
    const follows = follower();
    const store = followedChunks(chunks, follows.stored);
    log.down = true;
    for (const [sequence, bytes] of recording(row).entries()) await put(store, row.id, sequence, bytes);
    expect(log.batches).toEqual([]);
    log.down = false;
    await follows.idle();
    expect(log.codes()).toEqual(["session-opened", "statement", "statement", "session-closed"]);
  });

  test("does not keep a process from ending, and what is left is written by the next", async () => {
    const [row = opening(sessionIdAt(1))] = ROWS;
    await sessions.open(row);
    log.down = true;
    const before = follower();
    for (const [sequence, bytes] of recording(row).entries())
      await put(followedChunks(chunks, before.stored), row.id, sequence, bytes);
    await before.close();
    expect(log.batches).toEqual([]);
    log.down = false;
    await follower().idle();
    expect(log.batches).toHaveLength(4);
  });
});

describe("at the start", () => {
  test("what a dead process has left is written: of sessions that have ended, and of those that have not", async () => {
    for (const row of ROWS) {
      await sessions.open(row);
      const made = recording(row);
      for (const [sequence, bytes] of made.entries()) await put(chunks, row.id, sequence, bytes);
      if (row !== ROWS[2]) await close(row.id, made.length);
    }
    await sqliteAuditProgress(db).reached(ROWS[0]?.id ?? sessionIdAt(1), 4);
    await follower().idle();
    const expected = [ROWS[1], ROWS[2]].flatMap((row) => [0, 1, 2, 3].map((n) => `${row?.id}-0000000${n}`));
    expect(log.batches).toEqual(expected);
  });

  test("what was written before is not derived again", async () => {
    const [row = opening(sessionIdAt(1))] = ROWS;
    await sessions.open(row);
    const made = recording(row);
    for (const [sequence, bytes] of made.entries()) await put(chunks, row.id, sequence, bytes);
    await close(row.id, made.length);
    await follower().idle();
    const { reads } = chunks;
    await follower().idle();
    expect(chunks.reads).toBe(reads);
    expect(log.batches).toHaveLength(4);
  });

  test("a session that goes on is followed from where the process before it has closed", async () => {
    const [row = opening(sessionIdAt(1))] = ROWS;
    await sessions.open(row);
    const made = recording(row);
    for (const sequence of [0, 1]) await put(chunks, row.id, sequence, made[sequence]);
    const before = follower();
    await before.idle();
    await before.close();
    expect(await sqliteAuditProgress(db).next(row.id)).toBe(2);
    const after = follower();
    for (const sequence of [2, 3]) await put(followedChunks(chunks, after.stored), row.id, sequence, made[sequence]);
    await after.idle();
    expect(log.batches).toHaveLength(4);
  });

  test("a broken chunk is passed over, and the rest of its session, and other sessions, are written", async () => {
    for (const row of ROWS) {
      await sessions.open(row);
      for (const [sequence, bytes] of recording(row).entries()) await put(chunks, row.id, sequence, bytes);
    }
    chunks.chunks.set(nameOf({ session: ROWS[0]?.id ?? sessionIdAt(1), sequence: 1 }), Buffer.from("broken"));
    await follower().idle();
    expect(log.batches).toHaveLength(11);
  });
});
