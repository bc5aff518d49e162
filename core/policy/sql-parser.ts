import { Buffer, isUtf8 } from "node:buffer";
import type { Node } from "@pgsql/types";
import createInstance, { type PgQueryInstance } from "libpg-query/wasm/libpg-query.js";

/** A tree takes up to 60 times its text, in the parser's memory and again as objects; 1 MiB takes a quarter of a second. */
export const MAX_SQL_BYTES = 1024 * 1024;
/**
 * Nothing so short nests deep enough to overflow the parser's stack (8 KiB does not, in a fresh process): up to here a parse is
 * safe and quick on a thread that others wait for; what is longer belongs on a worker of its own.
 */
export const SHORT_SQL_BYTES = 4096;
/** An instance starts with 256 MiB of address space, of which it touches a few; one that had to grow is not kept. */
const MAX_INSTANCE_BYTES = 256 * 1024 * 1024;

let current: PgQueryInstance | undefined;
/** What overflowed its stack is thrown away at once, and loading takes 13 ms: hence a second one that waits. */
let spare: PgQueryInstance | undefined;
let loading: Promise<void> | undefined;

/**
 * Must have resolved once, in each thread, before anything is parsed; until then everything counts as unparsable. So it does
 * for some 20 ms where two texts overflow the stack within that time: hence the thread of their own (SHORT_SQL_BYTES).
 */
export async function loadSqlParser(): Promise<void> {
  if (current === undefined) await load();
  if (spare === undefined) await load();
  // Another's load may have been under way, for the first of the two.
  if (spare === undefined) await load();
}

async function load(): Promise<void> {
  loading ??= loadOne().finally(() => {
    loading = undefined;
  });
  await loading;
}

async function loadOne(): Promise<void> {
  const instance = await createInstance();
  if (current === undefined) current = instance;
  else spare ??= instance;
}

function replace(): void {
  current = spare;
  spare = undefined;
  // Where it cannot be loaded, nothing parses from here on, and what does not parse is denied.
  load().catch(() => undefined);
}

/**
 * The statements of a simple query, as PostgreSQL 18 reads them; undefined where they cannot be told: too large, a NUL byte (the
 * parser would stop there, the server would not), nested too deep, a syntax error.
 * @param text bytes that are no UTF-8 are read a character a byte: where names and strings end is the same
 */
export function parseSql(text: string | Buffer): readonly Node[] | undefined {
  const given = typeof text === "string" ? Buffer.from(text) : text;
  if (current === undefined || given.length > MAX_SQL_BYTES || given.includes(0)) return undefined;
  const bytes = isUtf8(given) ? given : Buffer.from(given.toString("latin1"));
  try {
    const json = parseToJson(current, bytes) ?? parseWithoutComments(current, bytes);
    if (current.HEAPU8.length > MAX_INSTANCE_BYTES) replace();
    return json === undefined ? undefined : statementsOf(JSON.parse(json));
  } catch {
    // A stack that overflowed within WebAssembly is not unwound there: the instance is spoilt.
    replace();
    return undefined;
  }
}

/**
 * The tree of a block of PL/pgSQL; undefined where it cannot be told.
 * @param body as it stands between the quotes of DO
 */
export function parsePlpgsql(body: string): unknown {
  if (current === undefined || body.length > MAX_SQL_BYTES || body.includes("\0")) return undefined;
  try {
    const instance = current;
    const quoted = Buffer.from(`do '${body.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`.replace("'", "e'"));
    const json = withText(instance, quoted, (text) => {
      const result = instance._wasm_parse_plpgsql(text);
      const tree = textAt(instance, result);
      instance._wasm_free_string(result);
      return tree;
    });
    return json.startsWith("{") ? JSON.parse(json) : undefined;
  } catch {
    replace();
    return undefined;
  }
}

/**
 * This parser, unlike the server's, stumbles over a comment where one word's meaning hangs on the next (`not /* … *\/ in`), and
 * between the lines of one string. Its own lexer tells where the comments are.
 */
function parseWithoutComments(instance: PgQueryInstance, bytes: Buffer): string | undefined {
  if (!bytes.includes("--") && !bytes.includes("/*")) return undefined;
  const scanned = withText(instance, bytes, (text) => {
    const result = instance._wasm_scan(text);
    const tokens = textAt(instance, result);
    instance._wasm_free_string(result);
    return tokens;
  });
  // Anything else is the message of an error.
  if (!scanned.startsWith("{")) return undefined;
  const blanked = Buffer.from(bytes);
  for (const { tokenName, start, end } of tokensOf(scanned))
    if (tokenName === "SQL_COMMENT" || tokenName === "C_COMMENT") blanked.fill(" ", start, end);
  return blanked.equals(bytes) ? undefined : parseToJson(instance, blanked);
}

interface ScannedToken {
  readonly tokenName: string;
  readonly start: number;
  readonly end: number;
}

function tokensOf(json: string): readonly ScannedToken[] {
  try {
    return (JSON.parse(json) as { readonly tokens: readonly ScannedToken[] }).tokens;
  } catch {
    // It does not escape every character in a token's text.
    return [];
  }
}

/** PgQueryParseResult is three pointers: the tree as JSON, what went to stderr, the error. */
function parseToJson(instance: PgQueryInstance, bytes: Buffer): string | undefined {
  return withText(instance, bytes, (text) => {
    const result = instance._wasm_parse_query_raw(text);
    if (result === 0) throw new Error("out of memory");
    const words = instance.HEAPU32;
    const tree = words[result / 4] ?? 0;
    const error = words[result / 4 + 2] ?? 0;
    const json = tree === 0 || error !== 0 ? undefined : textAt(instance, tree);
    instance._wasm_free_parse_result(result);
    return json;
  });
}

/** Not freed where `use` throws: the instance is thrown away then. */
function withText<R>(instance: PgQueryInstance, bytes: Buffer, use: (pointer: number) => R): R {
  const pointer = instance._malloc(bytes.length + 1);
  if (pointer === 0) throw new Error("out of memory");
  instance.HEAPU8.set(bytes, pointer);
  instance.HEAPU8[pointer + bytes.length] = 0;
  const result = use(pointer);
  instance._free(pointer);
  return result;
}

function textAt({ HEAPU8: memory }: PgQueryInstance, pointer: number): string {
  return Buffer.from(memory.buffer, pointer, memory.indexOf(0, pointer) - pointer).toString("utf8");
}

function statementsOf(tree: { readonly stmts?: readonly { readonly stmt?: Node }[] }): readonly Node[] | undefined {
  const statements: Node[] = [];
  for (const { stmt } of tree.stmts ?? []) {
    if (stmt === undefined) return undefined;
    statements.push(stmt);
  }
  return statements;
}
