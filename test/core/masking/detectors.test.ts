import { isUtf8 } from "node:buffer";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { STYLES, binaryArray, binaryRecord, detected, detecting, int8, maskingOf } from "./kit.ts";
import { FALSE_ALARMS, FOUND } from "./detector-vectors.ts";

const full = detecting("full");
/** What the filter says of a whole stretch. */
const mayContain = (chunk: Buffer, from: number, to: number, masking = full): boolean =>
  masking.search(chunk, from, to).mayHold(from, to);
const VALUES = FOUND.map(([, value]) => value);
/** What may stand around a value, within its text: nothing that would continue a number, a name or a token. */
const neighbour = fc
  .array(
    fc.constantFrom(
      " ",
      ", ",
      "(",
      ")",
      '"',
      "'",
      "; ",
      "é ",
      "😀",
      "\n",
      "\t",
      " the ",
      " n7 ",
      "[",
      "]",
      "<",
      ">",
      "|",
    ),
    {
      maxLength: 4,
    },
  )
  .map((parts) => parts.join(""));

describe("detectors", () => {
  test.each(FOUND)("find a %s: %s", (rule, value) => {
    expect(detected(full, value)).toMatchObject({ text: "****", counted: [rule] });
    expect(detected(full, `see: ${value} \u2026`).text).toBe("see: **** \u2026");
  });

  test.each(FALSE_ALARMS)("leave alone what only looks like it, as the identical Buffer: %s", (value) => {
    const bytes = Buffer.from(value);
    const masked = full.detectInValue(bytes, 25, 0, () => expect.unreachable());
    expect(masked).toBe(bytes);
    expect(full.detectInText(bytes, () => expect.unreachable())).toBe(bytes);
  });

  test("find a value at any place and with any neighbours, in every style, and leave those as they were", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...VALUES),
        neighbour,
        neighbour,
        fc.constantFrom(...STYLES),
        (value, a, b, style) => {
          const text = Buffer.from(`${a} ${value} ${b}`);
          const masked = detecting(style).detectInText(text, () => undefined);
          expect(masked.includes(value)).toBe(false);
          expect(isUtf8(masked)).toBe(true);
          expect(masked.toString().startsWith(`${a} `)).toBe(true);
          expect(masked.toString().endsWith(` ${b}`)).toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test("find an access key wherever it stands within a longer word", () => {
    for (let before = 0; before < 24; before++)
      for (let behind = 0; behind < 24; behind++) {
        const word = `${"-".repeat(before)}AKIAIOSFODNN7EXAMPLE${"_".repeat(behind)}`;
        expect(detected(full, word), word).toMatchObject({ counted: ["aws-key"] });
      }
  });

  test("count each rule once a value, however often it was found", () => {
    expect(detected(full, "a@example.com b@example.com 4242424242424242").counted.toSorted()).toEqual([
      "card",
      "email",
    ]);
  });

  test("mask what overlaps as one", () => {
    expect(detected(full, "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl.").text).toBe("Bearer ****");
  });

  test("that are off find nothing", () => {
    const masking = maskingOf({ detectors: [{ name: "d", detect: "card", style: "full" }] });
    expect(detected(masking, "alice@example.com").text).toBe("alice@example.com");
    expect(detected(masking, "4242424242424242").text).toBe("****");
  });

  test("of one's own are tried where their literal is", () => {
    const masking = maskingOf({
      detectors: [{ name: "c", detect: "custom", pattern: "CUST-[0-9é]{4}", contains: "CUST-", style: "full" }],
    });
    expect(detected(masking, "ä CUST-12é4, CUST-9999 CUST-x")).toMatchObject({
      text: "ä ****, **** CUST-x",
      counted: ["c"],
    });
    expect(mayContain(Buffer.from("xxCUST-yy"), 2, 7, masking)).toBe(true);
    expect(mayContain(Buffer.from("xxCUST-yy"), 3, 9, masking)).toBe(false);
    expect(mayContain(Buffer.from("xxCUST-yy"), 0, 6, masking)).toBe(false);
  });
});

describe("the filter of whole chunks", () => {
  test.each(VALUES)("never passes over %s, whatever bytes are around it and wherever the chunk is cut", (value) => {
    const bytes = Buffer.from(value);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.uint8Array({ maxLength: 60 }), fc.nat(30), (a, b, margin) => {
        const chunk = Buffer.concat([a, bytes, b]);
        const from = Math.max(0, a.length - margin);
        expect(mayContain(chunk, from, Math.min(chunk.length, a.length + bytes.length + margin))).toBe(true);
      }),
    );
    // Length words and whatever else continues a number or a token on both sides.
    for (const glue of [
      "\0\0\0\x31",
      "4",
      "a",
      "Z",
      "-",
      " ",
      ".",
      "\xff",
      "@",
      "9".repeat(30),
      "a".repeat(50),
      " ".repeat(30),
    ])
      expect(mayContain(Buffer.from(glue + value + glue, "latin1"), 0, glue.length * 2 + bytes.length)).toBe(true);
  });

  test("says nothing of what is outside of its bounds", () => {
    const chunk = Buffer.from("alice@example.com harmless 4242424242424242");
    expect(mayContain(chunk, 17, 27)).toBe(false);
    expect(mayContain(chunk, 0, 27)).toBe(true);
    expect(mayContain(chunk, 17, chunk.length)).toBe(true);
  });

  test("and the look at the value agree: what is found could be foreseen", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 60 }),
        fc.constantFrom(...VALUES),
        fc.nat(60),
        (text, value, at) => {
          const bytes = Buffer.from(text.slice(0, at) + value.slice(at % 7) + text.slice(at));
          const masked = full.detectInValue(bytes, 25, 0, () => undefined);
          if (masked === bytes) return;
          expect(mayContain(bytes, 0, bytes.length)).toBe(true);
          expect(full.search(bytes, 0, bytes.length).mayBeIn(0, bytes.length)).toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe("a value of a type of its own", () => {
  test("is looked into by its type: arrays, records and JSON keep their shape", () => {
    const [mail, card] = [Buffer.from("alice@example.com"), int8(4242424242424242n)];
    const array = binaryArray(25, [Buffer.from("plain"), mail, undefined]);
    expect(detected(full, array, 1009, 1).masked).toEqual(
      binaryArray(25, [Buffer.from("plain"), Buffer.from("****"), undefined]),
    );
    const record = binaryRecord([
      [25, mail],
      [20, card],
      [20, int8(7n)],
    ]);
    const masked = binaryRecord([
      [25, Buffer.from("****")],
      [20, undefined],
      [20, int8(7n)],
    ]);
    expect(detected(full, record, 2249, 1).masked).toEqual(masked);
    expect(detected(full, record, 99_999, 1).masked).toEqual(masked);
    expect(detected(full, "{plain,alice@example.com,NULL}", 1009).text).toBe("{plain,****,NULL}");
    expect(detected(full, "{plain,alice@example.com}", 99_999).text).toBe("{plain,****}");
    expect(detected(full, "(7,alice@example.com)", 2249).text).toBe("(7,****)");
  });

  test.each([
    ['{"a":"alice@example.com","b":[4242424242424242,12.50]}', '{"a":"****","b":["****",12.50]}'],
    [String.raw`{"a":"alice\u0040example.com"}`, '{"a":"****"}'],
    [String.raw`{"a":"x\ny alice@example.com"}`, String.raw`{"a":"x\ny ****"}`],
    ['{ "alice@example.com" : 1 }', '{ "****" : 1 }'],
    ['{"größe": "alice@example.com"}', '{"größe": "****"}'],
  ])("that is JSON stays JSON: %s", (value, masked) => {
    expect(detected(full, value, 114).text).toBe(masked);
    expect(detected(full, `\x01${value}`, 3802, 1).text).toBe(`\x01${masked}`);
    expect(detected(full, '{"a":1}', 114).counted).toEqual([]);
    expect(full.alwaysLook(114, 0)).toBe(true);
  });

  test("that is JSON has a null where the style says so", () => {
    expect(detected(detecting("null"), '{"a@example.com":"a@example.com"}', 3802).text).toBe('{"****":null}');
  });

  test("that is an integer is another card's number, or NULL", () => {
    const preserving = detecting("format-preserving");
    const numeric = Buffer.from("00040003000000001092109210921092", "hex"); // 4242 4242 4242 4242
    for (const type of [20, 1700]) {
      expect(detected(full, "4242424242424242", type)).toMatchObject({ masked: undefined, counted: ["card"] });
      expect(detected(preserving, "4242424242424242", type).text).toMatch(/^9\d{15}$/);
    }
    expect(detected(full, int8(4242424242424242n), 20, 1).masked).toBeUndefined();
    expect(detected(preserving, int8(4242424242424242n), 20, 1).masked?.readBigInt64BE(0)).toBeGreaterThan(
      9n * 10n ** 15n,
    );
    expect(detected(full, numeric, 1700, 1).masked).toBeUndefined();
    expect(detected(preserving, numeric, 1700, 1).masked?.toString("hex")).toMatch(/^00040003000000002/);
    for (const [type, format] of [
      [20, 1],
      [1700, 1],
      [1016, 1],
      [2249, 1],
      [17, 0],
    ] as const)
      expect(full.alwaysLook(type, format)).toBe(true);
    for (const [type, format] of [
      [20, 0],
      [25, 0],
      [25, 1],
      [1009, 1],
      [1184, 1],
    ] as const)
      expect(full.alwaysLook(type, format)).toBe(false);
  });

  test("that is bytes is the same bytes in either format", () => {
    const hex = Buffer.from("x alice@example.com").toString("hex");
    expect(detected(full, `\\x${hex}`, 17).text).toBe(`\\x${Buffer.from("x ****").toString("hex")}`);
    expect(detected(full, "x alice@example.com", 17, 1).text).toBe("x ****");
  });

  test("whose literal a mask would take apart becomes NULL", () => {
    const masking = maskingOf({
      detectors: [{ name: "c", detect: "custom", pattern: "CUST.{1,3}", contains: "CUST", style: "full" }],
    });
    for (const type of [2249, 99_999]) {
      expect(detected(masking, "(CUST,1)", type).masked).toBeUndefined();
      expect(detected(masking, '("a CUST\\"")', type).masked).toBeUndefined();
      expect(detected(masking, "(CUST123,1)", type).text).toBe("(****,1)");
    }
  });

  test("in a binary format that nobody knows becomes NULL if something is found in it", () => {
    const value = Buffer.from("\0\x01alice@example.com\0");
    expect(detected(full, value, 99_999, 1).masked).toBeUndefined();
    expect(detected(full, "alice@example.com", 99_999, 1).text).toBe("****");
    const harmless = Buffer.from("\0\x01\0\x02");
    expect(full.detectInValue(harmless, 99_999, 1, () => expect.unreachable())).toBe(harmless);
  });

  test("never makes the detectors throw, whatever the bytes", () => {
    const type = fc.constantFrom(25, 1009, 2249, 3802, 114, 17, 20, 1700, 99_999, 142);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.constantFrom(...VALUES), type, (bytes, value, of) => {
        for (const format of [0, 1] as const)
          detected(full, Buffer.concat([bytes, Buffer.from(value), bytes]), of, format);
      }),
      { numRuns: 2_000 },
    );
  });
});
