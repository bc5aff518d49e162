import { z } from "zod";
import { ERRORS, type ErrorCode, SallyportError } from "../core/errors.ts";

/** Who asks: a bearer token, a browser's session, or nobody. */
export type Credential = { readonly bearer: string } | { readonly cookie: string } | undefined;

interface ApiRequest {
  readonly method?: "GET" | "POST" | "DELETE";
  /** With its query. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** How long until the answer starts. */
  readonly timeoutMs?: number;
}

/** One Sallyport, for one caller. Every method throws the SallyportError that the server told, or `server-unreachable`. */
export interface Api {
  readonly server: string;
  json<T>(request: ApiRequest, schema: z.ZodType<T>): Promise<T>;
  text(request: ApiRequest): Promise<string>;
  bytes(request: ApiRequest): Promise<Buffer>;
  /** The answer itself, whatever its status, for those that are not ours to define. */
  raw(request: ApiRequest): Promise<Response>;
  /** The answer itself, as it comes, if it is a good one. */
  stream(request: ApiRequest): Promise<Response>;
}

/** Looking at a long session takes the server a moment. */
const TIMEOUT_MS = 30_000;
/** More than the largest page of the API (3 MiB), less than would hurt. */
const MAX_BYTES = 32 << 20;

const problem = z.object({ detail: z.string(), code: z.string(), hint: z.string().optional() });

/** @param server an origin, as `siteOf` checks it */
export function apiOf(server: string, credential: Credential): Api {
  const raw = (request: ApiRequest): Promise<Response> => send(server, credential, request);
  const stream = async (request: ApiRequest): Promise<Response> => {
    const response = await raw(request);
    if (!response.ok) throw await refusalOf(server, response);
    return response;
  };
  const bytes = async (request: ApiRequest): Promise<Buffer> => bounded(server, await stream(request));
  const text = async (request: ApiRequest): Promise<string> => (await bytes(request)).toString("utf8");
  return {
    server,
    raw,
    stream,
    text,
    bytes,
    json: async (request, schema) => {
      const parsed = schema.safeParse(parseJson(await text(request)));
      if (parsed.success) return parsed.data;
      throw notSallyport(server, `${request.path} answered something else`);
    },
  };
}

async function send(server: string, credential: Credential, request: ApiRequest): Promise<Response> {
  const headers = new Headers({ accept: "application/json, application/problem+json, text/plain" });
  if (request.body !== undefined) headers.set("content-type", "application/json");
  for (const [name, value] of credentialHeaders(server, credential)) headers.set(name, value);
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), request.timeoutMs ?? TIMEOUT_MS);
  try {
    return await fetch(new URL(request.path, server), {
      method: request.method ?? "GET",
      headers,
      // A redirect would carry the token elsewhere, and the API has none.
      redirect: "manual",
      signal: timeout.signal,
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    });
  } catch (cause) {
    throw new SallyportError("server-unreachable", `${server} cannot be reached: ${reasonOf(cause)}`, {
      hint: "Is it running (`sallyport serve`)? Another one is named with --server.",
      cause,
    });
  } finally {
    clearTimeout(timer);
  }
}

/** A session of the web is believed only from pages of its own origin. */
function credentialHeaders(server: string, credential: Credential): [string, string][] {
  if (credential === undefined) return [];
  if ("bearer" in credential) return [["authorization", `Bearer ${credential.bearer}`]];
  return [
    ["cookie", credential.cookie],
    ["origin", server],
  ];
}

/** undici's errors say "fetch failed", and why in their cause; that of several addresses has none of its own. */
function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return "it failed";
  if (thrown.name === "AbortError") return "it does not answer in time";
  const { cause } = thrown;
  if (cause instanceof AggregateError) return reasonOf(cause.errors[0]);
  return cause instanceof Error && cause.message !== "" ? cause.message : thrown.message;
}

async function refusalOf(server: string, response: Response): Promise<SallyportError> {
  const parsed = problem.safeParse(parseJson((await bounded(server, response)).toString("utf8")));
  if (!parsed.success) return notSallyport(server, `it answers with status ${response.status}`);
  const { detail, code, hint } = parsed.data;
  const known = Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : "internal";
  return new SallyportError(known, detail, hint === undefined ? {} : { hint });
}

function notSallyport(server: string, why: string): SallyportError {
  return new SallyportError("server-unreachable", `${server} does not answer as a Sallyport does: ${why}`, {
    hint: "Give the address of its pages with --server.",
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function bounded(server: string, response: Response): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const piece of response.body ?? []) {
      size += piece.length;
      if (size > MAX_BYTES)
        throw new SallyportError("too-large", `${server} answers with more than ${MAX_BYTES} bytes`);
      pieces.push(piece);
    }
  } catch (cause) {
    if (cause instanceof SallyportError) throw cause;
    throw new SallyportError("server-unreachable", `the answer of ${server} broke off`, { cause });
  }
  return Buffer.concat(pieces);
}
