import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { newTrail } from "../../../core/recording/position.ts";
import { inputSlice, outputSlice, sliceReader } from "../../../core/recording/slices.ts";
import { event, input, makeChunks, opening, openedEvent, output, storeRecording } from "../../setup/make-recording.ts";
import { memoryChunks, nameOf } from "../../setup/memory-chunks.ts";
import { sessionIdAt } from "../../setup/session-ids.ts";

const ROW = opening(sessionIdAt(1_800_000_000_000));

/** Chunks whose output stream is the alphabet again and again, with other frames between. */
async function stored(chunks: number) {
  const store = memoryChunks();
  const letters = "abcdefghijklmnopqrstuvwxyz";
  const made = Array.from({ length: chunks }, (_, n) => [
    ...(n === 0 ? [event(openedEvent(ROW))] : []),
    output(letters.slice(0, 10)),
    input(`in${n}`),
    output(""),
    output(letters.slice(10)),
    ...(n % 3 === 2 ? [] : [input("")]),
  ]);
  made.splice(2, 0, [input("a chunk without output")]);
  await storeRecording(store, ROW, made);
  return { store, stream: Buffer.from(letters.repeat(chunks)), made };
}

describe("a slice of a stream", () => {
  it("is those bytes of the frames of its direction put together, wherever it starts and ends", async () => {
    const { store, stream } = await stored(6);
    const offset = fc.nat({ max: stream.length + 20 });
    await fc.assert(
      fc.asyncProperty(offset, offset, fc.nat({ max: 60 }), async (from, to, limit) => {
        const bytes = await outputSlice(store, ROW.id, from, to, limit);
        expect(bytes.toString()).toBe(stream.subarray(from, Math.max(from, Math.min(to, from + limit))).toString());
      }),
      { numRuns: 300 },
    );
  });

  it("is the same from a reader that is asked in any order, with and without a trail", async () => {
    const { store, stream } = await stored(9);
    const offset = fc.nat({ max: stream.length });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(offset, offset)), fc.boolean(), async (asked, trailed) => {
        const reader = sliceReader(store, ROW.id, "output", trailed ? { trail: newTrail() } : {});
        for (const [from, to] of asked)
          expect((await reader.slice(from, to, 1_000)).toString()).toBe(stream.subarray(from, to).toString());
        await reader.close();
      }),
      { numRuns: 100 },
    );
  });

  it("is of the direction that was asked for", async () => {
    const { store } = await stored(2);
    expect((await inputSlice(store, ROW.id, 0, 100, 100)).toString()).toBe("in0in1a chunk without output");
    expect((await inputSlice(store, ROW.id, 2, 5, 100)).toString()).toBe("0in");
  });

  it("reads each chunk once when asked in ascending order, and few when a trail leads there", async () => {
    const { store, stream } = await stored(20);
    const trail = newTrail();
    const reader = sliceReader(store, ROW.id, "output", { trail });
    for (let at = 0; at < stream.length; at += 5) await reader.slice(at, at + 5, 5);
    expect(store.reads).toBe(21);
    store.reads = 0;
    await outputSlice(store, ROW.id, stream.length - 30, stream.length - 28, 10, { trail });
    expect(store.reads).toBeLessThanOrEqual(3);
  });

  it("is never of bytes that were altered", async () => {
    const { store, made } = await stored(5);
    made[1] = [output("ABCDEFGHIJ"), input("in1"), output(""), output("klmnopqrstuvwxyz"), input("")];
    store.chunks.set(nameOf({ session: ROW.id, sequence: 1 }), makeChunks(ROW, made)[1] ?? Buffer.alloc(0));
    expect((await outputSlice(store, ROW.id, 0, 26, 100)).toString()).toBe("abcdefghijklmnopqrstuvwxyz");
    await expect(outputSlice(store, ROW.id, 26, 36, 100)).rejects.toMatchObject({ code: "recording-corrupt" });
  });
});
