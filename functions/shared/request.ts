import type { Context, MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { z } from "zod";
import { SallyportError } from "../../core/errors.ts";
import { redactPasses } from "../../core/identity/pass.ts";
import { problemResponse } from "./problem.ts";

/** The largest of our requests is a form of a few fields. */
const MAX_BODY_BYTES = 64 * 1024;
/** An error names the fields that are wrong; their number is the client's, so the message has an end. */
const MAX_DETAIL = 300;

/** What is kept, and shown to others: a pass that was pasted into the wrong field is not taken (invariant 7). */
export const keptText = (maxLength: number) =>
  z
    .string()
    .max(maxLength)
    .refine((text) => redactPasses(text) === text, "must not hold a pass");

/** Letters, digits, punctuation and blanks: no control characters, and no marks that turn the direction of text. */
export const label = keptText(100).regex(/^[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]*$/u, "must be printable text");

/**
 * Refuses a longer body with `too-large`, before it is read; any other is read at once, so that whoever asks is judged when all of it is
 * there: an access that was ended while a body was under way is ended.
 */
export function boundedBody(maxBytes = MAX_BODY_BYTES): MiddlewareHandler {
  const bounded = bodyLimit({
    maxSize: maxBytes,
    onError: (c) => problemResponse(c, new SallyportError("too-large", `a request may have ${maxBytes} bytes`)),
  });
  return async (c, next) => {
    // A path may match two of ours: what was read was bounded by the first.
    if (c.req.raw.bodyUsed) return next();
    return bounded(c, async () => {
      await c.req.text(); // which is kept for whoever reads it next
      await next();
    });
  };
}

/** A JSON or form body that fits the schema; no body at all is an empty object. Throws `bad-request`. */
export async function readBody<T>(c: Context, schema: z.ZodType<T>): Promise<T> {
  return checked(schema, await bodyOf(c));
}

/** A query string that fits the schema; a parameter given twice counts once, by its first value. Throws `bad-request`. */
export function readQuery<T>(c: Context, schema: z.ZodType<T>): T {
  return checked(schema, c.req.query());
}

/** The same of a listing's filters: those without a value are none, as a form sends them for its empty fields. */
export function readFilters<T>(c: Context, schema: z.ZodType<T>): T {
  return checked(schema, Object.fromEntries(Object.entries(c.req.query()).filter(([, value]) => value !== "")));
}

async function bodyOf(c: Context): Promise<unknown> {
  const type = (c.req.header("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase();
  const text = await c.req.text();
  if (text === "") return {};
  if (type === "application/x-www-form-urlencoded") return Object.fromEntries(new URLSearchParams(text));
  if (type !== "application/json")
    throw new SallyportError("unsupported-media-type", "the body must be application/json or a form");
  try {
    return JSON.parse(text);
  } catch {
    throw new SallyportError("bad-request", "the body is not JSON");
  }
}

function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const detail = result.error.issues.map(({ path, message }) => [path.join("."), message].filter(Boolean).join(": "));
  throw new SallyportError("bad-request", detail.join("; ").slice(0, MAX_DETAIL));
}
