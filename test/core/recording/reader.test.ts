import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Frame } from "../../../core/recording/frame.ts";
import { newTrail } from "../../../core/recording/position.ts";
import { eventsOf, framesOf, readEvents, readSession, type ReadOptions } from "../../../core/recording/reader.ts";
import { collect } from "../../setup/collect.ts";
import {
  event,
  type FrameSpec,
  input,
  makeChunks,
  opening,
  openedEvent,
  output,
  statement,
  storeRecording,
} from "../../setup/make-recording.ts";
import { memoryChunks, nameOf } from "../../setup/memory-chunks.ts";
import { sessionIdAt } from "../../setup/session-ids.ts";

const ROW = opening(sessionIdAt(1_800_000_000_000));
const SESSION = ROW.id;
const corrupt = { code: "recording-corrupt" };

/** A session of `count` chunks, each with an input, an output and a statement. */
const frames = (count: number): FrameSpec[][] =>
  Array.from({ length: count }, (_, n) => [
    ...(n === 0 ? [event(openedEvent(ROW))] : []),
    input(`ask ${n}`, n * 1_000),
    output(`reply ${n}`, n * 1_000 + 500),
    event(statement({ number: n + 1, text: `SELECT ${n}` }), n * 1_000 + 500),
  ]);

async function stored(count: number) {
  const store = memoryChunks();
  return { store, ...(await storeRecording(store, ROW, frames(count))) };
}

describe("reading a session", () => {
  it("gives back every frame as it was recorded, in order, whatever the chunks", async () => {
    const frame = fc.record({
      kind: fc.constantFrom(1 as const, 2 as const),
      payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      micros: fc.nat({ max: 2 ** 50 }),
      flags: fc.constantFrom(0, 1),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(frame, { minLength: 1, maxLength: 8 }), { maxLength: 6 }), async (chunks) => {
        const store = memoryChunks();
        const { closing } = await storeRecording(store, ROW, chunks);
        const read: Frame[] = [];
        for await (const chunk of readSession(store, SESSION, { seal: closing })) read.push(...framesOf(chunk));
        expect(read).toEqual(chunks.flat().map((spec) => ({ ...spec, channel: 0 })));
      }),
      { numRuns: 50 },
    );
  });

  it("gives the events with their times", async () => {
    const { store } = await stored(3);
    const events = await collect(readEvents(store, SESSION));
    expect(events.map(({ event: told, micros }) => [told.type, micros])).toEqual([
      ["session-opened", 0],
      ["statement", 500],
      ["statement", 1_500],
      ["statement", 2_500],
    ]);
  });

  it("reads nothing of a session that has stored nothing", async () => {
    expect(await collect(readSession(memoryChunks(), SESSION))).toEqual([]);
  });

  it("goes on from any position as it would have from the beginning", async () => {
    const { store, closing } = await stored(6);
    const all = await collect(readSession(store, SESSION));
    for (const { start } of all) {
      const rest = await collect(readSession(store, SESSION, { from: start, seal: closing }));
      expect(rest).toEqual(all.slice(start.sequence));
    }
    const end = all.at(-1)?.next;
    expect(await collect(readSession(store, SESSION, { from: end, seal: closing }))).toEqual([]);
    expect(end).toMatchObject({ sequence: 6, firstFrame: 12, frames: 19, events: 7, input: 30, output: 42 });
  });

  it("keeps two chunks in memory, not the session", async () => {
    const { store } = await stored(20);
    const chunks = readSession(store, SESSION);
    for (let n = 0; n < 10; n++) await chunks.next();
    expect(store.reads).toBe(11);
    await chunks.return();
  });

  it("notes positions that a later read can go on from", async () => {
    const { store } = await stored(10);
    const trail = newTrail();
    await collect(readSession(store, SESSION, { trail }));
    const from = trail.last((position) => position.events <= 6);
    expect(from?.sequence).toBe(5);
    store.reads = 0;
    const rest = await collect(readSession(store, SESSION, { from, trail }));
    expect(rest.map((chunk) => chunk.header.sequence)).toEqual([5, 6, 7, 8, 9]);
    expect(store.reads).toBe(5);
  });
});

describe("a trail", () => {
  it("stays small however long the session, and still leads near to every place", () => {
    const trail = newTrail();
    const at = (sequence: number) => ({
      sequence,
      previous: Buffer.alloc(32),
      startedAt: 0,
      firstFrame: 0,
      frames: sequence,
      events: 0,
      input: 0,
      output: 0,
    });
    for (let sequence = 0; sequence < 100_000; sequence++) trail.note(at(sequence));
    for (let pass = 0; pass < 2; pass++) for (let sequence = 0; sequence < 1_000; sequence++) trail.note(at(sequence));
    let seen = 0;
    trail.last(() => {
      seen++;
      return false;
    });
    expect(seen).toBeLessThan(512);
    for (const wanted of [1_000, 50_000, 99_999]) {
      const found = trail.last((position) => position.frames <= wanted)?.sequence ?? 0;
      expect(found).toBeLessThanOrEqual(wanted);
      expect(found).toBeGreaterThan(wanted - 1_000);
    }
  });
});

