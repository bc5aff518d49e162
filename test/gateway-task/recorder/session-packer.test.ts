import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeChunk, genesis, sha256 } from "../../../core/recording/chunk.ts";
import { FORGOTTEN, type SessionEvent } from "../../../core/recording/events.ts";
import { FRAME_KIND, readFrames, type Frame } from "../../../core/recording/frame.ts";
import type { NewInterpreter } from "../../../core/recording/interpreter.ts";
import type { SessionId } from "../../../core/ports/session-store.ts";
import { SessionPacker, type PackedChunk } from "../../../gateway-task/recorder/session-packer.ts";

const SESSION = "01890a5d-ac96-774b-bcce-b302099a8057" as SessionId;

/** Says, after every 100 bytes of input, how many it has seen: an interpreter with a state that can be compared. */
const counting: NewInterpreter = (emit) => {
  let seen = 0;
  let statements = 0;
  return {
    input(bytes, micros) {
      for (seen += bytes.length; seen >= 100 * (statements + 1); statements++)
        emit({ type: "notice", severity: "NOTICE", sqlstate: "00000", message: String(statements) }, micros);
    },
    output: () => {},
    finish: (micros) => emit({ type: "gap", frames: 0, message: `finished at ${seen}` }, micros),
    held: 0,
    forget(micros) {
      seen = statements = 0;
      emit(FORGOTTEN, micros);
    },
    get statements() {
      return statements;
    },
  };
};

interface Given {
  readonly kind: 1 | 2;
  readonly payload: Buffer;
}
const given = fc.array(
  fc.record({
    kind: fc.constantFrom(1, 2),
    payload: fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes)),
  }),
  { maxLength: 60 },
) as fc.Arbitrary<Given[]>;

const packer = (sink: PackedChunk[]): SessionPacker =>
  new SessionPacker(SESSION, 1_000, counting, (chunk) => sink.push(chunk));
const frame = ({ kind, payload }: Given, index: number) => ({
  kind,
  bytes: payload,
  start: 0,
  end: payload.length,
  flags: 0,
  channel: 0,
  micros: index * 3,
  frameNumber: index,
});
const framesOf = (chunks: readonly PackedChunk[]): Frame[] =>
  chunks.flatMap(({ bytes }) => [...readFrames(decodeChunk(bytes).body)]);
const eventOf = ({ payload }: Frame): SessionEvent => JSON.parse(payload.toString("utf8")) as SessionEvent;

