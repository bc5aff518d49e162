import { z } from "zod";

const MAX_PAGE = 200;
const MAX_WORDS = 500;
/** Longer than any link of ours (core/approval/mail-token.ts). */
const MAX_TOKEN = 2_000;

/** A form sends an empty text for a field that was not filled in. */
function field<T extends z.ZodType>(schema: T) {
  return z.preprocess((value) => (value === "" ? undefined : value), schema);
}

const limit = z
  .string()
  .regex(/^\d{1,4}$/, "must be a whole number")
  .transform(Number)
  .pipe(z.number().min(1).max(MAX_PAGE));

/** `waiting=me`: what I may decide on now; `waiting=any`: all that I may see and that waits. */
export const listQuery = z.strictObject({
  waiting: field(z.enum(["me", "any"]).optional()),
  limit: field(limit.default(50)),
  after: field(z.string().max(64).optional()),
});
export type ListQuery = z.infer<typeof listQuery>;

/** What somebody says with a decision: one line; letters, digits, punctuation and blanks. */
const words = z
  .string()
  .max(MAX_WORDS)
  .transform((text) => text.replace(/\s+/g, " ").trim())
  .pipe(z.string().regex(/^[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]*$/u, "must be printable text"))
  .default("");

const token = z.string().max(MAX_TOKEN);

/** `token`: of the mail's link, where one came by it. */
export const decisionBody = z.strictObject({
  decision: z.enum(["approve", "deny"]),
  words,
  token: field(token.optional()),
});
export type DecisionBody = z.infer<typeof decisionBody>;

export const mailQuery = z.object({ token });
