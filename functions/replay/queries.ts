import { z } from "zod";
import { isSessionId } from "../../core/recording/session-id.ts";
import { whole, wholeOr } from "../shared/whole.ts";

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

const page = (fallback: number) => wholeOr(fallback, 1, MAX_PAGE);
const from = wholeOr(0, 0, Number.MAX_SAFE_INTEGER);

const instant = z
  .string()
  .regex(TIME, "must be a time such as 2026-11-22 or 2026-11-22T10:15Z")
  .refine((text) => z.iso.date().safeParse(text.slice(0, DATE_LENGTH)).success, "is no day of the calendar")
  .transform((text) => Date.parse(text.length > DATE_LENGTH && !ZONE.test(text) ? `${text}Z` : text))
  .refine((at) => !Number.isNaN(at), "is no time");

/** `from` is inclusive, `to` exclusive. A parameter that we do not know is refused: a filter misspelt shows too much. */
export const sessionsQuery = z.strictObject({
  connection: z.string().max(MAX_NAME).optional(),
  person: z.string().max(MAX_NAME).optional(),
  from: instant.optional(),
  to: instant.optional(),
  live: z.enum(["true", "false"]).optional(),
  limit: page(50),
  after: z.string().refine(isSessionId, "must be the id of a session").optional(),
});
export type SessionsQuery = z.infer<typeof sessionsQuery>;

/** `after` is the `next` or the `cursor` of the page before. */
export const pageQuery = z.strictObject({ after: from, limit: page(100) });
export type PageQuery = z.infer<typeof pageQuery>;

export const rowsQuery = z.strictObject({ limit: wholeOr(100, 1, MAX_ROWS) });
export const transcriptQuery = z.strictObject({ rows: wholeOr(0, 0, MAX_TRANSCRIPT_ROWS) });

/** The number of a statement, in a path. */
export const statementNumber = whole(1, Number.MAX_SAFE_INTEGER);

/** The number of an SSH session's channel, in a path. */
export const channelNumber = whole(1, Number.MAX_SAFE_INTEGER);

/** The sequence of a chunk, in a path. */
export const chunkSequence = whole(0, Number.MAX_SAFE_INTEGER);
