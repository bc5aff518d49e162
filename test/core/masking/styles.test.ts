import { createHmac } from "node:crypto";
import { isUtf8 } from "node:buffer";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keyedDigest } from "../../../core/masking/keyed-digest.ts";
import { luhnSum } from "../../../core/masking/luhn.ts";
import type { MaskStyle } from "../../../core/masking/masking.ts";
import { KEY, STYLES, maskingOf, ruleOf } from "./kit.ts";

const masking = maskingOf({});
const other = maskingOf({}, Buffer.from("another key, of no other use"));
const text = fc.string({ unit: "binary", maxLength: 300 });
const style = fc.constantFrom(...STYLES);

function mask(by: MaskStyle, value: string, under = masking): string | undefined {
  return under.maskValue(ruleOf(by), Buffer.from(value), 25, 0)?.toString();
}

/** Test numbers of the schemes, in the ways that people write them. */
const CARDS = ["4242424242424242", "5555 5555 5555 4444", "3782-822463-10005", "6011.1111.1111.1117", "4222222222222"];

describe("a masked text", () => {
  test("never contains the original, is valid UTF-8, and is the same each time", () => {
    fc.assert(
      fc.property(text, style, (value, by) => {
        const masked = masking.maskValue(ruleOf(by), Buffer.from(value), 25, 0);
        expect(masked === undefined).toBe(by === "null");
        if (masked === undefined) return;
        expect(isUtf8(masked)).toBe(true);
        if (Buffer.byteLength(value) >= 5) expect(masked.includes(value)).toBe(false);
        expect(masking.maskValue(ruleOf(by), Buffer.from(value), 25, 0)).toEqual(masked);
      }),
      { numRuns: 1_000 },
    );
  });

  test("of bytes that are no UTF-8 shows none of them", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 5, maxLength: 64 }), style, (bytes, by) => {
        const value = Buffer.concat([bytes, Buffer.from([0xff])]);
        const masked = masking.maskValue(ruleOf(by), value, 25, 0);
        if (masked !== undefined) expect(isUtf8(masked)).toBe(true);
      }),
    );
  });

  test.each([
    ["123-45-6789", "****6789"],
    ["4242424242424242", "****4242"],
    ["123456789", "****6789"],
    ["12345678", "****"],
    ["größeßüöä", "****ßüöä"],
    ["12345😀😀😀😀", "****😀😀😀😀"],
    ["", "****"],
  ])("in partial shows the last four characters of one that is long enough: %s", (value, masked) => {
    expect(mask("partial", value)).toBe(masked);
  });

  test("in full tells nothing, not even its length", () => {
    fc.assert(
      fc.property(text, (value) => {
        expect(mask("full", value)).toBe("****");
      }),
    );
  });
});

describe("a hash", () => {
  test("differs between values and between keys, and is HMAC-SHA-256", () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        if (a !== b) expect(mask("hash", a)).not.toBe(mask("hash", b));
        expect(mask("hash", a, other)).not.toBe(mask("hash", a));
        expect(mask("hash", a)).toBe(createHmac("sha256", KEY).update(a).digest("hex").slice(0, 32));
      }),
    );
  });

  test.each([16, 32, 64, 65, 200])(
    "is that with a key of %i bytes and texts of any length, asked for once or twice",
    (bytes) => {
      const key = Buffer.alloc(bytes, "key");
      const digest = keyedDigest(key);
      for (const length of [0, 1, 55, 56, 126, 127, 128, 129, 1023, 1024, 1025, 5000, 3]) {
        const value = Buffer.alloc(length, "v");
        const right = createHmac("sha256", key).update(value).digest("hex");
        expect([digest(value), digest(value)]).toEqual([right, right]);
      }
    },
  );

  test("is right however many other values were asked for in between", () => {
    const digest = keyedDigest(KEY);
    const right = (value: string) => createHmac("sha256", KEY).update(value).digest("hex");
    const values = Array.from({ length: 10_000 }, (_, at) => `${at % 7}${"x".repeat(at % 120)}${at}`);
    for (const pass of [1, 2]) {
      const wrong = values.filter((value) => digest(Buffer.from(value)) !== right(value));
      expect(wrong, `pass ${pass}`).toEqual([]);
    }
  });
});

describe("a format-preserving mask", () => {
  test.each(CARDS)("of the card %s is a card of nobody's, as long and as written", (card) => {
    const masked = mask("format-preserving", card) ?? "";
    expect(masked.replaceAll(/\d/g, "0")).toBe(card.replaceAll(/\d/g, "0"));
    expect(luhnSum(Array.from(masked.replaceAll(/\D/g, ""), Number))).toBe(0);
    expect(masked).toMatch(/^9/);
    expect(masked).not.toBe(card);
    expect(mask("format-preserving", card, other)).not.toBe(masked);
  });

  test("of a card is the same however the card is spaced", () => {
    const digits = (written: string) => mask("format-preserving", written)?.replaceAll(/\D/g, "");
    expect(digits("4242 4242 4242 4242")).toBe(digits("4242424242424242"));
  });

  test("of an e-mail address is one to which no mail goes, the same in either case", () => {
    expect(mask("format-preserving", "Alice@Example.com")).toMatch(/^[0-9a-f]{16}@masked\.invalid$/);
    expect(mask("format-preserving", "Alice@Example.com")).toBe(mask("format-preserving", "alice@example.com"));
    expect(mask("format-preserving", "ÅSA@exämple.com")).toMatch(/^[0-9a-f]{16}@masked\.invalid$/);
    expect(mask("format-preserving", "ÅSA@exämple.com")).toBe(mask("format-preserving", "åsa@exämple.com"));
  });

  test.each(["@example.com", "alice@", "a@b@c.d", "a lice@example.com", "alice@exam\tple.com", "@"])(
    "of %j, which is no address, is none",
    (value) => {
      expect(mask("format-preserving", value)).not.toContain("masked.invalid");
    },
  );

  test.each(["+44 7700 900123", "Anna-Lena O'Hara", "DE89370400440532013000", "ÅSA Öberg ١٢٣"])(
    "of %s keeps its length, its letters' case and its punctuation",
    (value) => {
      const shape = (of: string | undefined) =>
        of
          ?.replaceAll(/\p{N}/gu, "0")
          .replaceAll(/\p{Lu}/gu, "A")
          .replaceAll(/\p{Ll}/gu, "a");
      expect(shape(mask("format-preserving", value))).toBe(shape(value));
      expect(mask("format-preserving", value)).not.toBe(value);
    },
  );
});
