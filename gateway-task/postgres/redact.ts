import { SallyportError } from "../../core/errors.ts";
import { backendFields } from "./error-fields.ts";
import { MESSAGE_HEADER_BYTES } from "./messages.ts";
import { REDACTED, secretSpans, TRIGGER, type SecretSpan } from "./secret-spans.ts";

/** The longest text that is read whole: V8 has no longer strings. In a longer one everything from its first trigger on is hidden. */
const MAX_READ = 0x1fff_0000;
/** Longer texts are probed in pieces of this size, which overlap by more than the longest trigger. */
const PROBE_PIECE = 1 << 20;
const PROBE_OVERLAP = 1 << 14;
const PARSE = 0x50;

/** What a server's message about a redacted statement is replaced by: it may quote the secret (`syntax error at or near …`). */
const WITHHELD = "[redacted: the server's message may quote a secret of the statement]";

/**
 * A Query or Parse message (§55.7) as it may be stored: the same buffer if it holds no secret, else a new, well-formed
 * message in which each secret is replaced by `[redacted]`. What is malformed is hidden rather than shown. Throws
 * `limit-exceeded` where it would take too long to tell (`secretSpans`); else never.
 *
 * Hidden: the string after PASSWORD in role statements (without a proper string, the rest of the statement); the values of
 * options, settings, set_config() and connection strings whose name ends in password, passwd, passphrase, passfile, pwd,
 * secret or secret key; URIs' passwords within strings; Sallyport passes anywhere; and, since it cannot be told from a
 * secret, every string that a column, variable or JSON key of such a name is set to or compared with (`password = 'x'`).
 * Not hidden: values that only their position names (`INSERT INTO users (password) VALUES ('x')`), bound parameters, and
 * names that are themselves written in escapes (`E'p\x61ssword=…'`).
 *
 * @param message tag, length word and body, complete
 */
export function redactMessage(message: Buffer): Buffer {
  const first = firstTrigger(message);
  if (first < 0) return message;
  const parse = message[0] === PARSE;
  const nameEnd = parse ? message.indexOf(0, MESSAGE_HEADER_BYTES) : MESSAGE_HEADER_BYTES - 1;
  const from = nameEnd < 0 ? MESSAGE_HEADER_BYTES : nameEnd + 1;
  const to = textEnd(message, from, parse);
  const spans = [...spansOf(message, MESSAGE_HEADER_BYTES, from), ...spansOf(message, from, to, first)];
  if (spans.length === 0) return message;
  // Cut at its end or in its parts: closed with what is missing, a text's NUL, a name's NUL, no parameter types.
  const tail = to < message.length ? message.subarray(to) : Buffer.alloc(parse ? (nameEnd < 0 ? 4 : 3) : 1);
  return rebuilt(withoutNuls(message, from, to), spans, to, tail);
}

/** A text ends at its first NUL; where a malformed message has more of them, they would cut what is stored. */
function withoutNuls(message: Buffer, from: number, to: number): Buffer {
  const copy = Buffer.from(message);
  for (let at = copy.indexOf(0, from); at >= 0 && at < to; at = copy.indexOf(0, at)) copy[at] = 0x20;
  return copy;
}

/** Where the statement's text ends: at its NUL; a malformed message is text to its end. */
function textEnd(message: Buffer, from: number, parse: boolean): number {
  if (!parse) return message.length > from && message.at(-1) === 0 ? message.length - 1 : message.length;
  const end = message.indexOf(0, from);
  return end >= 0 && typesFollow(message, end) ? end : message.length;
}

/** Behind the text's NUL a Parse has the number of parameter types, and their OIDs. */
function typesFollow(message: Buffer, nul: number): boolean {
  return message.length >= nul + 3 && message.length === nul + 3 + 4 * message.readUInt16BE(nul + 1);
}

function firstTrigger(message: Buffer): number {
  if (message.length <= PROBE_PIECE) return message.toString("latin1").search(TRIGGER);
  for (let at = 0; at < message.length; at += PROBE_PIECE - PROBE_OVERLAP) {
    const found = message.toString("latin1", at, at + PROBE_PIECE).search(TRIGGER);
    if (found >= 0) return at + found;
  }
  return -1;
}

function spansOf(message: Buffer, from: number, to: number, first = from): SecretSpan[] {
  if (from >= to) return [];
  const hidden = [{ start: Math.max(first, from), end: to, replacement: REDACTED }];
  if (to - from > MAX_READ) return hidden;
  try {
    return secretSpans(message.toString("latin1", from, to)).map(({ start, end, replacement }) => ({
      start: from + start,
      end: from + end,
      replacement,
    }));
  } catch (error) {
    if (error instanceof SallyportError) throw error;
    return hidden;
  }
}

function rebuilt(message: Buffer, spans: readonly SecretSpan[], to: number, tail: Buffer): Buffer {
  const pieces = [message.subarray(0, 5)];
  let at = MESSAGE_HEADER_BYTES;
  for (const { start, end, replacement } of spans) {
    pieces.push(message.subarray(at, start), Buffer.from(replacement, "latin1"));
    at = end;
  }
  pieces.push(message.subarray(at, to), tail);
  const result = Buffer.concat(pieces);
  result.writeUInt32BE(result.length - 1, 1);
  return result;
}

/**
 * An ErrorResponse or NoticeResponse that answers a redacted statement, as it may be stored: severity and SQLSTATE are
 * kept, every text is replaced, since the server quotes what it did not understand. Never throws.
 * @param message tag, length word and body, complete
 */
export function redactErrorReply(message: Buffer): Buffer {
  const pieces = [message.subarray(0, MESSAGE_HEADER_BYTES)];
  for (const { code, value } of backendFields(message.subarray(MESSAGE_HEADER_BYTES)))
    if (code === "S" || code === "V" || code === "C") pieces.push(Buffer.from(`${code}${value}\0`));
  pieces.push(Buffer.from(`M${WITHHELD}\0\0`));
  const result = Buffer.concat(pieces);
  result.writeUInt32BE(result.length - 1, 1);
  return result;
}
