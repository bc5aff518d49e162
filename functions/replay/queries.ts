import { z } from "zod";
import { isSessionId } from "../../core/recording/session-id.ts";

/** Items of one page of any listing. */
const MAX_PAGE = 1_000;
/** Rows are decoded from a bounded number of bytes, whatever their number. */
const MAX_ROWS = 1_000;
/** With more rows of each result nobody reads a transcript any more. */
const MAX_TRANSCRIPT_ROWS = 50;
/** Names of connections and ids of principals. */
const MAX_NAME = 512;

/** A date, or a date and a time, of ISO 8601; in UTC where it names no zone. */
const TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?)?$/;
const ZONE = /(Z|[+-]\d{2}:\d{2})$/;
const DATE_LENGTH = 10;

/** A form sends an empty text for a field that was not filled in. */
function field<T extends z.ZodType>(schema: T) {
  return z.preprocess((value) => (value === "" ? undefined : value), schema);
}

function whole(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,16}$/, "must be a whole number")
    .transform(Number)
    .pipe(z.number().min(min).max(max));
}

const page = (fallback: number) => field(whole(1, MAX_PAGE).default(fallback));
const from = field(whole(0, Number.MAX_SAFE_INTEGER).default(0));

const instant = z
  .string()
  .regex(TIME, "must be a time such as 2026-11-22 or 2026-11-22T10:15Z")
  .refine((text) => z.iso.date().safeParse(text.slice(0, DATE_LENGTH)).success, "is no day of the calendar")
  .transform((text) => Date.parse(text.length > DATE_LENGTH && !ZONE.test(text) ? `${text}Z` : text))
  .refine((at) => !Number.isNaN(at), "is no time");

/** `from` is inclusive, `to` exclusive. A parameter that we do not know is refused: a filter misspelt shows too much. */
export const sessionsQuery = z.strictObject({
  connection: field(z.string().max(MAX_NAME).optional()),
  person: field(z.string().max(MAX_NAME).optional()),
  from: field(instant.optional()),
  to: field(instant.optional()),
  live: field(z.enum(["true", "false"]).optional()),
  limit: page(50),
  after: field(z.string().refine(isSessionId, "must be the id of a session").optional()),
});
export type SessionsQuery = z.infer<typeof sessionsQuery>;

/** `after` is the `next` or the `cursor` of the page before. */
export const pageQuery = z.strictObject({ after: from, limit: page(100) });
export type PageQuery = z.infer<typeof pageQuery>;

export const rowsQuery = z.strictObject({ limit: field(whole(1, MAX_ROWS).default(100)) });
export const transcriptQuery = z.strictObject({ rows: field(whole(0, MAX_TRANSCRIPT_ROWS).default(0)) });

/** The number of a statement, in a path. */
export const statementNumber = whole(1, Number.MAX_SAFE_INTEGER);

/** The number of an SSH session's channel, in a path. */
export const channelNumber = whole(1, Number.MAX_SAFE_INTEGER);

/** The sequence of a chunk, in a path. */
export const chunkSequence = whole(0, Number.MAX_SAFE_INTEGER);
