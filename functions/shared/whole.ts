import { z } from "zod";

/** A whole number of a query string or a path: text that becomes a number. */
export function whole(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,16}$/, "must be a whole number")
    .transform(Number)
    .pipe(z.number().min(min).max(max))
    .meta({ override: { type: "integer", minimum: min, maximum: max, pattern: undefined } });
}

/** The same, with what counts where it is not given. */
export function wholeOr(fallback: number, min: number, max: number) {
  return whole(min, max)
    .prefault(String(fallback))
    .meta({ override: { type: "integer", minimum: min, maximum: max, default: fallback, pattern: undefined } });
}
