import type { ShellNode } from "../shell-parser.ts";
import { EXPANSIONS } from "./word.ts";

/** What separates tokens. A carriage return does not: to a shell it is a part of the word. */
const BLANK = /^(?:[ \t\n]|\\\n)*$/;
const SEPARATORS = new Set(["", " ", "\t", "\n", ";", "&", "|", "(", ")", "<", ">"]);
/** A `$` that would begin an expansion. */
const EXPANDS = String.raw`\$(?=[\w({\[@*#?$!-])`;
/** Where quotes and substitutions are tokens of their own, none may hide in a leaf. */
const LEAVES: Readonly<Record<string, RegExp>> = {
  word: new RegExp(String.raw`^(?:\\[\s\S]|(?!${EXPANDS}|\$['"])[^\\|&;()<>\s"'\x60])+$`),
  number: /^-?(?:0[xX])?[0-9A-Fa-f]+(?:#[0-9A-Za-z@_]+)?$/,
  raw_string: /^'[^']*'$/,
  ansi_c_string: /^\$'(?:[^'\\]|\\[\s\S])*'$/,
  comment: /^#[^\n]*$/,
  string_content: new RegExp(String.raw`^(?:\\[\s\S]|(?!${EXPANDS})[^\\"\x60])+$`),
  variable_name: /^\w+$/,
  special_variable_name: /^\s*(?:\d+|[*@?!#$_-])$/,
  file_descriptor: /^\d+$|^\{\w+\}$/,
  test_operator: /^-?\w+$|^[=!<>~]+$/,
  regex: /^(?:\\[\s\S]|(?![<>]\(|\$[({[])[^\\"'`])*$/,
  extglob_pattern: /^(?:\\[\s\S]|(?![<>]\(|\$[({[])[^\\"'`;&<>\n])*$/,
  heredoc_start: /^\S+$/,
  heredoc_end: /^\S+$/,
};
/** A word within `${…}` may hold blanks. */
const WORD_IN_EXPANSION = /^(?:\\[\s\S]|(?![<>]\(|\$[({[])[^\\"'`}])*$/;
/** The parser overlooks some plain variables there, which run nothing. */
const HEREDOC_TEXT = /^(?:\\[\s\S]|\$\{\w+\}|(?!\$[({[])[^\\`])*$/;
/** A newline within ends it. */
const ONE_LINE = new Set(["command", "declaration_command", "unset_command", "command_name", "variable_assignment"]);
/** Nothing stands between its parts, no line continuation either. */
const TIGHT = new Set(["concatenation", "variable_assignment", "simple_expansion"]);
/** Two words of it have a blank between them; only what redirects needs none. */
const APART = new Set(["command", "declaration_command", "unset_command"]);
/** A lone `-` before a redirection is in no node of the tree. */
const STANDARD_INPUT = /(^|[ \t])-(?=[ \t]|$)/;
/** `[` is a program: what is an operator within `[[ ]]` ends it, or redirects it. */
const OUTSIDE_TEST = new Set(["&&", "||", "<", ">", "<=", ">=", "(", ")", "=~", "|", "&", ";"]);

/**
 * Whether a tree accounts for every character of its text. The parser is lenient: it passes over what it does not
 * know as blank space, and takes for text what a shell would run. What it may have misread counts as not understood.
 */
export function isSound(source: string, root: ShellNode): boolean {
  return blankBetween(source, 0, root.start) && blankBetween(source, root.end, source.length) && sound(source, root);
}

function sound(source: string, node: ShellNode, expanded = false): boolean {
  if (node.start === node.end) return node.children.length === 0;
  if (node.type === "string") return textSound(source, node, node.start + 1, node.end - 1, "string_content");
  if (node.type === "heredoc_redirect" && !heredocSound(source, node)) return false;
  if (node.type === "heredoc_body") return true; // as its redirection is
  if (expanded && node.type === "word") return WORD_IN_EXPANSION.test(source.slice(node.start, node.end));
  if (node.children.length === 0) return leafSound(source, node);
  if (node.type === "test_command" && source[node.start + 1] !== "[" && hasOutside(node)) return false;
  if (isArithmetic(source, node) && hasQuotes(node)) return false;
  // Within double quotes, bash takes `$""(…)` in an expansion for a substitution.
  if (node.type === "expansion" && /\$["']/.test(source.slice(node.start, node.end))) return false;
  if (node.type === "command_substitution" && source[node.start] === "`" && hasBacktick(source, node)) return false;
  const within = node.type === "expansion" || (expanded && node.type === "concatenation");
  return gapsSound(source, node) && node.children.every((child) => sound(source, child, within));
}

function leafSound(source: string, { type, start, end }: ShellNode): boolean {
  const written = source.slice(start, end);
  if (type === "comment" && start > 0 && !SEPARATORS.has(source[start - 1] ?? "")) return false;
  return LEAVES[type]?.test(written) ?? (written.trim() === type.trim() || (type === "$" && written === "$$"));
}

function gapsSound(source: string, { type, start, end, children }: ShellNode): boolean {
  let at = start;
  for (const child of [...children, { type: "", start: end, end }]) {
    // The body of a here-document stands behind the line that it is part of.
    if (child.start < at) return type === "heredoc_redirect" || type === "redirected_statement";
    const gap = source.slice(at, child.start);
    if (TIGHT.has(type) && gap !== "") return false;
    if (APART.has(type) && gap === "" && at > start && at < end && !isRedirect(child)) return false;
    if (ONE_LINE.has(type) && gap.replaceAll("\\\n", "").includes("\n")) return false;
    const overlooked = type === "redirected_statement" && BLANK.test(gap.replace(STANDARD_INPUT, "$1"));
    if (!overlooked && !blankBetween(source, at, child.start)) return false;
    at = child.end;
  }
  return true;
}

function isRedirect({ type }: Pick<ShellNode, "type">): boolean {
  return type.endsWith("_redirect");
}

/** Two words that are one to a shell, because nothing but a line continuation is between them, are misread. */
function blankBetween(source: string, from: number, to: number): boolean {
  const gap = source.slice(from, to);
  if (!BLANK.test(gap)) return false;
  if (gap === "" || /[ \t\n]/.test(gap.replaceAll("\\\n", ""))) return true;
  return SEPARATORS.has(source[from - 1] ?? "") || SEPARATORS.has(source[to] ?? "");
}

/** A text with expansions in it: they are sound, and what is between them holds none. */
function textSound(source: string, node: ShellNode, start: number, end: number, as: string): boolean {
  const pattern = as === "heredoc" ? HEREDOC_TEXT : LEAVES["string_content"];
  const parts: string[] = [];
  let at = start;
  for (const child of node.children) {
    if (!EXPANSIONS.has(child.type)) continue;
    if (child.start < at || !sound(source, child)) return false;
    parts.push(source.slice(at, child.start));
    at = child.end;
  }
  parts.push(source.slice(at, end));
  return parts.every((part) => part === "" || pattern?.test(part));
}

/** The body ends where a shell ends it, and holds no substitution that the tree does not have. */
function heredocSound(source: string, node: ShellNode): boolean {
  const written = (type: string): string | undefined => {
    const child = node.children.find((one) => one.type === type);
    return child && source.slice(child.start, child.end);
  };
  const start = written("heredoc_start") ?? "";
  const body = node.children.find(({ type }) => type === "heredoc_body");
  const end = node.children.find(({ type }) => type === "heredoc_end");
  if (body === undefined || end === undefined || /[$`]/.test(start)) return false;
  const delimiter = start.replaceAll(/['"\\]/g, "");
  const dashed = node.children.some(({ type }) => type === "<<-");
  const lines = source.slice(source.lastIndexOf("\n", body.start - 1) + 1, end.end).split("\n");
  const bare = lines.map((line) => (dashed ? line.replace(/^\t+/, "") : line));
  if (bare.pop() !== delimiter || bare.includes(delimiter) || !/^(?:\n|$)/.test(source.slice(end.end, end.end + 1)))
    return false;
  return start !== delimiter || textSound(source, body, body.start, body.end, "heredoc");
}

function hasOutside(node: ShellNode): boolean {
  return node.children.some(
    (child) =>
      OUTSIDE_TEST.has(child.type) || (!EXPANSIONS.has(child.type) && child.type !== "string" && hasOutside(child)),
  );
}

/** Where numbers are expected, single quotes quote nothing: what they hold is expanded. */
function isArithmetic(source: string, { type, start }: ShellNode): boolean {
  if (type === "compound_statement") return source.startsWith("((", start);
  return type === "arithmetic_expansion" || type === "subscript" || type === "c_style_for_statement";
}

function hasQuotes({ children }: ShellNode): boolean {
  return children.some(
    (child) =>
      child.type === "raw_string" ||
      child.type === "ansi_c_string" ||
      (!child.type.endsWith("_substitution") && child.field !== "body" && hasQuotes(child)),
  );
}

/** A shell ends it at the next backtick that no backslash precedes, whatever quotes say. */
function hasBacktick(source: string, { start, end }: ShellNode): boolean {
  return /(?:^|[^\\])(?:\\\\)*`/.test(source.slice(start + 1, end - 1)) || source[end - 1] !== "`";
}
