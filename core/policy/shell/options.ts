import { isLiteral, type ShellWord } from "./word.ts";

/** How a program that starts another takes its options. */
export interface OptionSyntax {
  /** Letters that stand alone. */
  readonly flags?: string;
  /** Letters that are followed by a value, in the same word or in the next. */
  readonly values?: string;
  /** Long names of both kinds. */
  readonly longFlags?: readonly string[];
  readonly longValues?: readonly string[];
  /** A single dash is enough for a long name, and for a number: `-exec`, `nice -10`. */
  readonly numbers?: boolean;
}

export interface Options {
  /** Letters and long names that are given, with their values. */
  readonly given: ReadonlyMap<string, ShellWord | undefined>;
  readonly operands: readonly ShellWord[];
  /** False where an option is not known: then it cannot be told where the operands begin. */
  readonly known: boolean;
}

/** The options in front of the operands. The first word that is none ends them, as does `--`. */
export function optionsOf(words: readonly ShellWord[], syntax: OptionSyntax): Options {
  const given = new Map<string, ShellWord | undefined>();
  let known = true;
  let at = 0;
  for (; at < words.length; at++) {
    const word = words[at];
    if (word === undefined || !word.text.startsWith("-") || word.text === "-") break;
    if (word.text === "--") return { given, operands: words.slice(at + 1), known };
    if (syntax.numbers === true && /^--?\d+$/.test(word.text)) continue;
    const [names, value, takesNext] = word.text.startsWith("--") ? longOption(word, syntax) : letters(word, syntax);
    if (names === undefined || (!isLiteral(word) && value === undefined)) known = false;
    else for (const name of names) given.set(name, value);
    if (takesNext) given.set(names?.at(-1) ?? "", words[++at]);
  }
  const operands = words.slice(at);
  return { given, operands, known: known && operands[0]?.expands !== true };
}

type Found = readonly [names: readonly string[] | undefined, value: ShellWord | undefined, takesNext: boolean];

function longOption(word: ShellWord, { longFlags = [], longValues = [] }: OptionSyntax): Found {
  const [, name = "", value] = /^--([^=]*)(?:=(.*))?$/s.exec(word.text) ?? [];
  if (longValues.includes(name))
    return [[name], value === undefined ? undefined : { ...word, text: value }, value === undefined];
  return [longFlags.includes(name) ? [name] : undefined, undefined, false];
}

function letters(word: ShellWord, { flags = "", values = "" }: OptionSyntax): Found {
  const names: string[] = [];
  for (let at = 1; at < word.text.length; at++) {
    const letter = word.text[at] ?? "";
    if (values.includes(letter)) {
      const value = word.text.slice(at + 1);
      return [[...names, letter], value === "" ? undefined : { ...word, text: value }, value === ""];
    }
    if (!flags.includes(letter)) return [undefined, undefined, false];
    names.push(letter);
  }
  return [names, undefined, false];
}
