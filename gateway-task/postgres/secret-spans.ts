import { SallyportError } from "../../core/errors.ts";
import { isSpace, nextToken, tokenValue, type SqlToken } from "../../core/sql/sql-tokens.ts";

/** A stretch of a statement's text that must not be stored, and what stands in its place. */
export interface SecretSpan {
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
}

export const REDACTED = "[redacted]";

/** Tokens of one statement that are read, those within its strings included: it takes half a second, and everybody waits. */
const MAX_TOKENS = 400_000;
/** To undo the escapes of so many bytes takes as long as to read a token. */
const BYTES_A_TOKEN = 16;
/** PostgreSQL itself keeps 63 bytes of a name (NAMEDATALEN). */
const MAX_NAME_BYTES = 4_096;
/** Strings within strings are looked into this deep; deeper ones are hidden whole. A DO body that builds a statement needs 3. */
const MAX_NESTING = 5;

const SECRET_NAME = "(?:pass(?:word|wd|phrase|file)|pwd|secret(?:_?(?:access_?)?key)?)";
const URI_SECRET = "://[^\\s:@/'\"]{0,4096}:[^\\s/'\"]{1,4096}@";
/** A text in which this finds nothing holds no secret: all rules below start at one of these. */
export const TRIGGER = new RegExp(`${SECRET_NAME}|sp_[0-9A-Za-z]{20}|${URI_SECRET}`, "i");

const WITHIN_STRINGS = new RegExp(`${SECRET_NAME}|${URI_SECRET}`, "i");
const FIRST_NAME = new RegExp(SECRET_NAME, "i");
const ENDS_AS_NAME = new RegExp(`${SECRET_NAME}$`, "i");
const REST_OF_LINE = new RegExp(`(${SECRET_NAME})[^\\n]+`, "gi");
const CONNECTION_KEY = new RegExp(`${SECRET_NAME}\\s*=\\s*`, "gi");
const URI = new RegExp(URI_SECRET, "g");
const PASS = /sp_[0-9A-Za-z]{20,}/g;
const ROLE_STATEMENT = /(?:create|alter)\s+(?:role|user|group)\b/i;
const COMPARES = /^(?:to|in|not|like|ilike|similar)$/;
const CLAUSE =
  /^(?:and|or|where|from|returning|on|group|order|limit|union|intersect|except|when|then|else|end|set|values|having|window)$/;

/**
 * Where secrets stand in a statement's text, in order and without overlaps. Throws `limit-exceeded` for one of more than
 * MAX_TOKENS: what cannot be told in time is neither shown nor, since it may be anything, hidden.
 * @param text in latin1, a character a byte
 */
export function secretSpans(text: string): SecretSpan[] {
  const budget = { tokens: MAX_TOKENS };
  const standard = new Scope(text, 0, false, 0, budget);
  const ends = standard.scan();
  // With standard_conforming_strings off, '\'…' is read otherwise: the reading that ends properly counts, or both.
  const escaped = text.includes("\\'") ? new Scope(text, 0, true, 0, budget) : standard;
  const escapedEnds = escaped === standard ? ends : escaped.scan();
  const spans = ends || !escapedEnds ? standard.spans : [];
  if (escaped !== standard && (escapedEnds || !ends)) for (const span of escaped.spans) spans.push(span);
  if (!ends && !escapedEnds) {
    const start = FIRST_NAME.exec(text)?.index;
    if (start !== undefined) spans.push({ start, end: text.length, replacement: REDACTED });
  }
  for (const pass of text.matchAll(PASS))
    spans.push({ start: pass.index, end: pass.index + pass[0].length, replacement: REDACTED });
  return merged(spans);
}

function merged(spans: SecretSpan[]): SecretSpan[] {
  spans.sort((a, b) => a.start - b.start || b.end - a.end);
  const result: SecretSpan[] = [];
  for (const span of spans) {
    const last = result.at(-1);
    if (last === undefined || span.start >= last.end) result.push(span);
    else if (span.end > last.end) result.splice(-1, 1, { start: last.start, end: span.end, replacement: REDACTED });
  }
  return result;
}

