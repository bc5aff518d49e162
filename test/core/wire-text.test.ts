import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RepeatedText, wireText } from "../../core/wire-text.ts";

describe("RepeatedText", () => {
  test("reads every text as wireText does, whichever came before it", () => {
    const text = fc.oneof(
      fc.constantFrom("SELECT 1", "SELECT 2", "", "é", "x".repeat(64), "x".repeat(65)).map((one) => Buffer.from(one)),
      fc.uint8Array({ maxLength: 70 }).map((bytes) => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(fc.array(text), (texts) => {
        const repeated = new RepeatedText();
        for (const one of texts.flatMap((bytes) => [bytes, bytes])) {
          const within = Buffer.concat([Buffer.from(".."), one, Buffer.from("..")]);
          expect(repeated.read(within, 2, 2 + one.length)).toBe(wireText(one, 0, one.length));
        }
      }),
    );
  });

  test("remembers a text when the buffer that it came in is used again", () => {
    const repeated = new RepeatedText();
    const buffer = Buffer.from("SELECT 1");
    expect(repeated.read(buffer, 0, 8)).toBe("SELECT 1");
    buffer.write("SELECT 2");
    expect(repeated.read(buffer, 0, 8)).toBe("SELECT 2");
    expect(repeated.read(buffer, 0, 0)).toBe("");
  });
});
