import { parseSql } from "../policy/sql-parser.ts";
import { nextToken, tokenValue, type SqlToken } from "../sql/sql-tokens.ts";
import type { Relations } from "./column-names.ts";
import { literalRules, type LiteralRules } from "./literal-rules.ts";
import type { CountMask, MaskRule, MaskStyle, Masking } from "./masking.ts";
import { MASK } from "./text-styles.ts";

/** Of a longer text the rest is hidden: nobody waits for it to be read. */
const MAX_READ = 4 * 1024 * 1024;
/** Bodies within bodies. */
const MAX_NESTING = 4;
const NUMBER = /0[xob][0-9a-f_]+|(?:[0-9][0-9_]*)?\.?[0-9][0-9_]*\.?(?:e[+-]?[0-9]+)?/iy;
const WORDS = /[A-Za-z_\x80-\xff][\w$\x80-\xff]*/g;
const TEXT = 25;

/** A statement as it may be stored, and what may be stored of its parameters. */
export interface MaskedStatement {
  /** The identical Buffer where nothing was masked. */
  readonly text: Buffer;
  /** What masks `$n`, counted from 1; undefined where it is of no masked column: the detectors look at it all the same. */
  parameter(n: number): MaskRule | undefined;
}

/**
 * The text of a Query or a Parse with the literals masked that are of masked columns, or that a detector knows. Where the
 * text cannot be parsed, all its literals are; where it touches a masked column, all of which it cannot be told whose they are.
 * `loadSqlParser()` must have resolved.
 * @param relations what is known of the target's tables; without it columns are told by their names alone
 * @param statements the text's parse tree, where the caller has it
 */
export function maskStatement(
  text: Buffer,
  masking: Masking,
  count: CountMask,
  relations?: Relations,
  statements?: readonly unknown[],
): MaskedStatement {
  if (!masking.hasColumnRules) return { text: masking.detectInText(text, count), parameter: () => undefined };
  const rules = rulesOf(text, masking, relations, statements);
  const masked = new StatementText(masking, rules, count).masked(text.toString("latin1", 0, MAX_READ));
  const tail = text.length > MAX_READ ? MASK : Buffer.alloc(0);
  const bytes =
    masked === undefined && tail.length === 0 ? text : Buffer.concat([masked ?? text.subarray(0, MAX_READ), tail]);
  return {
    text: masking.detectInText(bytes, count),
    parameter: (n) => {
      const verdict = rules.parameters.get(n);
      return verdict === undefined ? rules.rest : (verdict ?? undefined);
    },
  };
}

function rulesOf(
  text: Buffer,
  masking: Masking,
  relations: Relations | undefined,
  given: readonly unknown[] | undefined,
): LiteralRules {
  try {
    const statements = given ?? parseSql(text);
    if (statements !== undefined) return literalRules(statements, masking, relations);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // nested too deep
  }
  return { literals: new Map(), parameters: new Map(), rest: whole(masking.columnRuleByName()) };
}

function whole(rule: MaskRule | undefined): MaskRule | undefined {
  return rule && { ...rule, style: "full" };
}

/** One text, in latin1: a character a byte, so that the tree's locations are its offsets. */
class StatementText {
  readonly #masking: Masking;
  readonly #rules: LiteralRules;
  readonly #count: CountMask;
  #pieces: string[] = [];
  #at = 0;

  constructor(masking: Masking, rules: LiteralRules, count: CountMask) {
    this.#masking = masking;
    this.#rules = rules;
    this.#count = count;
  }

  /** Undefined where nothing is masked. */
  masked(text: string, nesting = 0): Buffer | undefined {
    const result = this.#rewritten(text, nesting);
    return result === text ? undefined : Buffer.from(result, "latin1");
  }

  #rewritten(text: string, nesting: number): string {
    const outer = { pieces: this.#pieces, at: this.#at };
    this.#pieces = [];
    this.#at = 0;
    let minus = -1;
    for (let token = nextToken(text, 0, false); token !== undefined;) {
      let end = token.end;
      if (token.kind === "literal" || token.kind === "dollar-literal") this.#literal(text, token, nesting);
      else if (isNumber(text, token)) end = this.#number(text, token.start, minus, nesting);
      minus = text[token.start] === "-" && token.kind === "symbol" ? token.start : -1;
      token = nextToken(text, end, false);
    }
    const result = this.#pieces.join("") + text.slice(this.#at);
    this.#pieces = outer.pieces;
    this.#at = outer.at;
    return result;
  }

