import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CLASSES, NUMERIC, TOKEN } from "../../../core/masking/detectors/byte-classes.ts";
import { BEFORE, BLOCK, NO_RUN, runMarks } from "../../../core/masking/detectors/run-marks.ts";
import { FOUND } from "./detector-vectors.ts";
import { detecting, detected, maskingOf } from "./kit.ts";

const full = detecting("full");
const VALUES = FOUND.map(([, value]) => value);
const LETTERS = ["0123456789 -.()/", "abcdef0123456789", "AKIASIA", "bearBEAR", "ABCabc019+/=-_.", "\0 ,:\n\xff"];
const bytesOf = fc
  .array(fc.tuple(fc.constantFrom(...LETTERS), fc.integer({ min: 1, max: 90 }), fc.nat(0xffff)), { maxLength: 60 })
  .map((runs) => {
    const text = runs.map(([letters, length, seed]) =>
      Array.from({ length }, (_, n) => letters[((seed + n) * 7919 + n * n) % letters.length]).join(""),
    );
    return Buffer.from(text.join(""), "latin1");
  });

/** Where runs of a length begin of which a block's mark may tell: read one byte after the other. */
function firstRuns(bytes: Buffer, kinds: readonly (readonly [length: number, is: (byte: number) => boolean])[]) {
  const marks = new Uint8Array(Math.ceil(bytes.length / BLOCK)).fill(NO_RUN);
  for (const [length, is] of kinds)
    for (let start = 0; start + length <= bytes.length; start++) {
      if (!bytes.subarray(start, start + length).every(is)) continue;
      for (const [block, mark] of marks.entries()) {
        const offset = start - block * BLOCK + BEFORE;
        const across = offset >= 0 && offset + length <= BLOCK;
        const within = offset >= BEFORE && offset + length <= NO_RUN;
        if (across || within) marks[block] = Math.min(mark, offset);
      }
    }
  return marks;
}

describe("marks of long runs", () => {
  test("are where such runs are, byte by byte, and nowhere else", () => {
    const isOf = (classes: number) => (byte: number) => ((CLASSES[byte] ?? 0) & classes) !== 0;
    const isIn = (letters: string) => (byte: number) => letters.includes(String.fromCharCode(byte));
    fc.assert(
      fc.property(bytesOf, (some) => {
        const bytes = Buffer.concat([some, Buffer.alloc(512, ",")]);
        const marks = runMarks(bytes, 0, bytes.length);
        expect(marks?.number).toEqual(firstRuns(bytes, [[9, isOf(NUMERIC)]]));
        expect(marks?.token).toEqual(
          firstRuns(bytes, [
            [33, isOf(TOKEN)],
            [4, isIn("AIKS")],
            [6, isIn("BEARbear")],
          ]),
        );
      }),
      { numRuns: 200 },
    );
  });

  test("see a run wherever it stands in bytes of any length, those of several pieces too", () => {
    const length = 150_000;
    for (const at of [0, 1, 65_440, 65_470, 65_472, 65_500, 65_530, 65_536, 130_940, 130_950, length - 9]) {
      const bytes = Buffer.alloc(length + 100, "x,");
      bytes.write("123456789", 40 + at);
      const marks = runMarks(bytes, 40, 40 + length)?.number ?? new Uint8Array();
      const told = [...marks.entries()].flatMap(([block, mark]) =>
        mark === NO_RUN ? [] : [block * BLOCK - BEFORE + mark],
      );
      expect(new Set(told)).toEqual(new Set([at]));
    }
  });
});

describe("a search", () => {
  test("never passes over a value in which something is found, wherever it lies among others", () => {
    const harmless = fc.constantFrom("", "7", "please leave it", "0cc175b9c0f1b6a831c399e269772661 ".repeat(9), "x");
    const value = fc.oneof(harmless, fc.constantFrom(...VALUES), bytesOf);
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 40 }), fc.nat(70), (values, offset) => {
        const lengthOf = (bytes: Buffer): Buffer => {
          const word = Buffer.alloc(4);
          word.writeInt32BE(bytes.length);
          return word;
        };
        const buffers = values.map((item) => Buffer.from(item as string));
        const chunk = Buffer.concat([
          Buffer.alloc(offset, "4"),
          ...buffers.flatMap((buffer) => [lengthOf(buffer), buffer]),
          Buffer.alloc(20, "A"),
        ]);
        const search = full.search(chunk, offset, chunk.length - 20);
        let at = offset;
        for (const buffer of buffers) {
          const start = at + 4;
          at = start + buffer.length;
          if (search.mayHold(start, at)) continue;
          expect(full.detectInValue(buffer, 25, 0, () => expect.unreachable())).toBe(buffer);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test.each(VALUES)("finds %s behind any number of harmless bytes", (value) => {
    for (let before = 500; before < 640; before++) {
      const chunk = Buffer.from(`${"please, ".repeat(100).slice(0, before)}\n${value}\n${"please, ".repeat(40)}`);
      const end = before + 1 + Buffer.byteLength(value);
      expect(full.search(chunk, 0, chunk.length).mayHold(before + 1, end), String(before)).toBe(true);
    }
  });

  test("finds a bearer's token behind words that are nearly Bearer, wherever these stand", () => {
    for (let between = 0; between < 64; between++)
      for (const offset of [0, 13, 26, 39, 52]) {
        const chunk = Buffer.from(
          `${",".repeat(offset)}barber${",".repeat(between)}Bearer mF_9.B5f-4.1JqM0mF_9${",".repeat(600)}`,
        );
        expect(full.search(chunk, 0, chunk.length).mayHold(0, chunk.length), `${offset} ${between}`).toBe(true);
      }
  });

  test("passes over most of what is harmless, behind what is not, too", () => {
    const hashes = Buffer.from("0cc175b9c0f1b6a831c399e269772661 please leave it, ".repeat(100));
    expect(full.search(hashes, 0, hashes.length).mayHold(0, hashes.length)).toBe(false);
    const chunk = Buffer.concat([Buffer.from("alice@example.com 4242424242424242 AKIAIOSFODNN7EXAMPLE "), hashes]);
    const search = full.search(chunk, 0, chunk.length);
    expect(search.mayHold(0, 56)).toBe(true);
    expect(search.mayHold(56, 2_000)).toBe(false);
    expect(search.mayHold(2_000, chunk.length)).toBe(false);
  });

  test("tells all of what is in values of a type only where their bytes show it", () => {
    const custom = { name: "c", detect: "custom", pattern: 'a"b', contains: 'a"b', style: "full" };
    const masking = maskingOf({ detectors: [custom] });
    for (const [type, value] of [
      [114, String.raw`"a\"b"`],
      [3802, String.raw`"a\"b"`],
      [1009, String.raw`{"a\"b"}`],
      [17, String.raw`\x612262`],
    ] as const) {
      const bytes = Buffer.from(value);
      expect(masking.search(bytes, 0, bytes.length).mayHold(0, bytes.length)).toBe(false);
      expect(detected(masking, value, type).counted).toEqual(["c"]);
      expect(masking.isSearched(type, 0), String(type)).toBe(false);
    }
    for (const type of [20, 1700, 1016, 2249, 99_999, 0, 3802]) expect(masking.isSearched(type, 1)).toBe(false);
    for (const type of [25, 1043, 18, 142, 23, 2950, 1184]) expect(masking.isSearched(type, 0)).toBe(true);
  });
});
