import type { Gathering } from "./gathering.ts";
import { optionsOf } from "./options.ts";
import { assignedBy } from "./variables.ts";
import { isLiteral, literal, type ShellWord, UNTOLD } from "./word.ts";

type Run = (words: readonly ShellWord[], into: Gathering) => void;
type Starter = (args: readonly ShellWord[], into: Gathering, run: Run) => void;

/** As one text, as `eval` and `ssh` make it of their arguments. */
function joined(words: readonly ShellWord[]): ShellWord {
  const expands = words.some((word) => !isLiteral(word));
  return { ...literal(words.map(({ text }) => text).join(" ")), expands };
}

/** A text that may not be there, or not be literal: then what runs cannot be told. */
function runText(text: ShellWord | undefined, into: Gathering): void {
  if (text === undefined) into.is("dynamic");
  else if (isLiteral(text)) into.text(text);
  else leniently(text, into);
}

/** What a text with variables in it shows is worth having; that it cannot be read is no more than we know already. */
function leniently(text: ShellWord, into: Gathering): void {
  into.is("dynamic");
  if (/^\s*(?:\$|$)/.test(text.text)) return;
  into.text({ ...text, expands: true });
}

/** `-c` may stand among other letters; without it there is a script, or what comes from elsewhere. */
const shell: Starter = (args, into) => {
  const syntax = { flags: "abefhiklmnprstuvxBCEHPTcD", values: "oO", longFlags: ["login", "norc", "noprofile", "posix", "noediting", "restricted", "verbose"], longValues: ["rcfile", "init-file"] }; // prettier-ignore
  const words = args.map((word) => (word.text.startsWith("+") ? { ...word, text: `-${word.text.slice(1)}` } : word));
  const { given, operands, known } = optionsOf(words, syntax);
  if (!known) into.is("dynamic");
  if (given.has("rcfile") || given.has("init-file") || given.has("i") || given.has("s")) into.is("interpreter");
  if (given.has("c")) runText(operands[0], into);
  else into.is("interpreter");
};

const evaluate: Starter = (args, into) => {
  if (args.length > 0) runText(joined(args), into);
};

const trap: Starter = (args, into) => {
  const [text, ...signals] = args.filter(({ text: word }) => word !== "--");
  if (text !== undefined && signals.length > 0 && !/^-[lp]?$/.test(text.text)) runText(text, into);
};

/** They are used by what runs later, in some shells even here. */
const alias: Starter = (args, into) => {
  for (const word of args) {
    const at = word.text.indexOf("=");
    if (at > 0) runText({ ...word, text: word.text.slice(at + 1) }, into);
  }
};

