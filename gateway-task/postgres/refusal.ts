import { randomBytes } from "node:crypto";
import { message as encode } from "./answers.ts";
import { backendFields } from "./error-fields.ts";
import { MESSAGE_HEADER_BYTES } from "./messages.ts";

/** What a client is told of what it may not do, in the fields of an ErrorResponse (§54.8). */
export interface Refusal {
  readonly sqlstate: string;
  readonly message: string;
  readonly detail?: string;
  readonly hint?: string;
}

/** A word that no grammar accepts as a statement, and that the server quotes when it says so. */
export const REFUSAL_MARK = "sallyport_refused_";
const NONCE_BYTES = 12;
/** Refusals whose error is still to come: a client this far ahead of its errors sees the server's own words. */
const MAX_OUTSTANDING = 10_000;
/** A field of ours is shortened, so that no client has to take more than it can show. */
const MAX_FIELD = 4_000;
const PARSE = 0x50;
const QUERY = 0x51;
const FUNCTION_CALL = 0x46;

/**
 * Statements that are refused within the protocol (ADR 0009): the target gets one in their place that surely fails there, so
 * that the server itself makes every state that follows, and the error that it answers becomes ours by the unguessable
 * word that it quotes.
 */
export class Refusals {
  readonly #outstanding = new Map<string, Refusal>();

  /** What is to be sent in place of a Query, Parse, Bind or FunctionCall message. */
  substitute(asked: Buffer, refusal: Refusal): Buffer {
    const nonce = randomBytes(NONCE_BYTES).toString("hex");
    this.#outstanding.set(nonce, refusal);
    for (const oldest of this.#outstanding.keys()) {
      if (this.#outstanding.size <= MAX_OUTSTANDING) break;
      this.#outstanding.delete(oldest);
    }
    const word = `${REFUSAL_MARK}${nonce}`;
    const [tag] = asked;
    // What ends with its own ReadyForQuery is replaced by what does so, too.
    if (tag === QUERY || tag === FUNCTION_CALL) return encode("Q", Buffer.from(`${word}\0`));
    // A Parse that fails drops the unnamed statement, so it bears its own name; a Bind that fails drops none.
    const name = tag === PARSE ? parsedName(asked) : Buffer.from(word);
    return encode("P", Buffer.concat([name, Buffer.from(`\0${word}\0\0\0`)]));
  }

  /** An ErrorResponse as the client is to see it: ours, where it answers a substitute; else undefined. */
  rewrite(error: Buffer): Buffer | undefined {
    if (this.#outstanding.size === 0) return undefined;
    const at = error.indexOf(REFUSAL_MARK);
    if (at < 0) return undefined;
    const nonce = error.toString("latin1", at + REFUSAL_MARK.length, at + REFUSAL_MARK.length + 2 * NONCE_BYTES);
    const refusal = this.#outstanding.get(nonce);
    if (refusal === undefined) return undefined;
    // Errors come in the order of what was asked: those before this one were skipped, and have none.
    for (const earlier of this.#outstanding.keys()) {
      this.#outstanding.delete(earlier);
      if (earlier === nonce) break;
    }
    const fields = backendFields(error.subarray(MESSAGE_HEADER_BYTES));
    return errorResponse(fields.find(({ code }) => code === "S")?.value ?? "ERROR", refusal);
  }
}

function parsedName(parse: Buffer): Buffer {
  const end = parse.indexOf(0, MESSAGE_HEADER_BYTES);
  return parse.subarray(MESSAGE_HEADER_BYTES, end < 0 ? MESSAGE_HEADER_BYTES : end);
}

function errorResponse(severity: string, { sqlstate, message, detail, hint }: Refusal): Buffer {
  const fields: [string, string | undefined][] = [
    ["S", severity],
    ["V", "ERROR"],
    ["C", sqlstate],
    ["M", `sallyport: ${message}`],
    ["D", detail],
    ["H", hint],
  ];
  return encode("E", fieldsOf(fields));
}

/** A NoticeResponse of the gateway's own. */
export function noticeResponse(message: string, detail: string, hint: string): Buffer {
  return encode(
    "N",
    fieldsOf([
      ["S", "NOTICE"],
      ["V", "NOTICE"],
      ["C", "00000"],
      ["M", `sallyport: ${message}`],
      ["D", detail],
      ["H", hint],
    ]),
  );
}

function fieldsOf(fields: readonly [string, string | undefined][]): Buffer {
  const present = fields.filter(([, text]) => text !== undefined && text !== "");
  const text = present.map(([code, value = ""]) => `${code}${value.replaceAll("\0", "").slice(0, MAX_FIELD)}\0`);
  return Buffer.from(`${text.join("")}\0`);
}
