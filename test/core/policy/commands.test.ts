import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { commandFacts } from "../../../core/policy/command-facts.ts";
import { type CommandFacts, NOT_PARSED } from "../../../core/policy/shell/facts.ts";
import { loadShellParser, MAX_COMMAND_BYTES } from "../../../core/policy/shell-parser.ts";

/** What is expected of one command. What a `note` says is the honest limit of a text, or of the parser. */
interface Row {
  readonly name: string;
  readonly command: string;
  readonly facts: Partial<CommandFacts>;
  readonly note?: string;
}

const folder = new URL("commands/", import.meta.url);
const corpus = readdirSync(folder).map((file) => ({
  file,
  rows: parse(readFileSync(new URL(file, folder), "utf8")) as readonly Row[],
}));
const COMMANDS = corpus.flatMap(({ rows }) => rows.map(({ command }) => command));

/** Of what is understood, all that a row does not name is empty, or not so. Arguments are told by those rows that are about them. */
const NOTHING: CommandFacts = {
  parsed: true,
  programs: [],
  arguments: [],
  read: [],
  written: [],
  dynamic: false,
  sudo: false,
  network: false,
  interpreter: false,
  substitutions: false,
  background: false,
  forkBomb: false,
  transfer: undefined,
};

beforeAll(loadShellParser);

describe.each(corpus)("$file: the facts tell", ({ file, rows }) => {
  test.each(rows)("$name", ({ command, facts }) => {
    const found = commandFacts(command);
    if (facts.parsed === false) return expect(found).toEqual(NOT_PARSED);
    const args = file === "quoting.yaml" ? {} : { arguments: found.arguments };
    expect(found).toEqual({ ...NOTHING, ...args, ...facts });
  });
});

test("the corpus holds at least 340 commands, none of them twice", () => {
  expect(COMMANDS.length).toBeGreaterThanOrEqual(340);
  expect(new Set(COMMANDS).size).toBe(COMMANDS.length);
});

describe("a command is not understood", () => {
  test.each([
    ["with a NUL in it", "ls\0; rm x"],
    ["with bytes that were no text", "ls \uFFFD; rm x"],
    ["with half a character", "ls \ud800; rm x"],
    ["of more than 64 KiB", `echo '${"x".repeat(MAX_COMMAND_BYTES)}'`],
    ["of more than 64 KiB, counted in bytes", `echo '${"é".repeat(MAX_COMMAND_BYTES / 2)}'`],
    ["of subshells without end", "(".repeat(10_000) + ")".repeat(10_000)],
    ["of 300 substitutions within one another", `${"$(".repeat(300)}ls${")".repeat(300)}`],
    ["of nine texts within one another", Array.from({ length: 9 }).reduce<string>((text) => `eval ${text}`, "ls")],
    ["of a thousand texts", "eval a;".repeat(1_001)],
    ["of thousands of words", `rm ${Array.from({ length: 4_001 }, (_, n) => `a${n}`).join(" ")}`],
    ["of a hundred folders", "cd a;".repeat(101)],
    ["of a path of a hundred folders", `rm ${"a/".repeat(101)}b`],
    ["of programs without end", `find ${"a ".repeat(500)} ${"-exec ls {} + ".repeat(500)}`],
  ])("%s", (_, command) => {
    expect(commandFacts(command)).toEqual(NOT_PARSED);
  });

  test("and nothing like it is, up to those bounds", () => {
    expect(commandFacts(`echo '${"x".repeat(MAX_COMMAND_BYTES - 7)}'`).parsed).toBe(true);
    expect(commandFacts(`${"$(".repeat(50)}ls${")".repeat(50)}`)).toMatchObject({ parsed: true, substitutions: true });
    expect(commandFacts("sudo ".repeat(50) + "rm x")).toMatchObject({ parsed: true, sudo: true, written: ["./x"] });
  });
});

test.each([
  ["braces", "rm ", "{"],
  ["brackets", "rm ", "["],
  ["redirections", "", "<"],
  ["arrays", "", "a=("],
  ["quotes", "echo ", "'\"`"],
  ["backslashes", "echo ", "\\"],
  ["lines of sed", "sed '", "\n"],
  ["here-documents", "", "cat <<E\n"],
])("what a hostile client sends takes no longer than a second: %s", (_, before, repeated) => {
  const since = performance.now();
  commandFacts(before + repeated.repeat(Math.floor((MAX_COMMAND_BYTES - before.length) / repeated.length)));
  expect(performance.now() - since).toBeLessThan(2_000);
});

const GAPS = [" ", "\t", " \\\n ", "   "];

test("facts do not depend on how blank space is written, or on quotes around words of letters", () => {
  const plain = COMMANDS.filter((text) => /^[\w ./:-]+ [\w ./:-]+$/.test(text) && commandFacts(text).parsed);
  expect(plain.length).toBeGreaterThan(50);
  fc.assert(
    fc.property(fc.constantFrom(...plain), fc.infiniteStream(fc.nat()), (command, numbers) => {
      const draw = (): number => numbers.next().value;
      const quoted = (word: string): string =>
        [word, `'${word}'`, `"${word}"`, `${word.slice(0, 1)}''${word.slice(1)}`, `\\${word}`][draw() % 5] ?? word;
      // `time` is a word of the language; an assignment is one that is not quoted.
      const varied = command.split(" ").map((word) => (word === "time" ? word : quoted(word)));
      const text = varied.reduce((all, word) => `${all}${GAPS[draw() % GAPS.length]}${word}`);
      expect(commandFacts(text)).toEqual(commandFacts(command));
    }),
    { numRuns: 500 },
  );
});

test("facts of any text are facts: nothing is thrown, and what is not understood is as bad as can be", () => {
  const vocabulary = [...new Set(COMMANDS.flatMap((command) => command.split(/\b/)))];
  const soup = fc.array(fc.constantFrom(...vocabulary), { maxLength: 30 }).map((words) => words.join(""));
  const cut = fc.tuple(fc.constantFrom(...COMMANDS), fc.nat(60), fc.constantFrom(...vocabulary));
  const spliced = cut.map(([command, at, word]) => command.slice(0, at) + word + command.slice(at));
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), soup, spliced), (text) => {
      const facts = commandFacts(text);
      if (!facts.parsed) expect(facts).toEqual(NOT_PARSED);
      else expect(Object.keys(facts)).toEqual(Object.keys(NOT_PARSED));
    }),
    { numRuns: 2_000 },
  );
});

test("programs that start programs are followed as deep as anybody means it, and no deeper: each level reads all words behind it", () => {
  const deep = commandFacts(`sudo env A=b nice ionice timeout 5 nohup stdbuf -oL ${"xargs ".repeat(20)} rm x`);
  expect([deep.parsed, deep.programs.includes("rm")]).toEqual([true, true]);
  expect(commandFacts(`${"sudo ".repeat(100)}rm x`)).toEqual(NOT_PARSED);
  for (const program of ["xargs ", "sudo ", "env ", "nice "])
    expect(commandFacts(`${program.repeat(5_300)}a`)).toEqual(NOT_PARSED);
});