/** -exec and its like end with `;` or `+`; `{}` is something below the folders that are searched. */
const find: Starter = (args, into, run) => {
  const first = args.findIndex(({ text }) => /^[-(!]/.test(text) && !/^-(?:[HLP]|D|O\d)$/.test(text));
  const roots = args.slice(0, first < 0 ? args.length : first).filter(({ text }) => !text.startsWith("-"));
  const searched = roots.length > 0 ? roots : [literal(".")];
  for (const root of searched) into.reads(root);
  for (let at = 0; at < args.length; at++) {
    const { text = "", expands } = args[at] ?? {};
    if (expands === true && at >= first && first >= 0) into.is("dynamic");
    if (text === "-delete") for (const root of searched) into.writes(below(root));
    const file = args[at + 1];
    if (/^-f(?:print0?|printf|ls)$/.test(text) && file !== undefined) into.writes(file);
    if (!/^-(?:exec|execdir|ok|okdir)$/.test(text)) continue;
    const end = args.findIndex((word, index) => index > at && (word.text === ";" || word.text === "+"));
    const words = args.slice(at + 1, end < 0 ? args.length : end);
    for (const root of searched)
      run(
        words.map((word) => (word.text.includes("{}") ? { ...below(root), bare: false } : word)),
        into,
      );
    at += words.length;
  }
};

function below(root: ShellWord): ShellWord {
  return { ...root, text: `${root.text}/{}` };
}

const ssh: Starter = (args, into) => {
  const { given, operands, known } = optionsOf(args, {
    flags: "46AaCfGgKkMNnqsTtVvXxYy",
    values: "BbcDEeFIiJLlmOopQRSWw",
  });
  if (!known) into.is("dynamic");
  if (["o", "F", "S", "W", "L", "R", "D"].some((letter) => given.has(letter))) into.is("interpreter");
  if (operands.length > 1) runText(joined(operands.slice(1)), into);
  else into.is("interpreter");
};

/** `su - postgres -c 'text'`: its options may stand behind its operands. */
const su: Starter = (args, into, run) => {
  const at = args.findIndex(({ text }) => /^-[a-z]*c$|^--(?:session-)?command$/.test(text));
  const long = args.find(({ text }) => /^--(?:session-)?command=/.test(text));
  if (at >= 0) runText(args[at + 1], into);
  else if (long !== undefined) runText({ ...long, text: long.text.slice(long.text.indexOf("=") + 1) }, into);
  else {
    // `runuser -u www-data -- command`
    const user = args.findIndex(({ text }) => text === "-u" || text === "--user");
    const words = user < 0 ? [] : args.slice(user + 2);
    if (words.length > 0) run(words[0]?.text === "--" ? words.slice(1) : words, into);
    else into.is("interpreter");
  }
};

const watch: Starter = (args, into) => {
  const { operands, known } = optionsOf(args, {
    flags: "bcdegptwx",
    values: "nq",
    longFlags: ["beep", "color", "differences", "errexit", "chgexit", "precise", "no-title", "exec"],
    longValues: ["interval"],
  });
  if (!known) into.is("dynamic");
  if (operands.length > 0) runText(joined(operands), into);
};

/** What it runs stands before `:::`; what that is given, behind it, or elsewhere. */
const parallel: Starter = (args, into, run) => {
  const end = args.findIndex(({ text }) => text.startsWith(":::"));
  const syntax = {
    flags: "0kquX",
    values: "jaINLnsC",
    longFlags: ["null", "keep-order", "no-notice", "will-cite", "dry-run", "bar"],
    longValues: ["jobs", "arg-file", "colsep", "delay", "timeout", "joblog"],
  };
  const { operands, known } = optionsOf(args.slice(0, end < 0 ? args.length : end), syntax);
  if (!known || operands.length === 0) into.is("dynamic");
  const [first] = operands;
  if (first !== undefined && /\s/.test(first.text)) runText(joined(operands), into);
  else run([...operands, UNTOLD], into);
};

const flock: Starter = (args, into) => {
  const at = args.findIndex(({ text }) => text === "-c" || text === "--command");
  if (at >= 0) runText(args[at + 1], into);
};

const changesFolder: Starter = (args, into) => {
  const [folder] = args.filter(({ text }) => !/^-[LPe@]+$|^--$/.test(text));
  if (folder !== undefined) into.enters(folder);
};

const exports: Starter = (args, into) => {
  for (const word of args) assignedBy(word, into);
};

/** Programs and builtins that start others in ways of their own. */
export const STARTERS: ReadonlyMap<string, Starter> = new Map<string, Starter>([
  ["sh", shell],
  ["eval", evaluate],
  ["trap", trap],
  ["alias", alias],
  ["find", find],
  ["ssh", ssh],
  ["su", su],
  ["runuser", su],
  ["sg", su],
  ["watch", watch],
  ["parallel", parallel],
  ["flock", flock],
  ["cd", changesFolder],
  ["pushd", changesFolder],
  ["export", exports],
  ["declare", exports],
  ["typeset", exports],
  ["local", exports],
  ["readonly", exports],
  ["coproc", (_, into) => into.is("background")],
]);
