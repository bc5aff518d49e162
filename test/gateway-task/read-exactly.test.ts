import { PassThrough } from "node:stream";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readExactly } from "../../gateway-task/read-exactly.ts";

const never = new AbortController().signal;

/** Lets the event loop turn, which a loop of ticks and promises never does. */
const turn = async (): Promise<void> => new Promise((done) => void setImmediate(done));

describe("reading exactly so many bytes", () => {
  test("takes them from whatever pieces they come in, and leaves the rest", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 9 }), { minLength: 1 }), async (pieces) => {
        const bytes = Buffer.concat(pieces);
        const [first, second] = [Math.ceil(bytes.length / 2), Math.floor(bytes.length / 2)];
        const stream = new PassThrough();
        const reading = readExactly(stream, first, never);
        for (const piece of pieces) {
          stream.write(piece);
          await turn();
        }
        expect(await reading).toEqual(bytes.subarray(0, first));
        if (second > 0) expect(await readExactly(stream, second, never)).toEqual(bytes.subarray(first));
        expect(stream.readableLength).toBe(0);
      }),
      { numRuns: 50 },
    );
  });

  test("waits for a peer that has sent too few without keeping the process busy", async () => {
    const stream = new PassThrough();
    let reads = 0;
    const read = stream.read.bind(stream);
    stream.read = (size) => {
      if (++reads > 1_000) throw new Error("it reads and reads");
      return read(size) as Buffer | null;
    };
    stream.write("abc");
    const reading = readExactly(stream, 4, never);
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(reads).toBeLessThan(10);
    stream.write("d");
    expect((await reading).toString()).toBe("abcd");
  });

  test.each(["end", "destroy"] as const)(
    "is refused when the stream's %s comes first, whatever was there",
    async (how) => {
      for (const sent of ["", "abc"]) {
        const stream = new PassThrough();
        if (sent !== "") stream.write(sent);
        const reading = readExactly(stream, 4, never);
        stream[how]();
        await expect(reading).rejects.toMatchObject({ code: "protocol-violation" });
        await expect(readExactly(stream, 4, never)).rejects.toMatchObject({ code: "protocol-violation" });
      }
    },
  );

  test("ends with the signal's reason, and leaves no listener behind", async () => {
    const stream = new PassThrough();
    const deadline = new AbortController();
    const reading = readExactly(stream, 4, deadline.signal);
    deadline.abort(new Error("too late"));
    await expect(reading).rejects.toThrow("too late");
    await expect(readExactly(stream, 4, deadline.signal)).rejects.toThrow("too late");
    for (const event of ["readable", "error"]) expect(stream.listenerCount(event), event).toBe(0);
  });
});
