import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LineEditor } from "../../../../gateway-task/ssh/guarded/line-editor.ts";
import { MAX_LINE_BYTES } from "../../../../gateway-task/ssh/guarded/line-input.ts";
import { Screen } from "../../../setup/screen.ts";

const [UP, DOWN, RIGHT, LEFT, HOME, END, DELETE] = ["A", "B", "C", "D", "H", "F", "3~"].map((end) => `\x1b[${end}`);
const PROMPT = "web ~ $ ";

/** What a person types, in pieces of one byte or in one; answers the lines that were entered, and the screen at the end. */
function typed(keys: string | Buffer, { columns = 40, pieces = 1 } = {}): { lines: string[]; screen: Screen } {
  const editor = new LineEditor({ term: "xterm", columns });
  const screen = new Screen(columns);
  const lines: string[] = [];
  screen.show(editor.ask(PROMPT));
  const bytes = Buffer.from(keys);
  for (let from = 0; from < bytes.length; from += pieces)
    for (let rest = bytes.subarray(from, from + pieces); rest.length > 0;) {
      const taken = editor.take(rest);
      rest = rest.subarray(taken.bytes);
      screen.show(taken.shown);
      if (taken.entered === undefined) continue;
      lines.push(taken.entered.kind === "line" ? taken.entered.line.toString() : taken.entered.kind);
      screen.show(editor.ask(PROMPT));
    }
  return { lines, screen };
}

const EDITS: readonly (readonly [string, string, string])[] = [
  ["is entered by Enter", "ls -l\r", "ls -l"],
  ["has what is inserted where the cursor stands", `ac${LEFT}b\r`, "abc"],
  ["loses what is before the cursor by Backspace", `abx\x7fc\r`, "abc"],
  ["loses what is under the cursor by Delete and by Ctrl-D", `abxyc${LEFT}${LEFT}${LEFT}${DELETE}\x04\r`, "abc"],
  ["loses all before the cursor by Ctrl-U", `rm x${LEFT}\x15\r`, "x"],
  ["loses all behind it by Ctrl-K", `ls xy${LEFT}${LEFT}\x0b\r`, "ls "],
  ["loses a word by Ctrl-W", "ls one two  \x17\r", "ls one "],
  ["is gone to its ends by Home, End, Ctrl-A and Ctrl-E", `b${HOME}a${END}c\x01>\x05<\r`, ">abc<"],
  ["is gone through by Ctrl-B and Ctrl-F", "ac\x02b\x06d\r", "abcd"],
  ["is given up by Ctrl-C", "rm\x03ls\r", "ls"],
  ["stays when the screen is cleared", "ls\x0c -l\r", "ls -l"],
  ["keeps a mark with the letter that it stands on", "e\u0301x\x7f\x7fa\r", "a"],
];

