import { describe, expect, test } from "vitest";
import { READ_BYTES, giveBack, takeBuffer, takeReadBuffer } from "../../gateway-task/io-buffers.ts";

describe("buffers for bulk", () => {
  test.each([
    ["reads", takeReadBuffer],
    ["what is made of reads", () => takeBuffer(READ_BYTES + 1)],
  ])("of %s are used again when they were given back, and not before", (_, take) => {
    const [first, second] = [take(), take()];
    expect(second.buffer).not.toBe(first.buffer);
    giveBack(first.subarray(3, 9));
    const third = take();
    expect(third.buffer).toBe(first.buffer);
    expect(third.length).toBe(third.buffer.byteLength);
    expect(take().buffer).not.toBe(third.buffer);
  });

  test("are handed out once, however often they were given back", () => {
    const buffer = takeReadBuffer();
    giveBack(buffer);
    giveBack(buffer);
    expect(takeReadBuffer().buffer).toBe(buffer.buffer);
    expect(takeReadBuffer().buffer).not.toBe(buffer.buffer);
  });

  test("are only such as were taken here", () => {
    const strange = Buffer.allocUnsafeSlow(READ_BYTES);
    giveBack(strange);
    expect(takeReadBuffer().buffer).not.toBe(strange.buffer);
  });

  test("have the room that was asked for, small or large", () => {
    for (const bytes of [0, 1, 4096, READ_BYTES, READ_BYTES + 1, 2 * READ_BYTES, 2 * READ_BYTES + 1, 10 << 20])
      expect(takeBuffer(bytes).length).toBeGreaterThanOrEqual(bytes);
  });
});
