import type { BoundParameter, ColumnDescription, SessionEvent, StatementEvent } from "../../core/recording/events.ts";

/** Text that stands in JSON as it is (RFC 8259 §7). */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/**
 * An event as JSON: the same value as JSON.stringify gives. Statements come by the ten thousand a second, mostly the same
 * few texts and columns again and again, so those are rendered once and remembered.
 */
export function eventJson(event: SessionEvent): string {
  return event.type === "statement" ? statementJson(event) : JSON.stringify(event);
}

function statementJson(event: StatementEvent): string {
  let json = `{"type":"statement","number":${event.number},"via":"${event.via}","text":${textJson(event.text)}`;
  if (event.bytes !== undefined) json += `,"bytes":${event.bytes}`;
  if (event.redacted !== undefined) json += `,"redacted":${event.redacted}`;
  if (event.prepared !== undefined) json += `,"prepared":${quoted(event.prepared)}`;
  if (event.portal !== undefined) json += `,"portal":${quoted(event.portal)}`;
  if (event.parameters !== undefined) json += `,"parameters":[${event.parameters.map(parameterJson).join()}]`;
  if (event.parameterCount !== undefined) json += `,"parameterCount":${event.parameterCount}`;
  json += `,"askedAt":${event.askedAt}`;
  if (event.duration !== undefined) json += `,"duration":${event.duration}`;
  json += `,"outcome":"${event.outcome}","rows":${event.rows}`;
  if (event.tag !== undefined) json += `,"tag":${quoted(event.tag)}`;
  if (event.sqlstate !== undefined) json += `,"sqlstate":${quoted(event.sqlstate)}`;
  if (event.message !== undefined) json += `,"message":${quoted(event.message)}`;
  if (event.copied !== undefined)
    json += `,"copied":{"direction":"${event.copied.direction}","bytes":${event.copied.bytes}}`;
  if (event.columns !== undefined) json += `,"columns":${columnsJson(event.columns)}`;
  if (event.output !== undefined) json += `,"output":[${event.output[0]},${event.output[1]}]`;
  return `${json}}`;
}

function quoted(text: string): string {
  return text.length < 64 && PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

function parameterJson({ type, value, bytes }: BoundParameter): string {
  const json = `{"type":${type},"value":${value === null ? "null" : quoted(value)}`;
  return bytes === undefined ? `${json}}` : `${json},"bytes":${bytes}}`;
}

let lastText = "";
let lastTextJson = '""';

function textJson(text: string): string {
  if (text !== lastText) {
    lastText = text;
    lastTextJson = JSON.stringify(text);
  }
  return lastTextJson;
}

const columnsSeen = new WeakMap<readonly ColumnDescription[], string>();

function columnsJson(columns: ColumnDescription[]): string {
  const seen = columnsSeen.get(columns);
  if (seen !== undefined) return seen;
  const json = JSON.stringify(columns);
  columnsSeen.set(columns, json);
  return json;
}