/** One reading of one text: a whole query, or the contents of a string or comment within it. */
class Scope {
  readonly spans: SecretSpan[] = [];
  /** Its last role statement ends where the password belongs, or has a place-holder there: a later string completes it. */
  open = false;
  readonly #text: string;
  /** Where `#text` starts in the text that the spans count in. */
  readonly #offset: number;
  readonly #escapes: boolean;
  readonly #nesting: number;
  /** Tokens that may still be read, of all readings together. */
  readonly #budget: { tokens: number };
  /** Of parentheses. */
  #depth = 0;
  #first = "";
  #before = "";
  /** SET …, or ALTER … SET …: what follows the name of a setting is its value up to the statement's end. */
  #sets = false;
  /** Within CREATE or ALTER ROLE, USER or GROUP: next comes its name, or one of its options. */
  #role: "no" | "name" | "options" = "no";
  /** The last token was the name of a secret: what follows may be its value. */
  #pending = false;
  /** The last token was a hidden value: a string behind it is the rest of it, behind a quote that the secret itself holds. */
  #hidden = false;
  /** Between `::` and the name of the type. */
  #casting = false;
  /** All strings are hidden until the expression at this depth of parentheses ends. */
  #hiding: { readonly depth: number; readonly overCommas: boolean } | undefined;
  /** The depth inside the parentheses of set_config(…). */
  #setting: number | undefined;
  /** From here to the end of the statement everything is hidden. */
  #hiddenFrom: number | undefined;

  constructor(text: string, offset: number, escapes: boolean, nesting: number, budget: { tokens: number }) {
    this.#text = text;
    this.#offset = offset;
    this.#escapes = escapes;
    this.#nesting = nesting;
    this.#budget = budget;
  }