describe("a recording that is broken", () => {
  /** What reading it throws, and the chunks that it gave before. */
  async function fault(store: ReturnType<typeof memoryChunks>, options?: ReadOptions) {
    const given: number[] = [];
    try {
      for await (const chunk of readSession(store, SESSION, options)) given.push(chunk.header.sequence);
    } catch (thrown) {
      expect(thrown).toMatchObject(corrupt);
      return { given, message: (thrown as Error).message };
    }
    throw new Error("it was read without a complaint");
  }
  const name = (sequence: number): string => nameOf({ session: SESSION, sequence });

  it("is named by the chunk that is missing", async () => {
    for (const sequence of [0, 2, 3]) {
      const { store } = await stored(5);
      store.chunks.delete(name(sequence));
      expect((await fault(store)).message).toContain(`chunk ${sequence} is missing`);
    }
  });

  it("is named by its end, when its last chunks are missing and it is known how it closed", async () => {
    const { store, closing } = await stored(5);
    store.chunks.delete(name(4));
    expect(await fault(store, { seal: closing })).toEqual({
      given: [0, 1, 2],
      message: "chunk 4 is missing, but the session closed with 5 chunks",
    });
    for (const sequence of [0, 1, 2, 3]) store.chunks.delete(name(sequence));
    expect((await fault(store, { seal: closing })).message).toContain("chunk 0 is missing");
  });

  it("never gives out a chunk that was altered, though its own form be perfect", async () => {
    const altered = frames(5);
    altered[2] = [input("ask 2"), output("reply X"), event(statement({ number: 3, text: "SELECT 'forged'" }))];
    const { store, chunks, closing } = await stored(5);
    // Its place in the chain is right: only the chunk behind it knows that it was another.
    store.chunks.set(name(2), makeChunks(ROW, altered)[2] ?? Buffer.alloc(0));
    expect(await fault(store)).toEqual({
      given: [0, 1],
      message: "chunk 3 does not follow chunk 2 as it is stored: one of them was altered",
    });
    store.chunks.set(name(2), chunks[2] ?? Buffer.alloc(0));
    const last = frames(5);
    last[4] = [input("ask 4"), output("reply X")];
    store.chunks.set(name(4), makeChunks(ROW, last)[4] ?? Buffer.alloc(0));
    expect(await fault(store, { seal: closing })).toEqual({
      given: [0, 1, 2, 3],
      message: "chunk 4 is not the one that the session closed with",
    });
  });

  it("is named by chunks of another session, in another's place, or added behind its end", async () => {
    const other = opening(sessionIdAt(1));
    const { store, chunks, closing } = await stored(3);
    store.chunks.set(name(1), makeChunks(other, frames(3))[1] ?? Buffer.alloc(0));
    expect((await fault(store)).message).toBe(`chunk 1 belongs to another session, ${other.id}`);
    store.chunks.set(name(1), chunks[2] ?? Buffer.alloc(0));
    expect((await fault(store)).message).toBe("where chunk 1 should be stands chunk 2");
    store.chunks.set(name(1), chunks[1] ?? Buffer.alloc(0));
    store.chunks.set(name(3), makeChunks(ROW, frames(4))[3] ?? Buffer.alloc(0));
    expect((await fault(store, { seal: closing })).message).toContain("the session closed with 3 chunks; chunk 3");
  });

  it("is named by a wrong count of frames, a wrong first frame, and another start of the session", async () => {
    const rewritten = (sequence: number, at: number, value: number): Buffer[] => {
      const chunks = makeChunks(ROW, frames(3));
      chunks[sequence]?.writeUInt32LE(value, at);
      return chunks;
    };
    const cases = [
      { chunks: rewritten(1, 28, 1), message: "chunk 1 cannot be read: it holds more frames than it says" },
      { chunks: rewritten(1, 32, 3), message: "chunk 1 starts at frame 3 instead of 2" },
      { chunks: rewritten(1, 48, 7), message: "chunk 1 states another start of the session than chunk 0" },
    ];
    for (const { chunks, message } of cases) {
      const store = memoryChunks();
      for (const [sequence, bytes] of chunks.entries()) store.chunks.set(name(sequence), bytes);
      expect((await fault(store)).message).toBe(message);
    }
  });

  it("is named by a chunk that is cut, empty, or noise", async () => {
    const { store, chunks } = await stored(3);
    const whole = chunks[1] ?? Buffer.alloc(0);
    for (const bytes of [Buffer.alloc(0), whole.subarray(0, 50), whole.subarray(0, -1), Buffer.alloc(500, 7)]) {
      store.chunks.set(name(1), bytes);
      expect((await fault(store)).message).toContain("chunk 1 cannot be read");
    }
  });

  it("is named by an event that is none", async () => {
    const bad = ["{", "null", '{"type":"unknown"}', '{"type":"statement"}', "\xff"];
    for (const payload of bad) {
      const store = memoryChunks();
      const told = { ...event(openedEvent(ROW)), payload: Buffer.from(payload, "latin1") };
      await storeRecording(store, ROW, [[told]]);
      const chunks = await collect(readSession(store, SESSION));
      for (const chunk of chunks)
        expect(() => [...eventsOf(chunk)]).toThrow("chunk 0 holds an event that is not one of ours");
    }
  });

  it("ends at the first gap without a complaint while the session is live, since chunks are stored in parallel", async () => {
    const { store } = await stored(5);
    store.chunks.delete(name(3));
    const chunks = await collect(readSession(store, SESSION, { live: true }));
    expect(chunks.map((chunk) => chunk.header.sequence)).toEqual([0, 1, 2]);
  });

  it("is not blamed for a store that does not answer", async () => {
    const { store } = await stored(2);
    const down = Object.assign(new Error("down"), { code: "store-unavailable" });
    const failing = { ...store, get: () => Promise.reject(down) };
    await expect(collect(readSession(failing, SESSION))).rejects.toBe(down);
  });
});
