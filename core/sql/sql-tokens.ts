/**
 * PostgreSQL's lexical rules (§4.1, src/backend/parser/scan.l) as far as one needs them to tell text from strings and
 * comments. Works on text in latin1, one character a byte: every server-safe encoding keeps ASCII's quotes where they are.
 */
type SqlTokenKind = "word" | "quoted-name" | "literal" | "dollar-literal" | "comment" | "symbol";

export interface SqlToken {
  readonly kind: SqlTokenKind;
  readonly start: number;
  readonly end: number;
  /** False where the text ended before the token did. */
  readonly terminated: boolean;
}

const WORD = /[A-Za-z_\x80-\xff0-9][A-Za-z0-9_$\x80-\xff]*/y;
const DOLLAR_TAG = /\$(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)?\$/y;
const DOLLAR_NUMBER = /\$[0-9]+/y;
const LITERAL_PREFIX = /(?:[ebnx]|u&)(?=')/iy;
const NAME_PREFIX = /u&(?=")/iy;
const COMMENT_EDGE = /\/\*|\*\//g;

/** White space as the server's lexer sees it; a NUL, which no statement may hold, counts as such too. */
export function isSpace(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code === 32 || (code >= 9 && code <= 13) || code === 0;
}

/** Where `pattern`, which must be sticky, matches at `at`: the offset behind the match, or -1. */
function matchAt(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : -1;
}

/**
 * The token at or after `at`, white space skipped; undefined at the end of the text.
 * @param escapes whether a backslash escapes in plain literals: standard_conforming_strings = off (§4.1.2.2)
 */
export function nextToken(text: string, at: number, escapes: boolean): SqlToken | undefined {
  let start = at;
  while (isSpace(text, start)) start++;
  const char = text[start];
  if (char === undefined) return undefined;
  const token = (kind: SqlTokenKind, end: number): SqlToken =>
    end < 0 ? { kind, start, end: text.length, terminated: false } : { kind, start, end, terminated: true };
  if (char === "'") return token("literal", literalEnd(text, start, escapes));
  if (char === '"') return token("quoted-name", nameEnd(text, start));
  if (char === "-" && text[start + 1] === "-") return token("comment", lineEnd(text, start));
  if (char === "/" && text[start + 1] === "*") return token("comment", blockEnd(text, start));
  if (char === "$") return dollarToken(text, start, token);
  const literal = matchAt(LITERAL_PREFIX, text, start);
  if (literal >= 0) return token("literal", literalEnd(text, literal, escapes || char === "e" || char === "E"));
  const name = matchAt(NAME_PREFIX, text, start);
  if (name >= 0) return token("quoted-name", nameEnd(text, name));
  const word = matchAt(WORD, text, start);
  return word >= 0 ? token("word", word) : token("symbol", start + 1);
}

function dollarToken(text: string, start: number, token: (kind: SqlTokenKind, end: number) => SqlToken): SqlToken {
  const opened = matchAt(DOLLAR_TAG, text, start);
  if (opened >= 0) {
    const tag = text.slice(start, opened);
    const close = text.indexOf(tag, opened);
    return token("dollar-literal", close < 0 ? -1 : close + tag.length);
  }
  const number = matchAt(DOLLAR_NUMBER, text, start);
  return token("symbol", number >= 0 ? number : start + 1);
}

/** Behind the closing quote of the literal whose opening quote is at `open`, continuation lines included; -1 if it never closes. */
function literalEnd(text: string, open: number, escapes: boolean): number {
  let at = open + 1;
  for (;;) {
    const quote = escapes ? quoteBehindEscapes(text, at) : text.indexOf("'", at);
    if (quote < 0) return -1;
    if (text[quote + 1] === "'") {
      at = quote + 2;
      continue;
    }
    const next = continuation(text, quote + 1);
    if (next < 0) return quote + 1;
    at = next + 1;
  }
}

function quoteBehindEscapes(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const char = text[at];
    if (char === "'") return at;
    if (char === "\\") at++;
  }
  return -1;
}

/** The opening quote of the next part of a literal, if only white space and comments with a line break stand between (§4.1.2.1); or -1. */
function continuation(text: string, from: number): number {
  let broken = false;
  let at = from;
  for (;;) {
    const char = text[at];
    if (char === "\n" || char === "\r") broken = true;
    else if (char === "-" && text[at + 1] === "-") at = lineEnd(text, at) - 1;
    else if (!isSpace(text, at)) break;
    at++;
  }
  return broken && text[at] === "'" ? at : -1;
}

function nameEnd(text: string, open: number): number {
  for (let at = open + 1; ;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return -1;
    if (text[quote + 1] !== '"') return quote + 1;
    at = quote + 2;
  }
}

function lineEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && text[at] !== "\n" && text[at] !== "\r") at++;
  return at;
}

/** Block comments nest (§4.1.5). */
function blockEnd(text: string, start: number): number {
  let depth = 1;
  COMMENT_EDGE.lastIndex = start + 2;
  for (;;) {
    const edge = COMMENT_EDGE.exec(text);
    if (edge === null) return -1;
    depth += edge[0] === "/*" ? 1 : -1;
    if (depth === 0) return COMMENT_EDGE.lastIndex;
  }
}

const ESCAPE = /\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|([^]))/g;
const UNICODE_ESCAPE = /\\(?:\+([0-9A-Fa-f]{6})|([0-9A-Fa-f]{4})|(\\))/g;
const CONTROL: Record<string, string> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

function codePoint(hex: string): string {
  const code = Number.parseInt(hex, 16);
  return code <= 0x10ffff ? String.fromCodePoint(code) : "?";
}

/** What a literal or a quoted name stands for, as well as one can tell without its UESCAPE clause. */
export function tokenValue(text: string, token: SqlToken, escapes: boolean): string {
  if (token.kind === "word") return text.slice(token.start, token.end);
  const mark = token.kind === "quoted-name" ? '"' : "'";
  const open = text.indexOf(mark, token.start);
  const prefix = text.slice(token.start, open).toLowerCase();
  let value = "";
  for (let at = open + 1; at < token.end;) {
    const backslashes = mark === "'" && (escapes || prefix === "e");
    const found = backslashes ? quoteBehindEscapes(text, at) : text.indexOf(mark, at);
    const quote = found < 0 ? token.end : found;
    value += text.slice(at, Math.min(quote, token.end));
    if (text[quote + 1] === mark) {
      value += mark;
      at = quote + 2;
      continue;
    }
    const next = mark === "'" ? continuation(text, quote + 1) : -1;
    at = next < 0 ? token.end : next + 1;
  }
  if (prefix === "u&")
    return value.replace(UNICODE_ESCAPE, (_, six?: string, four?: string) =>
      six || four ? codePoint(six ?? four ?? "") : "\\",
    );
  if (mark === '"' || !(escapes || prefix === "e")) return value;
  return value.replace(ESCAPE, (_, u?: string, long?: string, x?: string, octal?: string, other?: string) => {
    const hex = u ?? long ?? x;
    if (hex !== undefined) return codePoint(hex);
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
    return CONTROL[other ?? ""] ?? other ?? "";
  });
}
