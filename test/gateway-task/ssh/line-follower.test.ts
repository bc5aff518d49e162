import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { loadShellParser } from "../../../core/policy/shell-parser.ts";
import { isWholeCommand } from "../../../gateway-task/ssh/lines/line-facts.ts";
import { LineFollower } from "../../../gateway-task/ssh/lines/line-follower.ts";
import { TerminalModel } from "../../../gateway-task/ssh/lines/terminal-model.ts";

beforeAll(loadShellParser);

/** What the terminal shows, or `{ keys }` that are typed; `\r` of keys enters. A second passes between them. */
type Step = string | { readonly keys: string };

/** What each Enter would enter. */
function entered(steps: readonly Step[], size = { columns: 40, rows: 8 }): unknown[] {
  const follower = new LineFollower(size, isWholeCommand);
  const lines: unknown[] = [];
  let now = 0;
  for (const step of steps) {
    now += 1_000;
    if (typeof step === "string") {
      follower.shown(Buffer.from(step), now);
      continue;
    }
    for (let rest = Buffer.from(step.keys); rest.length > 0;) {
      const end = follower.take(rest, now);
      if (end === rest.length) break;
      const line = follower.line();
      lines.push(line.kind === "line" ? [...line.readings, ...(line.hidden ? ["(hidden)"] : [])] : line.kind);
      follower.entered();
      rest = rest.subarray(end + 1);
    }
  }
  return lines;
}

const keys = (text: string): Step => ({ keys: text });
const ENTER = keys("\r");
const typed = (text: string): readonly Step[] => [keys(text), text, ENTER];