  #put(text: string, start: number, end: number, replacement: string): void {
    this.#pieces.push(text.slice(this.#at, start), replacement);
    this.#at = end;
  }

  /** Undefined: nobody knows whose it is. Within a body nothing is known. */
  #verdict(start: number, end: number, nesting: number): MaskRule | null | undefined {
    if (nesting > 0) return this.#rules.rest;
    // The tree counts from the quote where a national string's N stands before it.
    const { literals, rest } = this.#rules;
    const verdict = literals.get(literals.has(start) ? start : Math.min(start + 1, end));
    return verdict === undefined ? rest : verdict;
  }

  #literal(text: string, token: SqlToken, nesting: number): void {
    const { start, end } = token;
    const verdict = token.terminated ? this.#verdict(start, end, nesting) : whole(this.#masking.columnRuleByName());
    const dollar = token.kind === "dollar-literal";
    if (verdict !== null && verdict !== undefined) {
      // A body that touches a masked column is still evidence: of it the literals are masked.
      const body = dollar && token.terminated ? this.#body(text, token, nesting) : undefined;
      this.#count(verdict);
      this.#put(text, start, end, body ?? `'${doubled(this.#styled(verdict, text, token))}'`);
      return;
    }
    if (verdict === undefined && this.#mentionsMasked(tokenText(text, token))) {
      const rule = whole(this.#masking.columnRuleByName());
      if (rule !== undefined) this.#count(rule);
      this.#put(text, start, end, (dollar ? this.#body(text, token, nesting) : undefined) ?? "'****'");
      return;
    }
    this.#escaped(text, token);
  }

  /** What a detector finds only where the escapes are undone. */
  #escaped(text: string, token: SqlToken): void {
    const written = text.slice(token.start, token.end);
    if (token.kind !== "literal" || !(written.includes("\\") || written.includes("''") || /\s'/.test(written))) return;
    const value = tokenText(text, token);
    const bytes = Buffer.from(value, /[^\0-\xff]/.test(value) ? "utf8" : "latin1");
    const found: MaskRule[] = [];
    if (this.#masking.detectInText(bytes, (rule) => found.push(rule)) === bytes) return;
    for (const rule of found) this.#count(rule);
    this.#put(text, token.start, token.end, "'****'");
  }

  #mentionsMasked(value: string): boolean {
    for (const [word] of value.matchAll(WORDS)) if (this.#masking.columnRuleByName(word) !== undefined) return true;
    return false;
  }

  /** Dollar-quoted SQL with all its literals masked; undefined where it has none: then it is no body. */
  #body(text: string, token: SqlToken, nesting: number): string | undefined {
    if (nesting >= MAX_NESTING) return undefined;
    const tag = text.slice(token.start, text.indexOf("$", token.start + 1) + 1);
    const contents = text.slice(token.start + tag.length, token.end - tag.length);
    if (!/\s/.test(contents) || !this.#mentionsMasked(contents)) return undefined;
    const rest = this.#rules.rest ?? whole(this.#masking.columnRuleByName());
    const inner = new StatementText(this.#masking, { ...this.#rules, rest }, this.#count);
    return tag + inner.#rewritten(contents, nesting + 1) + tag;
  }

  /** Behind the number. */
  #number(text: string, start: number, minus: number, nesting: number): number {
    NUMBER.lastIndex = start;
    const end = NUMBER.test(text) ? NUMBER.lastIndex : start + 1;
    const signed = minus >= 0 && this.#rules.literals.has(minus) && text.slice(minus + 1, start).trim() === "";
    const verdict = this.#verdict(signed ? minus : start, start, nesting);
    if (verdict !== null && verdict !== undefined) {
      this.#count(verdict);
      this.#put(text, signed ? minus : start, end, "'****'");
    }
    return end;
  }

  /** In latin1 again. A literal that is written in escapes is masked in full. */
  #styled(rule: MaskRule, text: string, token: SqlToken): string {
    const written = text.slice(token.start, token.end);
    const plain = /^'(?:[^'\\]|'')*'$/.test(written) && !/\n/.test(written);
    const style: MaskStyle = plain && rule.style !== "null" ? rule.style : "full";
    const value = Buffer.from(plain ? written.slice(1, -1).replaceAll("''", "'") : written, "latin1");
    return (this.#masking.maskValue({ ...rule, style }, value, TEXT, 0) ?? MASK).toString("latin1");
  }
}

function tokenText(text: string, token: SqlToken): string {
  return token.kind === "dollar-literal" ? text.slice(token.start, token.end) : tokenValue(text, token, false);
}

function isNumber(text: string, token: SqlToken): boolean {
  const digit = (at: number): boolean => /[0-9]/.test(text.charAt(at));
  if (token.kind === "word") return digit(token.start);
  return token.kind === "symbol" && text[token.start] === "." && digit(token.start + 1);
}

function doubled(text: string): string {
  return text.replaceAll("'", "''");
}