describe("a session's packer", () => {
  it("keeps every frame, in order, byte for byte, wherever chunks are closed", () => {
    fc.assert(
      fc.property(given, fc.nat(7), (frames, every) => {
        const chunks: PackedChunk[] = [];
        const packing = packer(chunks);
        frames.forEach((one, index) => {
          packing.add(frame(one, index));
          if (index % (every + 1) === 0) packing.flush();
        });
        packing.flush();
        const kept = framesOf(chunks).filter(({ kind }) => kind !== FRAME_KIND.event);
        expect(kept.map(({ kind, payload }) => ({ kind, payload }))).toEqual(frames);
      }),
    );
  });

  it("links each chunk to the hash of the one before, from the session's own beginning", () => {
    fc.assert(
      fc.property(given, (frames) => {
        const chunks: PackedChunk[] = [];
        const packing = packer(chunks);
        frames.forEach((one, index) => {
          packing.add(frame(one, index));
          packing.flush();
        });
        let previous: Uint8Array = genesis(SESSION);
        chunks.forEach(({ bytes, sequence }, index) => {
          expect(sequence).toBe(index);
          expect(Buffer.compare(decodeChunk(bytes).header.previous, previous)).toBe(0);
          previous = sha256(bytes);
        });
      }),
    );
  });

  it("goes on after a crash as if there had been none, from the chunks that were stored", () => {
    fc.assert(
      fc.property(given, fc.nat(59), (frames, died) => {
        const whole: PackedChunk[] = [];
        const living = packer(whole);
        const resumed: PackedChunk[] = [];
        const successor = packer(resumed);
        frames.forEach((one, index) => {
          living.add(frame(one, index));
          if (index % 5 === 4) living.flush();
        });
        living.finish();
        living.flush();
        const stored = whole.filter(({ sequence }) => sequence <= died % Math.max(1, whole.length));
        if (stored.length === whole.length) stored.pop();
        for (const { bytes } of stored) {
          const { header, body } = decodeChunk(bytes);
          successor.resume(header, readFrames(body), sha256(bytes));
        }
        frames.forEach((one, index) => {
          if (index < successor.nextFrame) return;
          successor.add(frame(one, index));
          if (index % 5 === 4) successor.flush();
        });
        successor.finish();
        successor.flush();
        const head = (chunks: readonly PackedChunk[]): string | undefined => chunks.at(-1)?.sha256;
        expect(head(resumed)).toBe(head(whole));
        expect(successor.totals).toEqual(living.totals);
      }),
    );
  });

  it("says how many frames are lost, and counts them", () => {
    const chunks: PackedChunk[] = [];
    const packing = packer(chunks);
    packing.add(frame({ kind: 1, payload: Buffer.from("a") }, 0));
    packing.add({ ...frame({ kind: 1, payload: Buffer.from("b") }, 0), frameNumber: 4 });
    packing.flush();
    const events = framesOf(chunks).filter(({ kind }) => kind === FRAME_KIND.event);
    expect(events.map(eventOf)).toEqual([expect.objectContaining({ type: "gap", frames: 3 })]);
    expect(packing.nextFrame).toBe(5);
  });

  it("closes a chunk by itself before it grows past what a reader accepts", () => {
    const chunks: PackedChunk[] = [];
    const packing = packer(chunks);
    const payload = Buffer.alloc(128 << 10, "x");
    for (let index = 0; index < 160; index++) packing.add(frame({ kind: 2, payload }, index));
    packing.flush();
    expect(chunks.length).toBeGreaterThanOrEqual(5);
    expect(framesOf(chunks).filter(({ kind }) => kind === 2)).toHaveLength(160);
  });

  it("has forgotten after a crash what it had let go of before", () => {
    const asked = (n: number) => frame({ kind: 1, payload: Buffer.alloc(90, n) }, n);
    const whole: PackedChunk[] = [];
    const living = packer(whole);
    for (let n = 0; n < 6; n++) {
      living.add(asked(n));
      if (n === 3) living.forget();
      if (n % 2 === 1) living.flush();
    }
    const again: PackedChunk[] = [];
    const resumed = packer(again);
    for (const { bytes } of whole.slice(0, 2)) {
      const { header, body } = decodeChunk(bytes);
      resumed.resume(header, readFrames(body), sha256(bytes));
    }
    for (let n = 4; n < 6; n++) resumed.add(asked(n));
    resumed.flush();
    expect(again.map(({ sha256: digest }) => digest)).toEqual(whole.slice(2).map(({ sha256: digest }) => digest));
  });

  it("stores a note in place of an event that is too large to be read back", () => {
    const chunks: PackedChunk[] = [];
    const shouting: NewInterpreter = (emit) => ({
      input: (_bytes, micros) =>
        emit({ type: "notification", processId: 1, channel: "c", payload: "x".repeat(2 << 20) }, micros),
      output: () => {},
      finish: () => {},
      held: 0,
      forget: () => {},
      statements: 0,
    });
    const packing = new SessionPacker(SESSION, 0, shouting, (chunk) => chunks.push(chunk));
    packing.add(frame({ kind: 1, payload: Buffer.from("a") }, 0));
    packing.flush();
    expect(
      framesOf(chunks)
        .filter(({ kind }) => kind === 3)
        .map(eventOf),
    ).toEqual([expect.objectContaining({ type: "error", sqlstate: "54000" })]);
  });
});
