import type { Conversation } from "./conversation.ts";
import { FLAG_REDACTED, FLAG_WITHHELD } from "../../core/recording/frame.ts";
import { BindCompactor } from "./bind-compactor.ts";
import { readingPlan, type BodySink, type MessageHandler, type ReadMessage } from "./message-reader.ts";
import { boundNames } from "./parameters.ts";
import type { AskedText } from "./prepared.ts";
import { REDACTED } from "./secret-spans.ts";
import { cutWireText, RepeatedText, stringEnd, wireText } from "../../core/wire-text.ts";

/** Bytes of a statement's text that are kept: enough for what people write; generated bulk beyond it is in the raw frames. */
const MAX_TEXT_BYTES = 64 << 10;
/** Longer Binds are shortened as they go by. */
const MAX_WHOLE_BIND = 64 << 10;
/** Bytes read of a message that is little more than a name. */
const NAME_BYTES = 1 << 10;

export const CLIENT_PLAN = readingPlan(
  {
    Q: MAX_TEXT_BYTES + 1,
    P: NAME_BYTES + MAX_TEXT_BYTES + 1,
    B: MAX_WHOLE_BIND,
    C: NAME_BYTES,
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

/** Tells a conversation what the client's messages ask (§55.7). */
export class ClientMessages implements MessageHandler {
  readonly #conversation: Conversation;
  readonly #names = new RepeatedText();
  readonly #readName: typeof wireText = (bytes, start, end) => this.#names.read(bytes, start, end);

  constructor(conversation: Conversation) {
    this.#conversation = conversation;
  }

  message(message: ReadMessage): void {
    const { micros } = message;
    switch (String.fromCharCode(message.tag)) {
      case "B":
        return this.#bind(message);
      case "E":
        return this.#conversation.execute(nameAt(message, message.start), micros);
      case "S":
        return this.#conversation.sync(micros);
      case "Q":
        return this.#conversation.query(askedText(message, message.start, message.bodyBytes - 1), micros);
      case "P":
        return this.#parse(message);
      case "D":
        return this.#conversation.setUp(
          {
            kind: isStatement(message) ? "describe-statement" : "describe-portal",
            name: nameAt(message, message.start + 1),
            askedAt: micros,
          },
          micros,
        );
      case "C":
        return this.#conversation.setUp(
          { kind: isStatement(message) ? "close-statement" : "close-portal", name: nameAt(message, message.start + 1) },
          micros,
        );
      case "F":
        return this.#conversation.call(
          `function ${message.end - message.start === 4 ? message.bytes.readUInt32BE(message.start) : "?"}`,
          (message.flags & FLAG_WITHHELD) !== 0,
          micros,
        );
      case "c":
      case "f":
        return this.#conversation.copyEnd(micros);
      default:
        return undefined; // Flush and Terminate ask nothing
    }
  }

  bulk(_tag: number, _count: number, bytes: number): void {
    this.#conversation.copyData(bytes);
  }

  oversize(tag: number): BodySink | undefined {
    return tag === 0x42 ? new BindCompactor() : undefined;
  }

  lost(offset: number, why: string, message: ReadMessage): void {
    this.#conversation.lose(`the client's bytes cannot be followed from offset ${offset} on: ${why}`, message, false);
  }

  #bind(message: ReadMessage): void {
    const { bytes, start, end, bodyBytes, micros } = message;
    const { portal, statement } = boundNames(bytes, start, end, this.#readName);
    const compacted = bodyBytes > MAX_WHOLE_BIND;
    // The piece is its owner's again when this call ends; what was compacted is ours.
    const body = compacted ? bytes : Buffer.allocUnsafe(end - start);
    if (!compacted) bytes.copy(body, 0, start, end);
    const withheld = (message.flags & FLAG_WITHHELD) !== 0;
    const bound = { body, compacted };
    this.#conversation.setUp({ kind: "bind", portal, statement, bound, withheld, askedAt: micros }, micros);
  }

  #parse(message: ReadMessage): void {
    const { bytes, start, end, bodyBytes, micros } = message;
    const nameEnd = stringEnd(bytes, start, end);
    const name = nameAt(message, start);
    const asked = askedText(message, nameEnd + 1, bodyBytes - (nameEnd + 1 - start) - 3);
    const types: number[] = [];
    const typesAt = stringEnd(bytes, nameEnd + 1, end) + 3;
    for (let at = typesAt; at + 4 <= end; at += 4) types.push(bytes.readUInt32BE(at));
    this.#conversation.setUp(
      { kind: "parse", statement: { name, asked, types, described: undefined }, askedAt: micros },
      micros,
    );
  }
}

function isStatement(message: ReadMessage): boolean {
  return message.bytes[message.start] === STATEMENT && message.end > message.start;
}

function nameAt({ bytes, end }: ReadMessage, start: number): string {
  const nameEnd = stringEnd(bytes, start, end);
  return nameEnd <= start ? "" : wireText(bytes, start, nameEnd);
}

/** @param whole bytes of the text on the wire, where it is too long to be kept */
function askedText({ bytes, end, flags }: ReadMessage, start: number, whole: number): AskedText {
  const textEnd = stringEnd(bytes, start, end);
  const flagged = (flags & FLAG_REDACTED) !== 0;
  const withheld = (flags & FLAG_WITHHELD) !== 0;
  if (textEnd < end && textEnd - start <= MAX_TEXT_BYTES) {
    const text = wireText(bytes, start, textEnd);
    return { text, bytes: undefined, redacted: flagged && text.includes(REDACTED), withheld };
  }
  const text = cutWireText(bytes, start, Math.min(textEnd, start + MAX_TEXT_BYTES));
  return { text, bytes: textEnd < end ? textEnd - start : whole, redacted: flagged, withheld };
}
