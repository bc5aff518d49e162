import { FILE_RULES } from "./file-rules.ts";
import type { Gathering } from "./gathering.ts";
import { actsAsOthers, isInterpreter, reachesOthers, SHELLS, stemOf } from "./known-programs.ts";
import { optionsOf } from "./options.ts";
import { STARTERS } from "./starters.ts";
import { assignedBy, evaluates, isMeaning } from "./variables.ts";
import { isLiteral, literal, type ShellWord, UNTOLD } from "./word.ts";
import { LOADER, type Wrapper, WRAPPERS } from "./wrappers.ts";

/** Words of the language, where they stand bare: a program's name they are only to a parser that lost its way. */
const RESERVED = new Set(
  "if then else elif fi do done case esac while until for in select function { } ! [[ ]] ((".split(" "),
);
/** Builtins that take numbers and indexes of arrays, or set the variables that they are told. */
const EVALUATES = new Set("let test [ [[ printf read unset declare typeset local export readonly mapfile readarray getopts wait".split(" ")); // prettier-ignore
/** They change what a name stands for, or keep a command for later. */
const REMEMBERS = new Set(
  "enable hash bind complete compgen fc mapfile readarray history abbr autoload zmodload".split(" "),
);

/** What running these words means: the program that the first one names, and those that it starts in turn. */
export function runCommand(words: readonly ShellWord[], into: Gathering): void {
  into.within(() => runs(words, into));
}

function runs(words: readonly ShellWord[], into: Gathering): void {
  const [name, ...args] = words;
  if (name === undefined) return;
  if (name.bare && RESERVED.has(name.text)) throw new SyntaxError(`${name.text} is no program`);
  for (const word of args) into.argument(word);
  // zsh looks up `=rm` as it does `rm`.
  if (!isLiteral(name) || name.text.startsWith("=")) return into.is("dynamic");
  into.program(name.text);
  const program = name.text.slice(name.text.lastIndexOf("/") + 1);
  flags(program, args, into);
  (FILE_RULES.get(program) ?? FILE_RULES.get(stemOf(program)))?.(args, into);
  const wrapper = WRAPPERS.get(program) ?? (LOADER.test(program) ? {} : undefined);
  if (wrapper !== undefined) unwrap(wrapper, args, into);
  const starter = SHELLS.has(program) ? STARTERS.get("sh") : STARTERS.get(program);
  starter?.(args, into, runCommand);
}

function flags(program: string, args: readonly ShellWord[], into: Gathering): void {
  if (isInterpreter(program)) into.is("interpreter");
  if (reachesOthers(program)) into.is("network");
  if (actsAsOthers(program)) into.is("sudo");
  if (REMEMBERS.has(program) && args.length > 0) into.is("dynamic");
  if (!EVALUATES.has(program)) return;
  if (args.some((word) => evaluates(word) || (program !== "export" && isMeaning(word.text)))) into.is("dynamic");
}

function unwrap(wrapper: Wrapper, args: readonly ShellWord[], into: Gathering): void {
  const { given, operands, known } = optionsOf(args, wrapper);
  if (!known) into.is("dynamic");
  const letters = [...given.keys()];
  if (letters.some((letter) => wrapper.idleBy?.includes(letter))) return;
  let rest = operands.slice(wrapper.before ?? 0);
  while (wrapper.assigns === true && rest[0] !== undefined && assignedBy(rest[0], into)) rest = rest.slice(1);
  const shell = letters.some((letter) => wrapper.shellBy?.includes(letter));
  if (shell || (wrapper.shellBy !== undefined && rest.length === 0)) into.is("interpreter");
  const split = given.get("S") ?? given.get("split-string");
  if (wrapper === WRAPPERS.get("env") && split !== undefined) into.text(split);
  const folder = given.get("C") ?? given.get("D") ?? given.get("chdir");
  if (folder !== undefined) into.enters(folder);
  if (letters.some((letter) => wrapper.editsBy?.includes(letter))) rest = [literal("sudoedit"), ...rest];
  // `flock file -c 'text'`
  if (rest.length > 0 && rest[0]?.text !== "-c") runCommand(wrapper.adds === true ? [...rest, UNTOLD] : rest, into);
}
