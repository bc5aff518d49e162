import type { StatementEvent } from "../../core/recording/events.ts";
import type { SliceReader } from "../../core/recording/slices.ts";
import type { ResultTable } from "../../core/recording/table.ts";
import { cellText } from "./cells.ts";
import type { Recording } from "./recordings.ts";
import { type DecodedResults, decodeResults } from "./results.ts";

/** Of a statement's replies, what is decoded when its rows are asked for. */
const MAX_REPLY_BYTES = 2 << 20;
/** The same where the first rows of many statements are shown. */
const MAX_PREVIEW_BYTES = 64 << 10;

async function decode(
  output: SliceReader,
  statement: StatementEvent,
  maxRows: number,
  maxBytes: number,
): Promise<DecodedResults> {
  if (!statement.output) return { results: [], incomplete: undefined };
  const [from, to] = statement.output;
  return decodeResults(await output.slice(from, to, maxBytes), statement, maxRows);
}

/** The rows that a statement gave back, from what was recorded of its replies. */
export async function statementRows(
  recording: Recording,
  statement: StatementEvent,
  maxRows: number,
): Promise<DecodedResults> {
  const output = recording.output();
  try {
    return await decode(output, statement, maxRows, MAX_REPLY_BYTES);
  } finally {
    await output.close();
  }
}

/** The first rows of each result of a statement, for a table. */
export async function previewTables(
  output: SliceReader,
  statement: StatementEvent,
  maxRows: number,
): Promise<ResultTable[]> {
  const { results, incomplete } = await decode(output, statement, maxRows, MAX_PREVIEW_BYTES);
  return results.map(({ columns, rows }, n) => ({
    columns: columns.map(({ name }) => name),
    rows: rows.map((row) => row.map(cellText)),
    more: incomplete !== undefined && n === results.length - 1,
  }));
}
