import type { ColumnDescription, StatementEvent } from "../../core/recording/events.ts";
import { MAX_FRAME_PAYLOAD } from "../../core/recording/frame.ts";
import { boundValues } from "./parameters.ts";
import type { AskedText, Portal, RowShape } from "./prepared.ts";

/** One statement that was asked, and what has become of it so far. */
export interface StatementRun {
  readonly number: number;
  readonly via: StatementEvent["via"];
  readonly asked: AskedText;
  /** Microseconds since the session's start. */
  readonly askedAt: number;
  /** What was executed, once that is known; for the extended protocol only. */
  portal: Portal | undefined;
  rows: number;
  /** Where its replies begin in the output; -1 before the first. */
  from: number;
  shape: RowShape | undefined;
  copying: "in" | "out" | undefined;
  /** Bytes in CopyData messages of the direction of `copying`; of the client's ones even before the server agrees to them. */
  copiedBytes: number;
}

/** How a run ended: when, where in the output, and what the server said. */
export interface RunEnd {
  readonly outcome: StatementEvent["outcome"];
  /** Undefined where no reply ended it. */
  readonly micros?: number;
  readonly to?: number | undefined;
  readonly tag?: string | undefined;
  readonly error?: { readonly sqlstate: string; readonly message: string };
}

export function newRun(number: number, via: StatementRun["via"], asked: AskedText, askedAt: number): StatementRun {
  return {
    number,
    via,
    asked,
    askedAt,
    portal: undefined,
    rows: 0,
    from: -1,
    shape: undefined,
    copying: undefined,
    copiedBytes: 0,
  };
}

/**
 * A text and a row of columns are told again and again, in events that a few bytes on the wire call for: over this many
 * bytes of JSON, and so many columns of results without rows, only the first of a statement's events has them whole.
 */
const MAX_REPEATED_TEXT = 4 << 10;
const REPEATED_TEXT = 1 << 10;
const MAX_REPEATED_COLUMNS = 16;

const TEXT_FORMAT: readonly number[] = [];

/** The text as the next event tells it. */
function tell(asked: AskedText): AskedText {
  if (asked.again !== undefined) return asked.again;
  const { text } = asked;
  const long = 6 * text.length > MAX_REPEATED_TEXT && JSON.stringify(text).length > MAX_REPEATED_TEXT;
  const bytes = asked.bytes ?? (long ? Buffer.byteLength(text) : undefined);
  asked.again = long ? { ...asked, text: text.slice(0, REPEATED_TEXT), bytes } : asked;
  return asked;
}

/**
 * The event of a run that has ended; at most as large as a frame holds. It is made in one piece, with every field, since an
 * object that grows field by field takes several times as long.
 */
export function statementEvent(run: StatementRun, end: RunEnd): StatementEvent {
  const { portal, askedAt } = run;
  const asked = tell(portal?.statement.asked ?? run.asked);
  const withheld = asked.withheld === true || portal?.withheld === true;
  const rows = run.copying === undefined ? run.rows : copiedRows(run, end.tag);
  const bound = portal?.bound && boundValues(portal.bound, portal.statement.types);
  const values = bound !== undefined && bound.count > 0 ? bound : undefined;
  const event: StatementEvent = {
    type: "statement",
    number: run.number,
    via: run.via,
    text: asked.text,
    bytes: asked.bytes,
    redacted: asked.redacted ? true : undefined,
    prepared: portal?.statement.name || undefined,
    portal: portal?.name || undefined,
    parameters: values?.parameters,
    parameterCount: values !== undefined && values.count > values.parameters.length ? values.count : undefined,
    askedAt,
    duration: end.micros === undefined ? undefined : end.micros - askedAt,
    outcome: withheld && end.outcome === "failed" ? "refused" : end.outcome,
    rows,
    tag: end.tag,
    sqlstate: end.error?.sqlstate,
    message: end.error?.message,
    copied: run.copying && { direction: run.copying, bytes: run.copiedBytes },
    columns: portal === undefined ? run.shape?.columns : columnsOf(portal, rows, bound?.resultFormats ?? TEXT_FORMAT),
    output: run.from >= 0 && end.to !== undefined ? [run.from, end.to] : undefined,
  };
  return roughSize(event) > MAX_UNMEASURED ? fitted(event) : event;
}

/** The columns of a portal, in the formats that its Bind asked for; undefined where they have been told often enough. */
function columnsOf({ statement }: Portal, rows: number, formats: readonly number[]): ColumnDescription[] | undefined {
  const columns = statement.described?.columns;
  if (columns === undefined) return undefined;
  if (statement.told === true && rows === 0 && columns.length > MAX_REPEATED_COLUMNS) return undefined;
  statement.told = true;
  return inFormats(columns, formats);
}

/** Describe of a statement tells its columns in text format; which format they came in only the Bind tells (§55.7). */
function inFormats(columns: ColumnDescription[], formats: readonly number[]): ColumnDescription[] {
  const formatOf = (index: number): 0 | 1 => ((formats.length === 1 ? formats[0] : formats[index]) === 1 ? 1 : 0);
  if (columns.every((column, index) => column.format === formatOf(index))) return columns;
  return columns.map((column, index) => ({ ...column, format: formatOf(index) }));
}

/** `COPY n`: a CopyData need not hold a row. Rows of a COPY that did not end well count only where they reached the client. */
function copiedRows(run: StatementRun, tag: string | undefined): number {
  const rows = tag?.startsWith("COPY ") ? Number(tag.slice(5)) : Number.NaN;
  return Number.isSafeInteger(rows) ? rows : run.rows;
}

/** JSON writes a control character in six bytes; an event this size fits into a frame whatever it holds. */
const MAX_UNMEASURED = (MAX_FRAME_PAYLOAD >> 3) - (16 << 10);
const COLUMN_SIZE = 256;
const PARAMETER_SIZE = 16;

function roughSize(event: StatementEvent): number {
  let size = event.text.length + COLUMN_SIZE * (event.columns?.length ?? 0);
  for (const { value } of event.parameters ?? []) size += PARAMETER_SIZE + (value?.length ?? 0);
  return size;
}

/** The event with its largest parts left out, one after the other, until it fits into a frame; its statement is cut last. */
function fitted(event: StatementEvent): StatementEvent {
  const fits = (): boolean => Buffer.byteLength(JSON.stringify(event)) <= MAX_FRAME_PAYLOAD;
  if (fits()) return event;
  event.columns = undefined;
  if (fits()) return event;
  if (event.parameters !== undefined) {
    event.parameterCount ??= event.parameters.length;
    event.parameters = [];
  }
  if (fits()) return event;
  event.bytes ??= Buffer.byteLength(event.text);
  event.text = event.text.slice(0, MAX_UNMEASURED / 2);
  return event;
}
