import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { SallyportError } from "../../core/errors.ts";
import type { CloseReason, SessionId, SessionOpening } from "../../core/ports/session-store.ts";
import { type Chunk, decodeChunk, genesis, sha256, toDigest } from "../../core/recording/chunk.ts";
import { sessionEvent } from "../../core/recording/events.ts";
import { type Frame, FRAME_KIND, readFrames } from "../../core/recording/frame.ts";
import type { ManifestFault } from "../../core/recording/manifest.ts";
import { INTERPRETERS } from "../protocols.ts";
import { closeSession, openingOf } from "./closing.ts";
import { type JournalRecord, MARK } from "./journal-record.ts";
import { chunkFile } from "./packer-protocol.ts";
import type { RecoveryStores } from "./recover-spool.ts";
import { type PackedChunk, SessionPacker, type SessionTotals } from "./session-packer.ts";

interface Place {
  /** The dead task's spool. */
  readonly directory: string;
  readonly quarantine: string;
  readonly task: string;
}

const NOTHING: SessionTotals = { statements: 0, frames: 0, bytesFromClient: 0, bytesFromTarget: 0 };

/** No other event has it in its JSON, where quotes within texts are escaped. */
const CLOSED = '"type":"session-closed"';
const CHUNK = /^\d{8,}\.chunk$/;

/**
 * A dead task's session: its chunks as far as they are whole, then what its log says. Where the store holds chunks that
 * follow one that is lost (a loss of power can tear a chunk in the spool while the next one is stored already), no chain
 * can lead there any more. Then the recording is sealed where its chain ends, with the fault in the signed manifest;
 * what was asked after that, and what else the spool holds, goes to the quarantine. So it ends, and says what it lacks.
 */
export class RecoveredSession {
  readonly #stores: RecoveryStores;
  readonly #place: Place;
  readonly #session: SessionId;
  readonly #folder: string;
  readonly #made: PackedChunk[] = [];
  #opening: SessionOpening | undefined;
  #packer: SessionPacker | undefined;
  #closed: { readonly reason: CloseReason; readonly micros: number } | undefined;
  /** Of the next chunk, and the hash that it must name. */
  #sequence = 0;
  #head: Uint8Array;
  #micros = 0;
  #storedNow = 0;
  #fault: ManifestFault | undefined;
  /** What the chain holds, where it ends in a fault. */
  #totals: SessionTotals = NOTHING;

  constructor(stores: RecoveryStores, place: Place, session: SessionId) {
    this.#stores = stores;
    this.#place = place;
    this.#session = session;
    this.#folder = path.join(place.directory, session);
    this.#head = genesis(session);
  }

  /** Its end is recorded: no record of it follows. */
  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  /** Reads the chunks that there are, storing those that were only in the spool. */
  async resume(first: JournalRecord | undefined): Promise<void> {
    for (let bytes = await this.#nextChunk(); bytes !== undefined; bytes = await this.#nextChunk()) {
      const { header, body } = decodeChunk(bytes);
      const frames = [...readFrames(body)];
      this.#begin(frames[0]?.payload);
      for (const frame of frames) this.#note(frame);
      this.#head = sha256(bytes);
      this.#packer?.resume(header, frames, this.#head);
      this.#sequence++;
    }
    this.#totals = this.#packer?.totals ?? NOTHING;
    if (first !== undefined && first.marks & MARK.opens) this.#begin(first.payload);
  }

