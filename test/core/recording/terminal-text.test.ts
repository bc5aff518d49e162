import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { plainText } from "../../../core/recording/terminal-text.ts";

const lines = (text: string, max = 100): readonly string[] => plainText(text, max).lines;

describe("what a terminal showed, as plain lines", () => {
  test.each<[string, string, string[]]>([
    ["without colours", "\x1b[1;31mred\x1b[0m and \x1b[38;2;1;2;3mblue\x1b[m\r\n", ["red and blue"]],
    ["without the title of its window", "\x1b]0;root@host\x07$ ls\r\n\x1b]2;x\x1b\\done", ["$ ls", "done"]],
    ["with what was typed over as it stood at last", "abc\b\b\x1b[Kxy\r\n", ["axy"]],
    ["with a progress bar at its end", " 10%\r 50%\r100%\r\n", ["100%"]],
    ["with the line that an editor redrew", "$ cat\x1b[3D\x1b[Kls\x1b[2Cx\r\n", ["$ ls  x"]],
    ["with characters that were deleted and inserted", "abcd\x1b[3D\x1b[P\x1b[1G\x1b[2@>\r\n", ["> acd"]],
    ["with tabs as columns", "a\tb", ["a       b"]],
    ["without a program that had the whole screen", "a\r\n\x1b[?1049hvim\x1b[2J\x1b[?1049lb", ["a", "… a program had the whole screen", "b"]], // prettier-ignore
    ["with a control string that never ends as text", "\x1b]0;hidden rm -rf /", ["0;hidden rm -rf /"]],
    ["with astral characters whole", "👍\r\n", ["👍"]],
    ["without blank lines at its end", "a\n\n\n", ["a"]],
  ])("%s", (_, text, expected) => {
    expect(lines(text)).toEqual(expected);
  });

  test("says that there was more than the lines asked for", () => {
    expect(plainText("1\n2\n3\n", 2)).toEqual({ lines: ["1", "2"], more: true });
    expect(plainText("1\n2\n", 2)).toEqual({ lines: ["1", "2"], more: false });
  });

  test("wraps what is wider than any screen", () => {
    expect(lines("x".repeat(2_500)).map(({ length }) => length)).toEqual([1_000, 1_000, 500]);
  });

  test("is harmless to a terminal, and done in time, whatever it was", () => {
    const piece = fc.oneof(
      fc.string({ unit: "binary", maxLength: 20 }),
      fc.constantFrom(
        "\x1b[",
        "\x1b]",
        "\x1b[999999@",
        "\x1b[999C",
        "\r",
        "\n",
        "\x1b[K",
        "\x1b[?47h",
        "\x1b[?47l",
        "\u009b31m",
      ),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 100 }), (pieces) => {
        for (const line of lines(pieces.join(""))) expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
      }),
      { numRuns: 500 },
    );
    expect(lines("\x1b]".repeat(30_000)).length).toBeLessThanOrEqual(100);
    expect(lines("\x1b[1000@".repeat(10_000)).length).toBeLessThanOrEqual(100);
  });
});
