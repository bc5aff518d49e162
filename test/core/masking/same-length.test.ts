import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keyedDigest } from "../../../core/masking/keyed-digest.ts";
import { maskToLength } from "../../../core/masking/same-length.ts";
import type { MaskStyle } from "../../../core/masking/masking.ts";
import { FOUND } from "./detector-vectors.ts";
import { KEY, STYLES } from "./kit.ts";

const digest = keyedDigest(KEY);
const masked = (style: MaskStyle, text: string): string => maskToLength(style, Buffer.from(text), digest).toString();

describe("a value that keeps its length", () => {
  it.each(STYLES)("has as many bytes in style %s, whatever it is, and is another one", (style) => {
    const property = fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (bytes) => {
      const text = Buffer.from(bytes);
      const result = maskToLength(style, text, digest);
      expect(result).toHaveLength(text.length);
      expect(result.equals(text) && !/^\*+$/.test(text.toString())).toBe(false);
    });
    fc.assert(property);
    for (const [, value] of FOUND) expect(maskToLength(style, Buffer.from(value), digest).toString()).not.toBe(value);
  });

  it("is stars, with its last four characters where there are nine or more", () => {
    expect(masked("full", "alice@example.com")).toBe("*****************");
    expect(masked("null", "secret")).toBe("******");
    expect(masked("partial", "4242 4242 4242 4242")).toBe("***************4242");
    expect(masked("partial", "12345678")).toBe("********");
    expect(masked("partial", "jörg@exämple.de")).toBe("*************e.de");
  });

  it("is its hash, cut, or filled up with stars", () => {
    const hash = digest(Buffer.from("CUST-12345678")).toString("hex");
    expect(masked("hash", "CUST-12345678")).toBe(hash.slice(0, 13));
    expect(masked("hash", "x".repeat(40))).toMatch(/^[0-9a-f]{32}\*{8}$/);
  });

  it("keeps its format where that has room: a card's number with a right check digit, an address at nobody's domain", () => {
    expect(masked("format-preserving", "4242 4242 4242 4242")).toMatch(/^9\d{3}( \d{4}){3}$/);
    expect(masked("format-preserving", "alice@example.com")).toMatch(/^[0-9a-f]{7}@x\.invalid$/);
    expect(masked("format-preserving", "alice.of.london@example.com")).toMatch(/^[0-9a-f]{12}@masked\.invalid$/);
    expect(masked("format-preserving", "a@example.com")).toBe("*************");
    expect(masked("format-preserving", "CUST-1234")).toMatch(/^[A-Z]{4}-\d{4}$/);
    expect(masked("format-preserving", "ALICE@example.com")).toBe(masked("format-preserving", "alice@example.com"));
  });
});
