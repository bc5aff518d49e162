import { z } from "zod";
import { keptText } from "../shared/request.ts";
import { wholeOr } from "../shared/whole.ts";

const MAX_PAGE = 200;
const MAX_WORDS = 500;
/** Longer than any link of ours (core/approval/mail-token.ts). */
const MAX_TOKEN = 2_000;

/** `waiting=me`: what I may decide on now; `waiting=any`: all that I may see and that waits. */
export const listQuery = z.strictObject({
  waiting: z.enum(["me", "any"]).optional(),
  limit: wholeOr(50, 1, MAX_PAGE),
  after: z.string().max(64).optional(),
});
export type ListQuery = z.infer<typeof listQuery>;

/** What somebody says with a decision: one line; letters, digits, punctuation and blanks. */
const words = keptText(MAX_WORDS)
  .transform((text) => text.replace(/\s+/g, " ").trim())
  .pipe(z.string().regex(/^[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]*$/u, "must be printable text"))
  .default("");

const token = z.string().max(MAX_TOKEN);

/** `token`: of the mail's link, where one came by it. */
export const decisionBody = z.strictObject({
  decision: z.enum(["approve", "deny"]),
  words,
  /** A form without one sends an empty text. */
  token: token.transform((text) => text || undefined).optional(),
});
export type DecisionBody = z.infer<typeof decisionBody>;

export const mailQuery = z.object({ token });