describe("a line", () => {
  it.each(EDITS)("%s", (_name, keys, line) => {
    expect(typed(keys).lines).toEqual([line]);
    expect(typed(keys, { pieces: 1_000 }).lines).toEqual([line]);
  });

  it("is in UTF-8, whatever its characters take on the screen", () => {
    const { lines, screen } = typed(`漢字 👍é${LEFT}${LEFT}\x7f-${END}ü`, { pieces: 1_000 });
    expect(lines).toEqual([]);
    expect(screen.text).toEqual([`${PROMPT}漢字-👍éü`]);
  });

  it("holds no control, no escape sequence, and nothing that is not UTF-8", () => {
    for (const hostile of [
      "\x00",
      "\x07",
      "\x1b[31m",
      "\x1b[2K",
      "\x1bOP",
      "\u009b",
      "\u202e",
      "\u2028",
      Buffer.of(0xff),
      Buffer.of(0xc0, 0xaf),
      Buffer.of(0xe2),
    ]) {
      const keys = Buffer.concat([Buffer.from("a"), Buffer.from(hostile), Buffer.from("b\r")]);
      expect(typed(keys).lines[0]).toBe("ab");
    }
  });

  it("that is pasted with others is entered by itself", () => {
    expect(typed("\x1b[200~one\ntwo\r\nthree\r\x1b[201~four\r").lines).toEqual(["one", "two", "three", "four"]);
    expect(typed("\x1b[200~one\ntwo\r\nthree\r\x1b[201~four\r", { pieces: 1_000 }).lines).toHaveLength(4);
  });

  it("goes on in the next one where it is not whole", () => {
    const { lines, screen } = typed("echo 'a\rb' \\\rc\rls\r");
    expect(lines).toEqual(["echo 'a\nb' \\\nc", "ls"]);
    expect(screen.text.slice(0, 3)).toEqual([`${PROMPT}echo 'a`, "> b' \\", "> c"]);
  });

  it("that was entered comes back by Up and Down, and is edited without changing what it was", () => {
    expect(typed(`one\rtwo\r${UP}${UP}${UP}!\r${UP}${UP}\r`).lines).toEqual(["one", "two", "one!", "two"]);
    expect(typed(`one\rdraft${UP}${DOWN}${RIGHT}!\r`).lines).toEqual(["one", "draft!"]);
  });

  it("has as much room behind what was removed as it had before", () => {
    const half = "é".repeat(MAX_LINE_BYTES / 4);
    const keys = `${half}${half}\x15${half}\x7f\x7f${half}ab\r`;
    expect(typed(keys, { pieces: 1 << 20 }).lines).toEqual([`${half.slice(2)}${half}ab`]);
  });

  it("is not run in part where it is too long", () => {
    const long = `echo ${"x".repeat(MAX_LINE_BYTES)}\rls\r`;
    expect(typed(long, { pieces: 32_768 }).lines).toEqual(["unfit", "ls"]);
    expect(typed(`echo \\\r${long}`, { pieces: 32_768 }).lines).toEqual(["unfit", "ls"]);
    const fits = "x".repeat(MAX_LINE_BYTES);
    expect(typed(`${fits}\r`, { pieces: 32_768 }).lines).toEqual([fits]);
  });

  it("ends the shell by Ctrl-D where it is empty, and only there", () => {
    expect(typed("\x04").lines).toEqual(["end"]);
    expect(typed("a\x04\r").lines).toEqual(["a"]);
    expect(typed("'a\r\x04'\r").lines).toEqual(["'a\n'"]);
  });
});

describe("the screen", () => {
  const key = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(..."abc 漢ü".split(""), "👍") },
    fc.constantFrom(LEFT, RIGHT, HOME, END, DELETE, "\x7f", "\x15", "\x0b", "\x17", UP, DOWN, "e\u0301"),
  );

  it("shows the line that is entered, with the cursor where the next character goes", () => {
    fc.assert(
      fc.property(
        fc.array(key, { maxLength: 80 }),
        fc.integer({ min: 10, max: 30 }),
        fc.integer({ min: 1, max: 9 }),
        (keys, columns, pieces) => {
          const text = `older one, which is long enough to wrap\r${keys.join("")}`;
          const { screen } = typed(text, { columns, pieces });
          const marked = typed(`${text}\u2588`, { columns, pieces });
          const { lines } = typed(`${text}\r`, { columns, pieces });
          const whole = new Screen(columns);
          whole.show(`${PROMPT}older one, which is long enough to wrap\r\n${PROMPT}${lines[1]}`);
          expect(screen.text).toEqual(whole.text);
          const { row, column } = screen.cursor;
          expect(marked.screen.at(row, column)).toMatch(/^\u2588/);
        },
      ),
    );
  });

  it("is drawn anew for another width", () => {
    const editor = new LineEditor({ term: "xterm", columns: 20 });
    editor.ask(PROMPT);
    editor.take(Buffer.from("a text that is longer than the row"));
    const screen = new Screen(60);
    screen.show(editor.resize(60));
    expect(screen.text).toEqual([`${PROMPT}a text that is longer than the row`]);
  });

  it("of a terminal that knows nothing gets nothing but text", () => {
    const editor = new LineEditor({ term: "dumb", columns: 80 });
    expect(editor.ask(PROMPT)).toBe(PROMPT);
    expect(editor.take(Buffer.from("ls -l\r")).shown).toBe("ls -l\r\n");
  });
});
