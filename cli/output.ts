import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { SallyportError } from "../core/errors.ts";
import { visible, visibleLines } from "../core/recording/visible.ts";

interface Streams {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

/** What a command prints: results on standard output, what it says to people on standard error. */
export interface Output {
  readonly json: boolean;
  /** A line of the result. */
  line(text: string): void;
  /** A value of the result, with --json: one line of JSON. */
  value(value: unknown): void;
  /** For people; not with --json. */
  note(text: string): void;
  /** An aligned table; `empty` where there are no rows. */
  table(head: readonly string[], rows: readonly (readonly string[])[], empty: string): void;
  /** A text as it comes, as fast as it is taken. */
  copy(from: AsyncIterable<string | Uint8Array>): Promise<void>;
}

const GAP = "  ";

export function outputTo({ stdout, stderr }: Streams, json: boolean): Output {
  const line = (text: string): void => void stdout.write(`${visibleLines(text).join("\n")}\n`);
  return {
    json,
    line,
    value: (value) => void stdout.write(`${JSON.stringify(value)}\n`),
    note: (text) => {
      if (!json) stderr.write(`${visibleLines(text).join("\n")}\n`);
    },
    table: (head, rows, empty) => {
      if (rows.length === 0) line(empty);
      else for (const text of columns([head, ...rows])) line(text);
    },
    copy: (from) => pipeline(Readable.from(from), stdout, { end: false }),
  };
}

/** The lines of a table whose columns are as wide as they must be. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const shown = rows.map((row) => row.map(visible));
  const widths = (shown[0] ?? []).map((_, n) => Math.max(...shown.map((row) => (row[n] ?? "").length)));
  return shown.map((row) =>
    row
      .map((text, n) => text.padEnd(widths[n] ?? 0))
      .join(GAP)
      .trimEnd(),
  );
}

/** What went wrong and what to do about it. */
export function printError(stderr: NodeJS.WritableStream, error: SallyportError, json: boolean): void {
  const { code, message, hint } = error;
  if (json) return void stderr.write(`${JSON.stringify({ error: { code, message, hint: hint ?? null } })}\n`);
  const lines = [`sallyport: ${message}`, ...(hint === undefined ? [] : [hint])];
  stderr.write(`${lines.flatMap(visibleLines).join("\n")}\n`);
}

/** Such as `2026-11-22 10:15 UTC`. */
export function moment(iso: string): string {
  return `${iso.slice(0, 16).replace("T", " ")} UTC`;
}