describe("the line that an Enter enters", () => {
  const table: readonly [name: string, steps: readonly Step[], lines: readonly unknown[]][] = [
    ["what was typed, behind the prompt", ["u@h:~$ ", ...typed("rm x")], [["rm x"]]],
    ["nothing, for an empty line", ["$ ", ENTER], ["nothing"]],
    ["behind a coloured prompt of two rows", ["\x1b[32mhost\x1b[0m\r\n❯ ", ...typed("rm x")], [["rm x"]]],
    ["what wraps at the edge", ["$ ", ...typed(`echo ${"x".repeat(60)}`)], [[`echo ${"x".repeat(60)}`]]],
    ["wide characters", ["$ ", ...typed("echo 日本語")], [["echo 日本語"]]],
    ["what the history gave", ["$ ", keys("\x1b[A"), "rm x", ENTER], [["rm x"]]],
    ["what Tab completed", ["$ ", keys("rm f\t"), "rm file ", ENTER], [["rm file"]]],
    ["what is left after Backspace", ["$ ", keys("rmx\x7f y"), "rmx\b \b y", ENTER], [["rm y"]]],
    [
      "without what is suggested behind the cursor",
      ["$ ", keys("r"), "r\x1b[90mm -rf /\x1b[0m\x1b[7D", ENTER],
      [["r"]],
    ],
    ["what a search found", ["$ ", keys("\x12rm"), "\r(reverse-i-search)`rm': rm x", ENTER], [["rm x"]]],
    [
      "with what an arrow went back over",
      ["$ ", keys("m x\x1b[D\x1b[D\x1b[Dr"), "m x\b\b\brm x\b\b\b", ENTER],
      [["rm x"]],
    ],
    ["nothing, where nothing typed is shown behind a prompt", ["Password: ", keys("hunter2"), ENTER], ["nothing"]],
    ["nothing, where stars are shown", ["Password: ", keys("hunter2"), "*******", ENTER], ["nothing"]],
    [
      "hidden, where not even a prompt is",
      ["$ ", ...typed("sleep 9"), "\r\n", keys("rm x"), ENTER],
      [["sleep 9"], ["rm x", "(hidden)"]],
    ],
    ["nothing, on the alternate screen", ["$ ", "\x1b[?1049h~\r\n", ...typed("rm x")], ["nothing"]],
    ["again, when that is over", ["$ \x1b[?1049h~\x1b[?1049l", ...typed("rm x")], [["rm x"]]],
    [
      "all that was pasted between brackets",
      ["\x1b[?2004h$ ", keys("\x1b[200~a\rb\x1b[201~"), "a\r\nb", ENTER],
      [["a\nb"]],
    ],
    ["each line, where the shell does not bracket", ["$ ", keys("\x1b[200~a\rb\x1b[201~"), "a\r\nb"], ["nothing"]],
    [
      "a command of two lines, whole",
      ["$ ", ...typed("echo 'a"), "\r\n> ", ...typed("b'")],
      [["echo 'a"], ["echo 'a\nb'"]],
    ],
    ["a line cut by a backslash, whole", ["$ ", ...typed("r\\"), "\r\n> ", ...typed("m x")], [["r\\"], ["rm x"]]],
    [
      "nothing yet of a here-document",
      ["$ ", ...typed("cat <<E"), "\r\n> ", ...typed("rm x")],
      [["cat <<E"], "nothing"],
    ],
    [
      "by itself, when the first prompt is back",
      ["$ ", ...typed("(oops"), "\r\n$ ", ...typed("rm x")],
      [["(oops"], ["rm x"]],
    ],
    [
      "after the screen was cleared",
      ["$ ", ...typed("ls"), "\r\n$ ", keys("rm x\x0c"), "rm x\x1b[H\x1b[2J$ rm x", ENTER],
      [["ls"], ["rm x"]],
    ],
    ["after Ctrl-C, what was typed then", ["$ ", keys("rm\x03"), "rm^C\r\n$ ", ...typed("ls")], [["ls"]]],
  ];
  for (const [name, steps, lines] of table)
    it(`is ${name}`, () => {
      expect(entered(steps)).toEqual(lines);
    });

  it("is overlong where more was typed than is kept", () => {
    expect(entered(["$ ", keys("x".repeat(70_000)), ENTER])).toEqual(["overlong"]);
  });

  it("is what was typed, wherever input and output are cut, and whatever the width", () => {
    const text = fc.stringMatching(/^[a-z][a-z0-9 '|;/-]{0,60}[a-z]$/);
    fc.assert(
      fc.property(text, fc.integer({ min: 10, max: 120 }), fc.integer({ min: 1, max: 7 }), (line, columns, cut) => {
        const pieces = line.match(new RegExp(`.{1,${cut}}`, "g")) ?? [];
        const steps = pieces.flatMap((piece): Step[] => [keys(piece), piece]);
        const [readings] = entered(["$ ", ...steps, ENTER], { columns, rows: 20 });
        expect(readings).toEqual([line]);
      }),
    );
  });

  it("is read from any output and any keys without a fault", () => {
    const bytes = fc.string({ unit: "binary", maxLength: 200 });
    const step = fc.oneof(
      bytes,
      bytes.map(keys),
      fc.constant(ENTER),
      fc.constantFrom("\x1b[?1049h", "\x1b[2J", "\x1bc"),
    );
    fc.assert(fc.property(fc.array(step, { maxLength: 30 }), (steps) => void entered(steps)));
  });
});

describe("how long an Enter waits", () => {
  const follower = (shown: string): LineFollower => {
    const made = new LineFollower({ columns: 80, rows: 24 }, isWholeCommand);
    made.shown(Buffer.from(shown), 0);
    return made;
  };

  it("is not at all when what was typed is shown, or nothing was", () => {
    const made = follower("$ ");
    expect(made.wait(1_000)).toBe(0);
    made.take(Buffer.from("ls"), 1_000);
    made.shown(Buffer.from("ls"), 1_001);
    expect(made.wait(1_001)).toBe(0);
  });

  it("is bounded while it is not", () => {
    const made = follower("Password: ");
    made.take(Buffer.from("ls"), 1_000);
    expect(made.wait(1_000)).toBe(150);
    expect(made.wait(1_150)).toBe(0);
  });

  it("is until the output of an arrow is over", () => {
    const made = follower("$ ");
    made.take(Buffer.from("\x1b[A"), 1_000);
    expect(made.wait(1_000)).toBe(400);
    made.shown(Buffer.from("ls"), 1_010);
    expect(made.wait(1_010)).toBe(30);
    expect(made.wait(1_040)).toBe(0);
  });
});

describe("a terminal's model", () => {
  it("keeps no more than the end of output that nobody looks at, and the modes that it set", () => {
    const model = new TerminalModel({ columns: 80, rows: 24 });
    model.shown(Buffer.from("\x1b[?1049h\x1b[?2004h"));
    for (let n = 0; n < 1_000; n++) model.shown(Buffer.from(`line ${n} ${"x".repeat(500)}\r\n`));
    expect([model.isAlternate, model.bracketsPaste]).toEqual([true, true]);
    model.shown(Buffer.from("\x1b[?1049l"));
    expect(model.isAlternate).toBe(false);
  });

  it("is of a bounded size, whatever a client says", () => {
    const model = new TerminalModel({ columns: 0xffff_ffff, rows: 0xffff_ffff });
    expect(model.screen().rows).toHaveLength(200);
    model.resize({ columns: 0, rows: 0 });
    expect(model.screen().rows).toHaveLength(24);
  });
});
