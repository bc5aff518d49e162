import type { BoundParameter, ColumnDescription, SessionEvent, StatementEvent } from "../../core/recording/events.ts";
import type { ChunkBody } from "./chunk-body.ts";

/** What stands in a statement's JSON before its values. */
const KEY = {
  number: Buffer.from('{"type":"statement","number":'),
  via: {
    simple: Buffer.from(',"via":"simple","text":'),
    extended: Buffer.from(',"via":"extended","text":'),
    "function-call": Buffer.from(',"via":"function-call","text":'),
  },
  bytes: Buffer.from(',"bytes":'),
  redacted: Buffer.from(',"redacted":'),
  prepared: Buffer.from(',"prepared":'),
  portal: Buffer.from(',"portal":'),
  parameters: Buffer.from(',"parameters":['),
  parameterType: Buffer.from('{"type":'),
  parameterValue: Buffer.from(',"value":'),
  parameterCount: Buffer.from(',"parameterCount":'),
  askedAt: Buffer.from(',"askedAt":'),
  duration: Buffer.from(',"duration":'),
  /** With the outcome itself. */
  rows: {
    completed: rowsKey("completed"),
    failed: rowsKey("failed"),
    suspended: rowsKey("suspended"),
    skipped: rowsKey("skipped"),
    unknown: rowsKey("unknown"),
    refused: rowsKey("refused"),
  } satisfies Record<StatementEvent["outcome"], Buffer>,
  tag: Buffer.from(',"tag":'),
  sqlstate: Buffer.from(',"sqlstate":'),
  message: Buffer.from(',"message":'),
  copied: Buffer.from(',"copied":{"direction":"'),
  copiedBytes: Buffer.from('","bytes":'),
  columns: Buffer.from(',"columns":'),
  output: Buffer.from(',"output":['),
} as const;
const COMMA = Buffer.from(",");
const END_ARRAY = Buffer.from("]");
const END_OBJECT = Buffer.from("}");

function rowsKey(outcome: StatementEvent["outcome"]): Buffer {
  return Buffer.from(`,"outcome":"${outcome}","rows":`);
}

/**
 * Writes an event as JSON: the same value as JSON.stringify gives. Statements come by the ten thousand a second, mostly the
 * same few texts and columns again and again, so those are rendered once and remembered.
 */
export function writeEvent(into: ChunkBody, event: SessionEvent): void {
  if (event.type === "statement") writeStatement(into, event);
  else into.utf8(JSON.stringify(event));
}

function writeStatement(into: ChunkBody, event: StatementEvent): void {
  numberAt(into, KEY.number, event.number);
  into.raw(KEY.via[event.via]);
  writeText(into, event.text);
  numberAt(into, KEY.bytes, event.bytes);
  if (event.redacted !== undefined) {
    into.raw(KEY.redacted);
    into.utf8(String(event.redacted));
  }
  stringAt(into, KEY.prepared, event.prepared);
  stringAt(into, KEY.portal, event.portal);
  if (event.parameters !== undefined) writeParameters(into, event.parameters);
  numberAt(into, KEY.parameterCount, event.parameterCount);
  numberAt(into, KEY.askedAt, event.askedAt);
  numberAt(into, KEY.duration, event.duration);
  numberAt(into, KEY.rows[event.outcome], event.rows);
  stringAt(into, KEY.tag, event.tag);
  stringAt(into, KEY.sqlstate, event.sqlstate);
  stringAt(into, KEY.message, event.message);
  if (event.copied !== undefined) {
    into.raw(KEY.copied);
    into.utf8(event.copied.direction);
    numberAt(into, KEY.copiedBytes, event.copied.bytes);
    into.raw(END_OBJECT);
  }
  if (event.columns !== undefined) {
    into.raw(KEY.columns);
    into.raw(columnsJson(event.columns));
  }
  if (event.output !== undefined) {
    numberAt(into, KEY.output, event.output[0]);
    numberAt(into, COMMA, event.output[1]);
    into.raw(END_ARRAY);
  }
  into.raw(END_OBJECT);
}

function numberAt(into: ChunkBody, key: Buffer, value: number | undefined): void {
  if (value === undefined) return;
  into.raw(key);
  into.number(value);
}

function stringAt(into: ChunkBody, key: Buffer, value: string | undefined): void {
  if (value === undefined) return;
  into.raw(key);
  into.string(value);
}

function writeParameters(into: ChunkBody, parameters: readonly BoundParameter[]): void {
  into.raw(KEY.parameters);
  for (let index = 0; index < parameters.length; index++) {
    const { type, value, bytes } = parameters[index] as BoundParameter;
    if (index > 0) into.raw(COMMA);
    numberAt(into, KEY.parameterType, type);
    into.raw(KEY.parameterValue);
    if (value === null) into.utf8("null");
    else into.string(value);
    numberAt(into, KEY.bytes, bytes);
    into.raw(END_OBJECT);
  }
  into.raw(END_ARRAY);
}

let lastText = "";
/** Undefined until that text comes again. */
let lastTextJson: Buffer | undefined;

function writeText(into: ChunkBody, text: string): void {
  if (text === lastText) {
    into.raw((lastTextJson ??= Buffer.from(JSON.stringify(text))));
    return;
  }
  lastText = text;
  lastTextJson = undefined;
  into.string(text);
}

const columnsSeen = new WeakMap<readonly ColumnDescription[], Buffer>();

function columnsJson(columns: ColumnDescription[]): Buffer {
  const seen = columnsSeen.get(columns);
  if (seen !== undefined) return seen;
  const json = Buffer.from(JSON.stringify(columns));
  columnsSeen.set(columns, json);
  return json;
}
