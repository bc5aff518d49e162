import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CLASSES, NUMERIC, TOKEN } from "../../../core/masking/detectors/byte-classes.ts";
import { KEY_RUN, NUMBER_RUN, TOKEN_RUN, nextMark, runMarks } from "../../../core/masking/detectors/run-marks.ts";
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

/** The offsets that are marked, within what was. */
function offsetsOf(marks: readonly number[] = [], length: number): number[] {
  const offsets: number[] = [];
  for (let at = nextMark(marks, 0); at < length; at = nextMark(marks, at + 1)) offsets.push(at);
  return offsets;
}

/** The offsets from which on so many bytes are of a kind: read one byte after the other. */
function runsIn(bytes: Buffer, length: number, is: (byte: number) => boolean): number[] {
  const kinds = Array.from(bytes, is);
  return kinds.flatMap((_, at) =>
    at + length <= bytes.length && kinds.slice(at, at + length).every(Boolean) ? [at] : [],
  );
}

const BLOCK = 64;

describe("marks of long runs", () => {
  test("are where such runs are, byte by byte, and nowhere else", () => {
    const isOf = (classes: number) => (byte: number) => ((CLASSES[byte] ?? 0) & classes) !== 0;
    fc.assert(
      fc.property(bytesOf, fc.nat(70), (some, offset) => {
        const whole = Buffer.concat([Buffer.alloc(offset, "9"), some, Buffer.alloc(512, ","), Buffer.from("99999999")]);
        const bytes = whole.subarray(offset, -8);
        const marks = runMarks(whole, offset, whole.length - 8);
        expect(offsetsOf(marks?.number, bytes.length)).toEqual(runsIn(bytes, NUMBER_RUN, isOf(NUMERIC)));
        const isCapitalNear = (at: number): boolean => {
          const from = at - (at % BLOCK);
          return /[A-Z]/.test(bytes.toString("latin1", from, from + 2 * BLOCK));
        };
        const tokens = runsIn(bytes, TOKEN_RUN, isOf(TOKEN)).filter(isCapitalNear);
        const keys = runsIn(bytes, KEY_RUN, (byte) => "AIKS".includes(String.fromCharCode(byte)));
        // Letters of keys without an I between them are left out where no I is near.
        const marked = offsetsOf(marks?.token, bytes.length);
        const expected = new Set([...tokens, ...keys.filter((at) => bytes[at + 2] === 0x49)]);
        expect([...expected].filter((at) => !marked.includes(at))).toEqual([]);
        expect(marked.filter((at) => !tokens.includes(at) && !keys.includes(at))).toEqual([]);
        const isR = (at: number): boolean => ((bytes[at] ?? 0) | 0x20) === 0x72;
        const bearers = Array.from(bytes, (_, at) => at).filter((at) => isR(at + 3) && isR(at + 5));
        expect(offsetsOf(marks?.bearer, bytes.length)).toEqual(bearers);
      }),
      { numRuns: 200 },
    );
  });

  test("see a run wherever it stands in bytes of any length, those of several pieces too", () => {
    const length = 150_000;
    for (const at of [0, 1, 65_440, 65_470, 65_472, 65_500, 65_530, 65_536, 130_940, 130_950, length - 9]) {
      const bytes = Buffer.alloc(length + 100, "x,");
      bytes.write("123456789", 40 + at);
      expect(offsetsOf(runMarks(bytes, 40, 40 + length)?.number, length)).toEqual([at]);
    }
  });

  test("are not made of what is very long, or nearly all of which would be marked", () => {
    expect(runMarks(Buffer.alloc((1 << 20) + 1, "x,"), 0, (1 << 20) + 1)).toBeUndefined();
    expect(runMarks(Buffer.alloc(60_000, "rx"), 0, 60_000)).toBeUndefined();
    expect(runMarks(Buffer.alloc(60_000, "123456789,"), 0, 60_000)).toBeUndefined();
    expect(runMarks(Buffer.alloc(1 << 20, "x,"), 0, 1 << 20)).toBeDefined();
  });
});

describe("a search", () => {
  test("never passes over a value in which something is found, wherever it lies among others", () => {
    const harmless = fc.constantFrom("", "7", "please leave it", "0cc175b9c0f1b6a831c399e269772661 ".repeat(9), "x");
    const inHex = fc
      .tuple(
        fc.constantFrom("", "0cc", "zz-", "a-", " ", "12-"),
        fc.constantFrom(...VALUES),
        fc.constantFrom("", "f", "f-", "fx", "-a", "9", "-"),
      )
      .map((parts) => parts.join(""));
    const value = fc.oneof(harmless, fc.constantFrom(...VALUES), inHex, bytesOf);
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
          const may = search.mayHold(start, at);
          if (search.mayBeIn(start, at)) {
            expect(may).toBe(true);
            continue;
          }
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

  test("passes over what would be a card, but is within a hash", () => {
    const hash = "0cc175b9c0f1b4242424242424242a61";
    const chunk = Buffer.from(`,${hash},4242424242424242,${`${hash}, `.repeat(30)}`);
    const search = full.search(chunk, 0, chunk.length);
    expect(search.mayHold(0, chunk.length)).toBe(true);
    expect(search.mayBeIn(1, 33)).toBe(false);
    expect(search.mayBeIn(34, 50)).toBe(true);
    expect(search.mayBeIn(51, chunk.length)).toBe(false);
    const grouped = Buffer.from(`${",".repeat(600)}a12 4242 4242 4242 4242`);
    expect(full.search(grouped, 0, grouped.length).mayBeIn(600, grouped.length)).toBe(true);
    // Cut there, it is the card that it looks like.
    const other = full.search(chunk, 0, chunk.length);
    expect(other.mayBeIn(1, 14)).toBe(false);
    expect(other.mayBeIn(14, 30)).toBe(true);
  });

  test.each([
    [["iban"], "IBAN DE89370400440532013000, thanks"],
    [["phone"], "+447700900123a"],
    [["iban", "us-ssn", "phone"], "a DE89370400440532013000 b"],
    [["card", "iban"], "a0000000000000,GB25WEST1234567"],
    [["card", "iban"], "a00000000000000,GB25WEST1234567"],
  ])("with %j alone passes over nothing that is found in %j", (detects, value) => {
    const masking = maskingOf({ detectors: detects.map((detect) => ({ name: detect, detect, style: "full" })) });
    const bytes = Buffer.from(value);
    expect(masking.detectInValue(bytes, 25, 0, () => {})).not.toBe(bytes);
    const around = Buffer.from(`${",".repeat(600)}${value}${",".repeat(600)}`);
    expect(masking.search(around, 0, around.length).mayBeIn(600, 600 + bytes.length)).toBe(true);
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