  async add(record: JournalRecord): Promise<void> {
    if (this.#packer === undefined || this.isClosed || record.frameNumber < this.#packer.nextFrame) return;
    if (record.marks & MARK.closes) this.#packer.finish();
    this.#note(record);
    this.#packer.add(record);
    if (this.#made.length > 0) await this.#store();
  }

  /** Closes the open chunk. */
  async flush(): Promise<void> {
    this.#packer?.flush();
    await this.#store();
  }

  async finish(): Promise<void> {
    if (this.#packer !== undefined && !this.isClosed) {
      const message = "the gateway died; another took over";
      this.#packer.addEvent({ type: "session-closed", reason: "interrupted", message });
      this.#closed = { reason: "interrupted", micros: this.#micros };
    }
    await this.flush();
    await this.#lookBehind();
    if (this.#fault !== undefined) this.#opening ??= await this.#stores.sessions.get(this.#session);
    if (this.#opening !== undefined) await this.#close(this.#opening);
    else if (this.#fault !== undefined) throw new SallyportError("recording-corrupt", this.#fault.message);
    // Else it died before anything but an empty folder was written.
    await this.#quarantineSpool();
  }

  #begin(payload: Buffer | undefined): void {
    if (this.#packer !== undefined) return;
    const opened = sessionEvent.parse(JSON.parse(payload?.toString("utf8") ?? "null"));
    if (opened.type !== "session-opened")
      throw new SallyportError("recording-corrupt", "a recording begins in the middle");
    const { protocol, startedAt } = opened;
    this.#opening = openingOf(opened, this.#place.task);
    const sink = (chunk: PackedChunk): void => void this.#made.push(chunk);
    this.#packer = new SessionPacker(this.#session, startedAt, INTERPRETERS[protocol], sink);
  }

  #note({ kind, payload, micros }: Frame): void {
    this.#micros = micros;
    if (kind !== FRAME_KIND.event || !payload.includes(CLOSED)) return;
    const event = sessionEvent.parse(JSON.parse(payload.toString("utf8")));
    if (event.type === "session-closed") this.#closed = { reason: event.reason as CloseReason, micros };
  }

  /** The next chunk of the chain, from the store or, if it was not stored yet, from the spool; undefined at its end. */
  async #nextChunk(): Promise<Uint8Array | undefined> {
    const { chunks } = this.#stores;
    const key = { session: this.#session, sequence: this.#sequence };
    const stored = await chunks.get(key).catch((error: unknown) => {
      if (error instanceof SallyportError && error.code === "not-found") return undefined;
      throw error;
    });
    if (stored !== undefined) {
      if (this.#follows(stored)) return stored;
      const message = `chunk ${this.#sequence} in the store does not follow what is before it: one of them was lost`;
      this.#fault = { chunk: this.#sequence, message };
      return undefined;
    }
    // A loss of power can leave a chunk's file empty or torn: the intent log has what was asked in it.
    const spooled = await readFile(path.join(this.#folder, chunkFile(this.#sequence))).catch(() => undefined);
    if (spooled === undefined || !this.#follows(spooled)) return undefined;
    await chunks.put(key, spooled, toDigest(sha256(spooled)));
    return spooled;
  }

  #follows(bytes: Uint8Array): boolean {
    const header = decoded(bytes)?.header;
    return (
      header?.session === this.#session &&
      header.sequence === this.#sequence &&
      Buffer.compare(header.previous, this.#head) === 0
    );
  }

  async #store(): Promise<void> {
    for (const chunk of this.#made.splice(0)) {
      if (this.#fault !== undefined) {
        await this.#quarantine(chunk);
        continue;
      }
      await this.#stores.chunks.put(chunk, chunk.bytes, chunk.sha256);
      this.#storedNow++;
      this.#sequence = chunk.sequence + 1;
      this.#head = Buffer.from(chunk.sha256, "hex");
    }
  }

  /** Chunks that are stored behind the end follow one that was lost. */
  async #lookBehind(): Promise<void> {
    if (this.#fault !== undefined) return;
    for await (const { sequence } of this.#stores.chunks.list(this.#session)) {
      if (sequence < this.#sequence) continue;
      // Or another task recovers the same: what is stored by now tells, when it is read again.
      if (this.#storedNow > 0) throw new SallyportError("conflict", `chunk ${sequence} is stored already`);
      const message = `chunk ${sequence} is in the store, but what was before it was lost`;
      this.#fault = { chunk: this.#sequence, message };
      return;
    }
  }

  async #close(opening: SessionOpening): Promise<void> {
    const fault = this.#fault;
    if (this.#sequence === 0 && fault === undefined)
      throw new SallyportError("internal", "a recovered session has no chunk");
    const closed = this.#closed ?? { reason: "interrupted", micros: this.#micros };
    await closeSession(this.#stores, {
      opening,
      endedAt: opening.startedAt + Math.round(closed.micros / 1000),
      reason: fault === undefined ? closed.reason : "interrupted",
      totals: fault === undefined ? (this.#packer?.totals ?? NOTHING) : this.#totals,
      chunks: this.#sequence,
      head: toDigest(this.#head),
      fault,
    });
    if (fault === undefined) return;
    const quarantine = path.join(this.#place.quarantine, this.#session);
    this.#stores.logger.error({ session: this.#session, fault, quarantine }, "a recording is broken: it is sealed so");
  }

  /** Chunks that go on where the sealed recording ends, with what the log had. */
  async #quarantine(chunk: PackedChunk): Promise<void> {
    const folder = path.join(this.#place.quarantine, this.#session, "recovered");
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFile(path.join(folder, chunkFile(chunk.sequence)), chunk.bytes, { mode: 0o600, flush: true });
  }

  /** Nothing that the spool alone has is thrown away: of a broken recording all, else whole chunks behind a torn one. */
  async #quarantineSpool(): Promise<void> {
    const names = await readdir(this.#folder).catch((): string[] => []);
    const from = this.#sequence - this.#storedNow;
    const lost = async (name: string): Promise<boolean> => {
      const header = decoded(await readFile(path.join(this.#folder, name)))?.header;
      return header?.session === this.#session && header.sequence >= from;
    };
    for (const name of names.filter((one) => CHUNK.test(one))) {
      if (this.#fault === undefined && !(await lost(name))) continue;
      const folder = path.join(this.#place.quarantine, this.#session, "spool");
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await rename(path.join(this.#folder, name), path.join(folder, name));
      this.#stores.logger.error({ session: this.#session, name, folder }, "a chunk of the spool was kept apart");
    }
  }
}

function decoded(bytes: Uint8Array): Chunk | undefined {
  try {
    return decodeChunk(bytes);
  } catch {
    return undefined;
  }
}
