import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { blake2s } from "../../../core/masking/blake2s.ts";
import { digestStream, keyedDigest } from "../../../core/masking/keyed-digest.ts";

const counting = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, n) => n & 0xff));

describe("BLAKE2s", () => {
  test("without a key is OpenSSL's, for texts of any length", () => {
    const digest = blake2s(new Uint8Array());
    const right = (bytes: Uint8Array): string => createHash("blake2s256").update(bytes).digest("hex");
    for (let length = 0; length <= 260; length++) {
      const bytes = counting(length);
      expect(digest(bytes).toString("hex"), String(length)).toBe(right(bytes));
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5_000 }), fc.nat(70), (bytes, start) => {
        const from = Math.min(start, bytes.length);
        expect(digest(bytes, from).toString("hex")).toBe(right(bytes.subarray(from)));
      }),
    );
  });

  // The reference implementation's vectors (BLAKE2/testvectors, blake2s): keys and texts that count from 0.
  test.each([
    [0, "48a8997da407876b3d79c0d92325ad3b89cbb754d86ab71aee047ad345fd2c49"],
    [1, "40d15fee7c328830166ac3f918650f807e7e01e177258cdc0a39b11f598066f1"],
    [63, "c65382513f07460da39833cb666c5ed82e61b9e998f4b0c4287cee56c3cc9bcd"],
    [64, "8975b0577fd35566d750b362b0897a26c399136df07bababbde6203ff2954ed4"],
    [65, "21fe0ceb0052be7fb0f004187cacd7de67fa6eb0938d927677f2398c132317a8"],
    [128, "0c311f38c35a4fb90d651c289d486856cd1413df9b0677f53ece2cd9e477c60a"],
    [255, "3fb735061abc519dfe979e54c1ee5bfad0a9d858b3315bad34bde999efd724dd"],
  ])("with a key of 32 bytes is the reference's, for %i bytes", (length, right) => {
    const digest = blake2s(counting(32));
    expect(digest(counting(length)).toString("hex")).toBe(right);
    expect(digest(Buffer.concat([counting(7), counting(length)]), 7).toString("hex")).toBe(right);
  });

  test("takes bytes as what a table says of them", () => {
    const table = Uint8Array.from({ length: 256 }, (_, byte) => byte ^ 1);
    const digest = blake2s(counting(16));
    const plain = Buffer.from(digest(Buffer.from("bc")));
    expect(digest(Buffer.from("cb"), 0, 2, table)).toEqual(plain);
  });

  test("of two keys at once mixes nothing up", () => {
    const [a, b] = [blake2s(counting(16)), blake2s(counting(17))];
    const first = Buffer.from(a(Buffer.from("x")));
    expect(Buffer.from(b(Buffer.from("x"))).equals(first)).toBe(false);
    expect(a(Buffer.from("x"))).toEqual(first);
  });

  test("takes no key of more than 32 bytes", () => {
    expect(() => blake2s(counting(33))).toThrow(RangeError);
  });
});

describe("a deployment's digest", () => {
  test("takes a key of more than 32 bytes by its own digest", () => {
    const key = counting(100);
    const short = createHash("blake2s256").update(key).digest();
    expect(Buffer.from(keyedDigest(key)(Buffer.from("x")))).toEqual(keyedDigest(short)(Buffer.from("x")));
  });

  test("gives streams of bytes that do not repeat, the same for the same value", () => {
    const digest = keyedDigest(counting(32));
    const taken = (value: string): number[] => {
      const next = digestStream(digest, Buffer.from(value));
      return Array.from({ length: 256 }, () => next());
    };
    expect(taken("a")).toEqual(taken("a"));
    expect(taken("a")).not.toEqual(taken("b"));
    const blocks = Array.from({ length: 8 }, (_, n) =>
      taken("a")
        .slice(32 * n, 32 * (n + 1))
        .join(),
    );
    expect(new Set(blocks).size).toBe(8);
  });
});
