import type { StatementEvent } from "../../core/recording/events.ts";
import { typeName } from "../../core/recording/type-names.ts";
import { type BackendBytes, commandTag, errorText, fieldsOf, messagesIn } from "./backend-messages.ts";
import { type Cell, cellOf, dataRow } from "./cells.ts";

/** A query of many statements has many results; the bound keeps forged ones from filling the memory. */
const MAX_RESULTS = 1_000;

interface ResultColumn {
  readonly name: string;
  readonly type: number;
  readonly typeName: string;
  readonly format: "text" | "binary";
}

/** What one command gave back. */
export interface Result {
  readonly kind: "rows" | "copy-out";
  readonly columns: readonly ResultColumn[];
  readonly rows: readonly (readonly Cell[])[];
  readonly tag: string | undefined;
  readonly error: string | undefined;
}

export interface DecodedResults {
  readonly results: readonly Result[];
  /** Why there may be more than this; undefined when this is all. */
  readonly incomplete: string | undefined;
}

interface OpenResult {
  readonly kind: Result["kind"];
  columns: readonly ResultColumn[];
  readonly rows: (readonly Cell[])[];
  tag: string | undefined;
  error: string | undefined;
}

interface Decoding {
  readonly statement: StatementEvent;
  readonly maxRows: number;
  readonly results: OpenResult[];
  current: OpenResult | undefined;
  rows: number;
}

/** Takes in one message; answers why decoding must end here, or undefined. */
type Step = (decoding: Decoding, message: BackendBytes) => string | undefined;

const NOT_OURS = "what was recorded here is not what a PostgreSQL server sends";

/** The messages that make up results; all others say nothing of rows. */
const STEPS: Readonly<Record<string, Step>> = {
  T: rowDescription,
  D: row,
  H: copyOut,
  d: copied,
  C: commandComplete,
  E: errorResponse,
  I: ended,
  s: ended,
};

/**
 * The results that a client saw, from the recorded bytes of a statement's replies (PostgreSQL 18 §54.7).
 * @param bytes     the statement's slice of the output stream, or as much of its start as one wants to decode
 * @param statement whose columns stand in where the replies describe none (a portal that was described before)
 * @param maxRows   of all results together
 */
export function decodeResults(bytes: Buffer, statement: StatementEvent, maxRows: number): DecodedResults {
  const decoding: Decoding = { statement, maxRows, results: [], current: undefined, rows: 0 };
  const [from, to] = statement.output ?? [0, 0];
  for (const message of messagesIn(bytes)) {
    const incomplete = STEPS[message.tag]?.(decoding, message);
    if (incomplete !== undefined) return { results: decoding.results, incomplete };
    if (decoding.results.length === MAX_RESULTS)
      return { results: decoding.results, incomplete: `only the first ${MAX_RESULTS} results were decoded` };
  }
  const incomplete =
    bytes.length < to - from ? `only the first ${bytes.length} bytes of its replies were decoded` : undefined;
  return { results: decoding.results, incomplete };
}

function open(decoding: Decoding, kind: Result["kind"], columns: readonly ResultColumn[]): OpenResult {
  const result = { kind, columns, rows: [], tag: undefined, error: undefined };
  decoding.current = result;
  decoding.results.push(result);
  return result;
}

function column(name: string, type: number, binary: boolean): ResultColumn {
  return { name, type, typeName: typeName(type), format: binary ? "binary" : "text" };
}

function describedColumns({ columns = [] }: StatementEvent): ResultColumn[] {
  return columns.map(({ name, type, format }) => column(name, type, format === 1));
}

/** Describe answers with format 0 before Bind has asked for another: the event knows which was asked. */
function rowDescription(decoding: Decoding, { body }: BackendBytes): string | undefined {
  const fields = fieldsOf(body);
  if (!fields) return NOT_OURS;
  const known = decoding.statement.columns;
  const asked = known?.length === fields.length ? known : [];
  const columns = fields.map(({ name, type, binary }, n) => column(name, type, binary || asked[n]?.format === 1));
  open(decoding, "rows", columns);
  return undefined;
}

function row(decoding: Decoding, { body }: BackendBytes): string | undefined {
  if (decoding.rows === decoding.maxRows) return `only the first ${decoding.maxRows} rows were decoded`;
  const result = decoding.current ?? open(decoding, "rows", describedColumns(decoding.statement));
  const cells = dataRow(body, result.columns);
  if (!cells) return NOT_OURS;
  if (result.columns.length === 0) result.columns = cells.map((_, n) => column(`column ${n + 1}`, 0, false));
  result.rows.push(cells);
  decoding.rows++;
  return undefined;
}

function copyOut(decoding: Decoding, { body }: BackendBytes): undefined {
  open(decoding, "copy-out", [column("copied", 0, body[0] === 1)]);
}

function copied(decoding: Decoding, { body }: BackendBytes): string | undefined {
  const { current } = decoding;
  if (current?.kind !== "copy-out") return undefined;
  if (decoding.rows === decoding.maxRows) return `only the first ${decoding.maxRows} rows were decoded`;
  current.rows.push([cellOf(body, current.columns[0]?.format === "binary")]);
  decoding.rows++;
  return undefined;
}

function commandComplete(decoding: Decoding, { body }: BackendBytes): string | undefined {
  const tag = commandTag(body);
  if (tag === undefined) return NOT_OURS;
  if (decoding.current) decoding.current.tag = tag;
  return ended(decoding);
}

function errorResponse(decoding: Decoding, { body }: BackendBytes): string | undefined {
  const error = errorText(body);
  if (error === undefined) return NOT_OURS;
  if (decoding.current) decoding.current.error = error;
  return ended(decoding);
}

function ended(decoding: Decoding): undefined {
  decoding.current = undefined;
}
