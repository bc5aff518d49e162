import type { ShellNode } from "../shell-parser.ts";
import { ansiText } from "./ansi-text.ts";

/** A word of a command, with its quotes removed. */
export interface ShellWord {
  /** What it says; what is to be expanded stands in it as it is written, but for `$HOME`, which is `~`. */
  readonly text: string;
  /** It holds what only the shell can tell: a variable, a substitution. */
  readonly expands: boolean;
  /** It holds an unquoted pattern, or braces that stand for several words. */
  readonly pattern: boolean;
  /** Nothing in it is quoted: it may be a word of the language. */
  readonly bare: boolean;
}

/** It says what it says, and nothing else. */
export function isLiteral({ expands, pattern }: ShellWord): boolean {
  return !expands && !pattern;
}

export function literal(text: string): ShellWord {
  return { text, expands: false, pattern: false, bare: false };
}

/** Of what is not in the text. */
export const UNTOLD: ShellWord = { text: "", expands: true, pattern: false, bare: false };

/** The word that a node of the tree is, wherever a word may stand. */
export function wordOf(source: string, node: ShellNode): ShellWord {
  const written = source.slice(node.start, node.end);
  switch (node.type) {
    case "word":
    case "number":
      return bareWord(written);
    case "raw_string":
      return literal(written.slice(1, -1));
    case "ansi_c_string":
      return literal(ansiText(written.slice(2, -1)));
    case "string":
      return quotedWord(source, node);
    case "concatenation":
      return concatenated(source, node);
    case "command_name":
    case "translated_string":
      return joined(node.children.filter(({ type }) => type !== "$").map((child) => wordOf(source, child)));
    case "simple_expansion":
    case "expansion":
      return /^\$(?:HOME|\{HOME\})$/.test(written) ? literal("~") : { ...UNTOLD, text: written };
    case "brace_expression":
      return { ...UNTOLD, text: written, pattern: true, expands: false };
    case "$":
      return literal("$");
    default:
      return { ...UNTOLD, text: written };
  }
}

function bareWord(written: string): ShellWord {
  const unescaped = written.replaceAll(/\\([\s\S])/g, (_, escaped: string) => (escaped === "\n" ? "" : escaped));
  const visible = written.replaceAll(/\\[\s\S]/g, "");
  return {
    text: unescaped,
    expands: false,
    pattern: isPattern(visible),
    bare: unescaped === written,
  };
}

/** Between double quotes a backslash takes the meaning of five characters alone. */
function quotedWord(source: string, node: ShellNode): ShellWord {
  let text = "";
  let expands = false;
  let at = node.start + 1;
  const plain = (until: number): void => {
    text += source
      .slice(at, until)
      .replaceAll(/\\([$`"\\\n])/g, (_, escaped: string) => (escaped === "\n" ? "" : escaped));
  };
  for (const child of node.children) {
    if (!EXPANSIONS.has(child.type)) continue;
    plain(child.start);
    const inner = wordOf(source, child);
    text += inner.text;
    expands ||= inner.expands;
    at = child.end;
  }
  plain(node.end - 1);
  return { text, expands, pattern: false, bare: false };
}

export const EXPANSIONS: ReadonlySet<string> = new Set([
  "simple_expansion",
  "expansion",
  "command_substitution",
  "process_substitution",
  "arithmetic_expansion",
]);

function joined(words: readonly ShellWord[]): ShellWord {
  return {
    text: words.map(({ text }) => text).join(""),
    expands: words.some(({ expands }) => expands),
    pattern: words.some(({ pattern }) => pattern),
    bare: words.every(({ bare }) => bare),
  };
}

/** What stands between the first of one character and the last of another. */
function between(text: string, opening: string, closing: string): string | undefined {
  const start = text.indexOf(opening);
  const end = text.lastIndexOf(closing);
  return start >= 0 && end > start ? text.slice(start + 1, end) : undefined;
}

/** Unquoted text that stands for names of files, or, as `{a,b}` and `{1..3}` do, for several words. */
function isPattern(visible: string): boolean {
  if (/[*?]/.test(visible) || between(visible, "[", "]") !== undefined) return true;
  return /,|\.\./.test(between(visible, "{", "}") ?? "");
}

/** Patterns fall into several nodes. */
function concatenated(source: string, { children }: ShellNode): ShellWord {
  const parts = children.map((child) => (child.type === "word" ? source.slice(child.start, child.end) : "x"));
  const word = joined(children.map((child) => wordOf(source, child)));
  return isPattern(parts.join("").replaceAll(/\\[\s\S]/g, "")) ? { ...word, pattern: true } : word;
}