  /** Fills `spans`; false if a string, name or comment never ends. */
  scan(): boolean {
    let token: SqlToken | undefined;
    for (let at = 0; (token = nextToken(this.#text, at, this.#escapes)) !== undefined; at = token.end) {
      if (!token.terminated) break;
      this.#spend(1);
      if (token.kind === "comment") this.#within(token.start + 2, this.#text.slice(token.start + 2, token.end), true);
      else if (token.kind === "literal" || token.kind === "dollar-literal") this.#literal(token);
      else if (token.kind === "symbol") this.#symbol(token, this.#text.slice(token.start, token.end));
      else this.#name(token);
    }
    this.open ||= this.#pending && this.#role === "options";
    this.#endStatement(this.#text.length);
    return token === undefined;
  }

  #spend(tokens: number): void {
    this.#budget.tokens -= tokens;
    if (this.#budget.tokens < 0) throw tooLong();
  }

  #hide(start: number, end: number, replacement: string): void {
    this.spans.push({ start: this.#offset + start, end: this.#offset + end, replacement });
  }

  #endStatement(end: number): void {
    if (this.#hiddenFrom !== undefined) this.#hide(this.#hiddenFrom, end, REDACTED);
    this.#depth = 0;
    this.#first = this.#before = "";
    this.#role = "no";
    this.#sets = this.#pending = this.#hidden = this.#casting = false;
    this.#hiding = this.#setting = this.#hiddenFrom = undefined;
  }

  #literal(token: SqlToken): void {
    const direct = this.#pending || this.#hidden;
    this.#pending = this.#casting = false;
    this.#hidden = direct;
    const dollar = token.kind === "dollar-literal";
    if (direct || this.#hiding !== undefined) {
      if (this.#role === "options" && this.#text.slice(token.start, token.end).includes("%")) this.open = true;
      this.#hide(token.start, token.end, dollar ? `$$${REDACTED}$$` : `'${REDACTED}'`);
      if (direct && /[\w$'"\\\x80-\xff]/.test(this.#text.charAt(token.end))) this.#hiddenFrom ??= token.end;
      return;
    }
    const tag = dollar ? this.#text.indexOf("$", token.start + 1) + 1 - token.start : 1;
    const open = dollar ? token.start + tag : this.#text.indexOf("'", token.start) + 1;
    const raw = this.#text.slice(open, token.end - tag);
    if (!dollar && /['\\]/.test(raw)) this.#spend(raw.length / BYTES_A_TOKEN);
    const value = dollar ? raw : tokenValue(this.#text, token, this.#escapes);
    const found = this.#within(open, value, value === raw);
    if (found && value !== raw) this.#hide(token.start, token.end, `'${REDACTED}'`);
    if (!ENDS_AS_NAME.test(value)) return;
    if (this.#setting === undefined) this.#pending = true;
    else this.#hiding ??= { depth: this.#setting, overCommas: true };
  }

  /** Looks for secrets in the contents of a string or comment; its spans count only if the contents stand there verbatim. */
  #within(at: number, contents: string, verbatim: boolean): boolean {
    if (!WITHIN_STRINGS.test(contents)) return false;
    if (this.#nesting >= MAX_NESTING) {
      if (verbatim) this.#hide(at, at + contents.length, REDACTED);
      return true;
    }
    const inner = new Scope(contents, this.#offset + at, this.#escapes, this.#nesting + 1, this.#budget);
    const ends = inner.scan();
    inner.#connectionStrings();
    if (!ends && ROLE_STATEMENT.test(contents))
      for (const rest of contents.matchAll(REST_OF_LINE)) {
        const name = rest[1]?.length ?? 0;
        inner.#hide(rest.index + name, rest.index + rest[0].length, REDACTED);
      }
    if (inner.open) this.#hiding = { depth: 0, overCommas: true };
    if (verbatim) for (const span of inner.spans) this.spans.push(span);
    return inner.spans.length > 0;
  }

  /** `password=…` and `scheme://user:secret@host` (§34.1.1). */
  #connectionStrings(): void {
    for (const key of this.#text.matchAll(CONNECTION_KEY)) {
      const start = key.index + key[0].length;
      const end = connectionValueEnd(this.#text, start);
      if (end > start) this.#hide(start, end, REDACTED);
    }
    for (const uri of this.#text.matchAll(URI)) {
      const colon = uri.index + uri[0].indexOf(":", 3);
      this.#hide(colon + 1, uri.index + uri[0].length - 1, REDACTED);
    }
  }

  #name(token: SqlToken): void {
    const name = token.end - token.start > MAX_NAME_BYTES ? { ...token, end: token.start + MAX_NAME_BYTES } : token;
    const value = tokenValue(this.#text, name, this.#escapes).toLowerCase();
    const before = this.#before;
    this.#before = value;
    this.#hidden = false;
    if (this.#first === "") this.#first = value;
    this.#sets ||= value === "set" && (this.#first === "set" || this.#first === "alter");
    if (this.#role === "name") {
      this.#role = value === "mapping" ? "no" : "options";
    } else if (/^(?:role|user|group)$/.test(value) && (before === "create" || before === "alter")) {
      this.#role = "name";
    } else if (this.#casting) {
      this.#casting = false;
    } else {
      if (this.#pending) this.#afterSecretName(token, value);
      const hiding = this.#hiding;
      if (hiding && !hiding.overCommas && this.#depth <= hiding.depth && CLAUSE.test(value)) this.#hiding = undefined;
      this.#pending = ENDS_AS_NAME.test(value);
    }
  }

  #afterSecretName(token: SqlToken, value: string): void {
    if (value === "to" && this.#sets) this.#hiddenFrom ??= token.end;
    else if (this.#role === "options" && value !== "null") this.#hiddenFrom ??= token.start;
    else if (COMPARES.test(value)) this.#hiding ??= { depth: this.#depth, overCommas: false };
  }

  #symbol(token: SqlToken, symbol: string): void {
    const pending = this.#pending;
    this.#pending = pending && symbol === ")";
    this.#hidden = false;
    if (symbol === ";") this.#endStatement(token.start);
    else if (symbol === "(") {
      this.#depth++;
      if (this.#before === "set_config") this.#setting ??= this.#depth;
    } else if (symbol === ")") {
      this.#depth--;
      if (this.#setting !== undefined && this.#depth < this.#setting) this.#setting = undefined;
      if (this.#hiding !== undefined && this.#depth < this.#hiding.depth) this.#hiding = undefined;
    } else if (symbol === ",") {
      if (this.#hiding && !this.#hiding.overCommas && this.#depth <= this.#hiding.depth) this.#hiding = undefined;
    } else if (pending) this.#operator(token, symbol);
  }

  #operator(token: SqlToken, symbol: string): void {
    if (symbol === ":" && (this.#casting || this.#text[token.end] === ":")) {
      this.#casting = this.#pending = true;
    } else if ("=:<>!~".includes(symbol)) {
      if (this.#sets || this.#role === "options") this.#hiddenFrom ??= token.end;
      else this.#hiding ??= { depth: this.#depth, overCommas: false };
    } else if (this.#role === "options") {
      if (symbol === "%") this.open = true;
      else if (!symbol.startsWith("$") && symbol !== ".") this.#hiddenFrom ??= token.start;
    }
  }
}

function tooLong(): SallyportError {
  return new SallyportError(
    "limit-exceeded",
    "a statement that names a password or a secret is too long to be redacted",
    {
      hint: "Set passwords in statements of their own; load data with COPY, or bind values as parameters.",
    },
  );
}

/** Behind a value of a connection string, quoted or not, from its first character (§34.1.1.1). */
function connectionValueEnd(text: string, start: number): number {
  const quoted = text[start] === "'";
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (quoted ? text[at] === "'" : isSpace(text, at)) return quoted ? at + 1 : at;
  }
  return text.length;
}
