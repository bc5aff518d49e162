import { z } from "zod";

/** A whole number of a query string or a path: text that becomes a number. */
export function whole(min: number, max: number) {
  return digits(min, max).meta({ override: asInteger({ minimum: min, maximum: max }) });
}

/** The same, with what counts where it is not given. */
export function wholeOr(fallback: number, min: number, max: number) {
  return digits(min, max)
    .prefault(String(fallback))
    .meta({ override: asInteger({ minimum: min, maximum: max, default: fallback }) });
}

function digits(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,16}$/, "must be a whole number")
    .transform(Number)
    .pipe(z.number().min(min).max(max));
}

/** How our OpenAPI tells it: as the number, not as its digits. */
function asInteger(bounds: { minimum: number; maximum: number; default?: number }) {
  return ({ jsonSchema }: { jsonSchema: Record<string, unknown> }): void => {
    delete jsonSchema["pattern"];
    Object.assign(jsonSchema, { type: "integer", ...bounds });
  };
}
