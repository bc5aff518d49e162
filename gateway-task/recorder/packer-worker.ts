import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import type { SessionOpenedEvent } from "../../core/recording/events.ts";
import { SallyportError } from "../../core/errors.ts";
import { INTERPRETERS } from "../protocols.ts";
import { HeldMemory } from "./held-memory.ts";
import { JournalRecord, MARK } from "./journal-record.ts";
import { chunkFile, type FromPacker, type ToPacker } from "./packer-protocol.ts";
import { hurry } from "../../core/recording/zstd.ts";
import { SessionPacker, type PackedChunk } from "./session-packer.ts";
import { SessionTable } from "./session-table.ts";

/**
 * A chunk closes this long after its first frame. With the slab's own delay (SLAB_WITHIN_MS) what was shown to a client is
 * in the spool within one second (invariant 1).
 */
const CHUNK_AGE_MS = 600;
const TICK_MS = 100;

interface Open {
  readonly packer: SessionPacker;
  readonly folder: string;
  /** When, and in which slab, the open chunk began; undefined while it is empty. */
  since: { readonly at: number; readonly slab: number } | undefined;
  /** The last slab that had frames of it. */
  weighed: number;
  /** Its last frame is being added. */
  ending: boolean;
}

const port = parentPort;
if (port === null) throw new Error("the packer runs as a worker thread");
const { spool, maxHeldBytes } = workerData as { spool: string; maxHeldBytes: number };
const sessions = new SessionTable<Open>();
/** Sessions whose open chunk holds something, oldest first. */
const open = new Set<Open>();
let slabsRead = 0;

const memory = new HeldMemory<Open>(maxHeldBytes, (session) => {
  send({ kind: "overdrawn", session: session.packer.session });
});

const send = (message: FromPacker, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);

function begin(record: JournalRecord): Open {
  // Our own recorder's JSON, of a moment ago: to check it by its schema would only load the checker into this thread.
  const event = JSON.parse(record.payload.toString("utf8")) as SessionOpenedEvent;
  const { session } = record;
  const folder = path.join(spool, session);
  mkdirSync(folder, { mode: 0o700 });
  const newInterpreter = INTERPRETERS[event.protocol];
  const packer = new SessionPacker(session, event.startedAt, newInterpreter, (chunk) => store(begun, chunk));
  const begun: Open = { packer, folder, since: undefined, weighed: -1, ending: false };
  sessions.set(record.bytes, record.sessionAt, begun);
  memory.add(begun, packer);
  return begun;
}

function take(record: JournalRecord, slab: number, now: number): void {
  const session = record.marks & MARK.opens ? begin(record) : sessions.get(record.bytes, record.sessionAt);
  if (session === undefined) throw new SallyportError("internal", "a frame of a session that did not open");
  if (session.weighed !== slab) {
    session.weighed = slab;
    memory.touch(session);
  }
  if (session.since === undefined) {
    session.since = { at: now, slab };
    open.add(session);
  }
  if ((record.marks & MARK.closes) === 0) {
    session.packer.add(record);
    if (session.packer.isEmpty) settle(session);
    return;
  }
  session.packer.finish();
  session.ending = true; // a chunk that this frame fills is the last one, and so is the one that is flushed below
  session.packer.add(record);
  session.packer.flush();
  settle(session);
  memory.remove(session);
  sessions.delete(record.bytes, record.sessionAt);
}

function settle(session: Open): void {
  session.since = undefined;
  open.delete(session);
}

function store(session: Open, { sequence, bytes, sha256, session: id }: PackedChunk): void {
  const file = path.join(session.folder, chunkFile(sequence));
  // Nobody is told of it before it is whole; what a crash leaves of it does not decode, and the next task sees that.
  writeFileSync(file, bytes, { mode: 0o400, flag: "wx" });
  const totals = session.ending ? session.packer.totals : undefined;
  send({ kind: "chunk", session: id, sequence, file, sha256, firstSlab: session.since?.slab ?? slabsRead, totals });
}

function closeOlderThan(time: number): void {
  for (const session of open) {
    if (session.since !== undefined && session.since.at > time) break;
    session.packer.flush();
    settle(session);
  }
  const [oldest] = open;
  send({ kind: "progress", openSlab: oldest?.since?.slab ?? slabsRead });
}

const record = new JournalRecord();

function readSlab(slab: ArrayBuffer, length: number, number: number): void {
  const bytes = Buffer.from(slab, 0, length);
  const now = performance.now();
  for (let at = 0; at < length; at = record.end) {
    if (!record.read(bytes, at, false)) throw new SallyportError("internal", "a slab holds half a record");
    take(record, number, now);
  }
  memory.settle();
  slabsRead = number + 1;
  send({ kind: "slab-returned", slab }, [slab]);
}

port.on("message", (message: ToPacker) => {
  if (message.kind === "slab") {
    hurry(message.busy);
    readSlab(message.slab, message.length, message.number);
    return;
  }
  closeOlderThan(Number.POSITIVE_INFINITY);
  send({ kind: "flushed" });
});

let lastProgress = 0;
setInterval(() => {
  if (open.size === 0 && lastProgress === slabsRead) return;
  lastProgress = slabsRead;
  closeOlderThan(performance.now() - CHUNK_AGE_MS);
}, TICK_MS);
