import type { SessionEvent } from "../../core/recording/events.ts";
import type { Conversation } from "./conversation.ts";
import { backendFields } from "./error-fields.ts";
import { readingPlan, type MessageHandler, type ReadMessage } from "./message-reader.ts";
import type { RowShape } from "./prepared.ts";
import { rowShape } from "./row-shape.ts";
import { RepeatedText, stringEnd, wireText } from "../../core/wire-text.ts";

/** 1,664 columns with names of PostgreSQL's length. */
const MAX_ROW_DESCRIPTION = 256 << 10;
/** As many OIDs as parameters are kept. */
const MAX_PARAMETER_DESCRIPTION = 2 + 4 * 1_000;
/** An error's fields before its CONTEXT and the like, which may run to megabytes. */
const MAX_ERROR_BYTES = 32 << 10;
const MAX_ERROR_TEXT = 4 << 10;
/** Channel and payload; PostgreSQL's own bound on the payload is 8,000. */
const MAX_NOTIFICATION = 9 << 10;
const TAG_BYTES = 256;

export const SERVER_PLAN = readingPlan(
  {
    R: 0,
    K: 0,
    S: 0,
    v: 0,
    1: 0,
    2: 0,
    3: 0,
    t: MAX_PARAMETER_DESCRIPTION,
    T: MAX_ROW_DESCRIPTION,
    n: 0,
    C: TAG_BYTES,
    I: 0,
    s: 0,
    E: MAX_ERROR_BYTES,
    N: MAX_ERROR_BYTES,
    A: MAX_NOTIFICATION,
    G: 0,
    H: 0,
    W: 0,
    c: 0,
    V: 0,
    Z: 1,
  },
  "Dd",
);

const DATA_ROW = 0x44;
const IDLE = 0x49;

/** Tells a conversation what the server's messages answer (§55.7). */
export class ServerMessages implements MessageHandler {
  readonly #conversation: Conversation;
  readonly #tag = new RepeatedText();
  readonly #emit: (event: SessionEvent, micros: number) => void;

  constructor(conversation: Conversation, emit: (event: SessionEvent, micros: number) => void) {
    this.#conversation = conversation;
    this.#emit = emit;
  }

  message(message: ReadMessage): void {
    const conversation = this.#conversation;
    const { bytes, start, end, from } = message;
    switch (String.fromCharCode(message.tag)) {
      case "2":
        return conversation.bound();
      case "C":
        return conversation.ended("completed", this.#tag.read(bytes, start, stringEnd(bytes, start, end)), message);
      case "Z":
        return conversation.ready(bytes[start] === IDLE && end > start, message);
      case "T":
        return conversation.rowsDescribed(shapeOf, message);
      case "1":
        return conversation.parsed();
      case "3":
        return conversation.closed();
      case "n":
        return conversation.rowsDescribed(undefined, message);
      case "t":
        return conversation.parametersDescribed(parameterTypes(message));
      case "I":
      case "V":
        return conversation.ended("completed", undefined, message);
      case "s":
        return conversation.ended("suspended", undefined, message);
      case "G":
        return conversation.copying("in", from);
      case "H":
      case "W":
        return conversation.copying("out", from);
      case "E":
        return conversation.failed(reported(message), message);
      case "N":
        return this.#emit({ type: "notice", ...reported(message) }, message.micros);
      case "A":
        return this.#notification(message);
      default:
        return undefined; // answers nothing that was asked
    }
  }

  bulk(tag: number, count: number, bytes: number, from: number): void {
    if (tag === DATA_ROW) this.#conversation.rows(count, from);
    else this.#conversation.copiedOut(count, bytes, from);
  }

  oversize(): undefined {
    return undefined;
  }

  lost(offset: number, why: string, message: ReadMessage): void {
    this.#conversation.lose(
      `the bytes to the client cannot be followed from offset ${offset} on: ${why}`,
      message,
      true,
    );
  }

  #notification({ bytes, start, end, micros }: ReadMessage): void {
    if (end - start < 4) return;
    const channelEnd = stringEnd(bytes, start + 4, end);
    const payloadEnd = stringEnd(bytes, channelEnd + 1, end);
    const channel = wireText(bytes, start + 4, channelEnd);
    const payload = channelEnd < end ? wireText(bytes, channelEnd + 1, payloadEnd) : "";
    this.#emit({ type: "notification", processId: bytes.readUInt32BE(start), channel, payload }, micros);
  }
}

function shapeOf({ bytes, start, end }: ReadMessage, known: RowShape | undefined): RowShape {
  return rowShape(bytes, start, end, known);
}

function parameterTypes({ bytes, start, end }: ReadMessage): number[] {
  const types: number[] = [];
  for (let at = start + 2; at + 4 <= end; at += 4) types.push(bytes.readUInt32BE(at));
  return types;
}

/** Severity (the one that is not translated, where there is one), SQLSTATE and message of an error or notice (§55.8). */
function reported({ bytes, start, end }: ReadMessage): { severity: string; sqlstate: string; message: string } {
  const fields = new Map(
    backendFields(bytes.subarray(start, end)).map(({ code, value }) => [code, value.slice(0, MAX_ERROR_TEXT)]),
  );
  return {
    severity: fields.get("V") ?? fields.get("S") ?? "ERROR",
    sqlstate: fields.get("C") ?? "",
    message: fields.get("M") ?? "",
  };
}
