import { z } from "zod";
import type { ZodOpenApiOperationObject, ZodOpenApiPathsObject, ZodOpenApiResponsesObject } from "zod-openapi";
import { ERRORS, type ErrorCode } from "../../core/errors.ts";

export type Paths = ZodOpenApiPathsObject;

const CODES = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]];

/** What every failure is answered with (RFC 9457 §3). */
const problem = z
  .strictObject({
    type: z.string().meta({ description: "`urn:sallyport:error:` and the code." }),
    title: z.string().meta({ description: "The status in words." }),
    status: z.int(),
    detail: z.string().meta({ description: "What happened, for the person who reads it." }),
    code: z.enum(CODES).meta({ description: "What happened, of a closed list." }),
    hint: z.string().optional().meta({ description: "What that person can do about it." }),
  })
  .meta({ id: "Problem" });

/** A time of ISO 8601, in UTC. */
export const time = z.string().meta({ format: "date-time" });

/** A type of contents, and what fits it: a schema, or undefined for bytes and lines that no schema describes. */
type Contents = readonly [type: string, schema: z.ZodType | undefined];

export interface Described {
  readonly summary: string;
  readonly description?: string;
  readonly query?: z.ZodObject;
  readonly path?: z.ZodObject;
  /** JSON, or a form of the same fields. */
  readonly body?: z.ZodType;
  readonly status?: "200" | "201" | "204";
  /** What a good answer has; undefined for none. */
  readonly answer?: z.ZodType | Contents;
  /** Beside those that any request may meet. */
  readonly errors?: readonly ErrorCode[];
  /** Nobody need be signed in. */
  readonly open?: boolean;
  /** Answers other than a good one and problems. */
  readonly others?: Readonly<Record<string, Other>>;
}

interface Other {
  readonly description: string;
  readonly content?: Readonly<Record<string, { readonly schema: z.ZodType }>>;
}

/** One operation, in the words of OpenAPI. */
export function operation(described: Described): ZodOpenApiOperationObject {
  const { summary, description, query, path, body, status = "200", answer, errors = [], open = false, others } = described; // prettier-ignore
  const met: ErrorCode[] = [
    ...(query === undefined && body === undefined ? [] : (["bad-request"] as const)),
    ...(body === undefined ? [] : (["too-large", "unsupported-media-type"] as const)),
    ...(open ? [] : (["sign-in-required", "access-denied"] as const)),
    ...errors,
    "store-unavailable",
    "internal",
  ];
  return {
    summary,
    ...(description === undefined ? {} : { description }),
    ...(open ? { security: [] } : {}),
    ...(query === undefined && path === undefined ? {} : { requestParams: { ...(query && { query }), ...(path && { path }) } }), // prettier-ignore
    ...(body === undefined ? {} : { requestBody: requestBody(body) }),
    responses: { [status]: { description: "It is done.", ...contentOf(answer) }, ...problems(met, others) },
  };
}

function requestBody(schema: z.ZodType) {
  return { content: { "application/json": { schema }, "application/x-www-form-urlencoded": { schema } } };
}

function contentOf(answer: z.ZodType | Contents | undefined) {
  if (answer === undefined) return {};
  const [type, schema] = answer instanceof z.ZodType ? (["application/json", answer] as const) : answer;
  return { content: { [type]: schema === undefined ? {} : { schema } } };
}

/** Several codes may share a status, and a status with an answer that is no problem. */
function problems(codes: readonly ErrorCode[], others: Described["others"] = {}): ZodOpenApiResponsesObject {
  const byStatus = Map.groupBy(new Set(codes), (code) => String(ERRORS[code].http));
  const told = [...byStatus].map(([status, of]) => {
    const other = others[status];
    const description = [...(other === undefined ? [] : [other.description]), of.join(", ")].join(" Or: ");
    return [status, { description, content: { ...other?.content, "application/problem+json": { schema: problem } } }];
  });
  return { ...others, ...(Object.fromEntries(told) as ZodOpenApiResponsesObject) };
}
