import { isUtf8 } from "node:buffer";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keyedDigest } from "../../../core/masking/keyed-digest.ts";
import { luhnSum } from "../../../core/masking/luhn.ts";
import type { MaskStyle } from "../../../core/masking/masking.ts";
import { MAX_WRITTEN } from "../../../core/masking/text-styles.ts";
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
  test("differs between values and between keys, and is half of BLAKE2s-256", () => {
    const digest = keyedDigest(KEY);
    fc.assert(
      fc.property(text, text, (a, b) => {
        if (a !== b) expect(mask("hash", a)).not.toBe(mask("hash", b));
        expect(mask("hash", a, other)).not.toBe(mask("hash", a));
        expect(mask("hash", a)).toBe(digest(Buffer.from(a)).toString("hex", 0, 16));
      }),
    );
  });
});

describe("what is written at once", () => {
  const written = fc.oneof(
    text.map((value) => Buffer.from(value)),
    fc.uint8Array({ maxLength: 40 }).map((value) => Buffer.from(value)),
    fc.constantFrom("a@b.c", "Alice@Example.COM", "a@m", "a@M.invalid", "@masked.invalid", "a@b@c", "123456789", "äöü"),
    fc.stringMatching(/^[0-9a-f]{1,33}$/),
    fc.stringMatching(/^[a-zA-Z.]{1,20}@[a-zA-Z.]{1,20}$/),
  );

  test.each(STYLES)("of a text in the style %s is what its mask is, or nothing", (by) => {
    const write = masking.writerOf(ruleOf(by), 25);
    expect(write === undefined).toBe(by === "null");
    fc.assert(
      fc.property(written, fc.nat(9), (value, before) => {
        const bytes = Buffer.concat([Buffer.alloc(before, "@a"), Buffer.from(value as string), Buffer.from("f@x")]);
        const out = Buffer.alloc(80, "+");
        const to = write?.(bytes, before, bytes.length - 3, out, 7) ?? -1;
        if (to < 0) return;
        expect(out.subarray(7, to)).toEqual(masking.maskValue(ruleOf(by), Buffer.from(value as string), 25, 0));
        expect(to - 7).toBeLessThanOrEqual(MAX_WRITTEN);
        expect(out.toString("latin1", 0, 7) + out.toString("latin1", to)).toBe("+".repeat(80 - (to - 7)));
      }),
      { numRuns: 1_000 },
    );
  });

  test("is never what tells the text that it hides", () => {
    const out = Buffer.alloc(80);
    const hash = masking.writerOf(ruleOf("hash"), 25);
    const address = masking.writerOf(ruleOf("format-preserving"), 25);
    const digest = keyedDigest(KEY);
    const texts = Array.from({ length: 1 << 20 }, (_, n) => Buffer.from(n.toString(16).padStart(5, "0")));
    const telling = texts.find((value) => digest(value).toString("hex", 0, 16).includes(value.toString())) as Buffer;
    expect(hash?.(telling, 0, telling.length, out, 0)).toBe(-1);
    expect(mask("hash", telling.toString())).toBe("****");
    const names = texts.slice(0, 1 << 16).map((value) => value.toString().replace(/^0+/, ""));
    const isOwn = (name: string) =>
      name !== "" &&
      digest(Buffer.from(`${name}@masked.invalid`))
        .toString("hex", 0, 8)
        .endsWith(name);
    const own = `${names.find(isOwn)}@masked.invalid`;
    expect(address?.(Buffer.from(own), 0, own.length, out, 0)).toBe(-1);
    expect(mask("format-preserving", own)).toBe("****");
  });

  test("is nearly every address, and every telephone number", () => {
    const out = Buffer.alloc(80);
    const addresses = masking.writerOf(ruleOf("format-preserving"), 1043);
    const numbers = masking.writerOf(ruleOf("partial"), 25);
    expect(addresses?.(Buffer.from("Alice@Example.com"), 0, 17, out, 0)).toBe(31);
    expect(numbers?.(Buffer.from("+1 202 555 0100"), 0, 15, out, 0)).toBe(8);
  });

  test.each([23, 114, 17, 1009, 2950, 0])("is no value of the type %i, whose texts are not all valid", (type) => {
    for (const by of STYLES) expect(masking.writerOf(ruleOf(by), type)).toBeUndefined();
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
