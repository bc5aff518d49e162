import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FRAME_KIND, readFrames } from "../../../core/recording/frame.ts";
import { ChunkBody } from "../../../gateway-task/recorder/chunk-body.ts";

const EDGES = [0, 9, 10, 99, 100, 999_999_999, 1_000_000_000, 1_000_000_001, 2 ** 31, 2 ** 32, 2 ** 53 - 1];

const wrote = (write: (body: ChunkBody) => void): string => {
  const body = new ChunkBody();
  write(body);
  return body.bytes.toString("utf8");
};

describe("a chunk's body", () => {
  it("writes a number as JSON.stringify does", () => {
    const number = fc.oneof(fc.constantFrom(...EDGES), fc.maxSafeNat(), fc.maxSafeInteger(), fc.double());
    fc.assert(
      fc.property(number, (value) => {
        expect(wrote((body) => body.number(value))).toBe(JSON.stringify(value));
      }),
    );
    for (const value of EDGES) expect(wrote((body) => body.number(value))).toBe(String(value));
  });

  it("writes a text as JSON.stringify does", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.string({ minLength: 60, maxLength: 70 }),
      fc.constantFrom('"', "\\", "\u001f", " ", "~", "\u007f", "\ud800", "x".repeat(64), "x".repeat(65)),
    );
    fc.assert(
      fc.property(text, (value) => {
        expect(wrote((body) => body.string(value))).toBe(JSON.stringify(value));
      }),
    );
  });

  it("keeps what was written when its memory grows, and begins anew when it is emptied", () => {
    const body = new ChunkBody();
    for (let turn = 0; turn < 3; turn++) {
      const pieces = Array.from({ length: 5_000 }, (_, index) => `${turn}:${index},`);
      for (const piece of pieces) body.raw(Buffer.from(piece));
      expect(body.bytes.toString("utf8")).toBe(pieces.join(""));
      body.empty();
      expect(body.length).toBe(0);
    }
  });

  it("takes a frame's payload from a larger buffer, and one that is written piece by piece", () => {
    const body = new ChunkBody();
    body.frame(FRAME_KIND.input, 1, 2, 2 ** 40 + 3, Buffer.from("..asked.."), 2, 7);
    const at = body.beginFrame();
    body.utf8("told é");
    expect(body.endFrame(at, FRAME_KIND.event, 5, 100)).toBe(true);
    expect([...readFrames(body.bytes)]).toEqual([
      { kind: FRAME_KIND.input, flags: 1, channel: 2, micros: 2 ** 40 + 3, payload: Buffer.from("asked") },
      { kind: FRAME_KIND.event, flags: 0, channel: 0, micros: 5, payload: Buffer.from("told é") },
    ]);
  });

  it("takes back a frame that became too large", () => {
    const body = new ChunkBody();
    body.frame(FRAME_KIND.input, 0, 0, 0, Buffer.from("a"), 0, 1);
    const { length } = body;
    const at = body.beginFrame();
    body.utf8("x".repeat(101));
    expect(body.endFrame(at, FRAME_KIND.event, 5, 100)).toBe(false);
    expect(body.length).toBe(length);
  });
});
