import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pino } from "pino";
import type { ChunkStore } from "../../core/ports/chunk-store.ts";
import type { SessionId } from "../../core/ports/session-store.ts";
import { verifySession, type Verification } from "../../core/recording/verify.ts";
import { startRecorder, type Recorder, type RecorderOptions } from "../../gateway-task/recorder/recorder.ts";
import type { SessionRecorder } from "../../gateway-task/recorder/session-recorder.ts";
import { openDatabase } from "../../local/database.ts";
import { sqliteLeaseStore } from "../../local/lease-store.ts";
import { sqliteSessionStore } from "../../local/session-store.ts";
import { openedEvent, opening } from "./make-recording.ts";
import { memoryChunks, type MemoryChunks } from "./memory-chunks.ts";
import { sessionIdAt } from "./session-ids.ts";
import { memorySigner } from "./signing.ts";

/** What the recorders of one installation share, in memory but for the spool. */
export interface RecorderStage {
  readonly options: Omit<RecorderOptions, "task">;
  readonly stored: MemoryChunks;
  /** Lines of the log. */
  readonly logs: readonly string[];
  start(task: string, other?: Partial<RecorderOptions>): Promise<Recorder>;
  /** Opens a session of its own in a recorder. */
  session(recorder: Recorder, durability?: "intent" | "strict"): Promise<SessionRecorder>;
  verify(session: SessionId): Promise<Verification>;
  remove(): Promise<void>;
}

/** @param wrap puts faults into the store of chunks */
export async function recorderStage(wrap: (chunks: ChunkStore) => ChunkStore = (all) => all): Promise<RecorderStage> {
  const directory = await mkdtemp(path.join(tmpdir(), "sallyport-recorder-"));
  const spool = path.join(directory, "spool");
  await mkdir(spool);
  const database = openDatabase(":memory:");
  const stored = memoryChunks();
  const signer = memorySigner();
  const logs: string[] = [];
  const options = {
    spool,
    chunks: wrap(stored),
    sessions: sqliteSessionStore(database),
    leases: sqliteLeaseStore(database),
    signer,
    clock: Date.now,
    logger: pino({ level: "debug" }, { write: (line: string) => void logs.push(line) }),
  };
  let opened = 0;
  return {
    options,
    stored,
    logs,
    start: async (task, other) => startRecorder({ ...options, task, ...other }),
    session: async (recorder, durability = "intent") =>
      recorder.open(openedEvent(opening(sessionIdAt(Date.now(), ++opened)), { durability, startedAt: Date.now() })),
    verify: async (session) => verifySession(stored, session, [signer.publicKey]),
    async remove() {
      database.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
