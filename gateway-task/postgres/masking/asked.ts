import { BindCompactor, keptBytes } from "../bind-compactor.ts";
import { readingPlan, type BodySink, type MessageHandler, type ReadMessage } from "../message-reader.ts";
import { boundNames } from "../parameters.ts";
import { stringEnd, wireText } from "../../../core/wire-text.ts";

/** Longer texts are taken for unknown: the parser reads none of them. */
const MAX_TEXT = 1 << 20;
const NAME_BYTES = 1 << 10;
const MAX_WHOLE_BIND = 64 << 10;

/** A statement by its text and its place in it; undefined where the text is not known. */
export interface Stated {
  readonly text: string | undefined;
  readonly index: number;
  /** What is meant is the query that it gives a name to: PREPARE, DECLARE. */
  readonly named: boolean;
}

/** A message of the client that the server is still to answer, as far as its answers cannot be understood without it. */
export type Asked =
  | { readonly kind: "parse"; readonly name: string; readonly stated: Stated }
  | { readonly kind: "bind"; readonly portal: string; readonly statement: string; readonly formats: readonly number[] }
  | { readonly kind: "describe-statement" | "describe-portal"; readonly name: string }
  | { readonly kind: "execute"; readonly portal: string }
  | { readonly kind: "query"; stated: Stated }
  | { readonly kind: "call"; readonly oid: number }
  | { readonly kind: "close" | "sync" | "copy-end" };

export const ASKED_PLAN = readingPlan(
  {
    Q: MAX_TEXT + 1,
    P: NAME_BYTES + MAX_TEXT + 1,
    B: MAX_WHOLE_BIND,
    C: 1,
    D: NAME_BYTES,
    E: NAME_BYTES,
    F: 4,
    c: 0,
    f: 0,
    H: 0,
    S: 0,
    X: 0,
  },
  "d",
);

const STATEMENT = 0x53;

/** Reads what was sent to a server, message by message. */
export class AskedReader implements MessageHandler {
  readonly #take: (asked: Asked) => void;
  readonly #lose: () => void;

  /** @param lose called once, if the bytes are no messages */
  constructor(take: (asked: Asked) => void, lose: () => void) {
    this.#take = take;
    this.#lose = lose;
  }

  message(message: ReadMessage): void {
    const { bytes, start, end } = message;
    switch (String.fromCharCode(message.tag)) {
      case "Q":
        return this.#take({ kind: "query", stated: stated(message, start) });
      case "P":
        return this.#take({
          kind: "parse",
          name: nameAt(message, start),
          stated: stated(message, stringEnd(bytes, start, end) + 1),
        });
      case "B":
        return this.#take(bind(message));
      case "D":
        return this.#take({
          kind: bytes[start] === STATEMENT ? "describe-statement" : "describe-portal",
          name: nameAt(message, start + 1),
        });
      case "E":
        return this.#take({ kind: "execute", portal: nameAt(message, start) });
      case "F":
        return this.#take({ kind: "call", oid: end - start >= 4 ? bytes.readUInt32BE(start) : 0 });
      case "C":
        return this.#take({ kind: "close" });
      case "S":
        return this.#take({ kind: "sync" });
      case "c":
      case "f":
        return this.#take({ kind: "copy-end" });
      default:
        return undefined;
    }
  }

  bulk(): void {}

  oversize(tag: number): BodySink | undefined {
    return tag === 0x42 ? new BindCompactor() : undefined;
  }

  lost(): void {
    this.#lose();
  }
}

function nameAt({ bytes, end }: ReadMessage, start: number): string {
  return wireText(bytes, start, stringEnd(bytes, start, end));
}

/** What is cut is not known. */
function stated({ bytes, end }: ReadMessage, start: number): Stated {
  const textEnd = stringEnd(bytes, start, end);
  return { text: textEnd < end ? wireText(bytes, start, textEnd) : undefined, index: 0, named: false };
}

function bind({ bytes, start, end, bodyBytes }: ReadMessage): Asked {
  const { portal, statement } = boundNames(bytes, start, end);
  const formats = resultFormats(bytes, start, end, bodyBytes > MAX_WHOLE_BIND);
  return { kind: "bind", portal, statement, formats };
}

/** A Bind's result-column formats (PostgreSQL 18 §54.7): none for all text, one for all columns, or one a column. */
function resultFormats(bytes: Buffer, start: number, end: number, compacted: boolean): number[] {
  let at = stringEnd(bytes, stringEnd(bytes, start, end) + 1, end) + 1;
  if (at + 2 > end) return [];
  at += 2 + 2 * bytes.readUInt16BE(at);
  if (at + 2 > end) return [];
  const parameters = bytes.readUInt16BE(at);
  at += 2;
  let taken = 0;
  for (let n = 0; n < parameters && at + 4 <= end; n++) {
    const length = bytes.readInt32BE(at);
    const kept = compacted ? keptBytes(n, length, taken) : Math.max(length, 0);
    taken += kept;
    at += 4 + kept;
  }
  if (at + 2 > end) return [];
  const formats: number[] = [];
  for (let n = bytes.readUInt16BE(at), next = at + 2; n > 0 && next + 2 <= end; n--, next += 2)
    formats.push(bytes.readUInt16BE(next));
  return formats;
}
