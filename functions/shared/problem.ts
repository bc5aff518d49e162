import { STATUS_CODES } from "node:http";
import type { Context, ErrorHandler, NotFoundHandler } from "hono";
import { html } from "hono/html";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Logger } from "pino";
import { ERRORS, SallyportError } from "../../core/errors.ts";
import { redactPasses } from "../../core/identity/pass.ts";
import { page, wantsPage } from "./html.ts";
import { type Routed, methodsAt } from "./methods.ts";

/** A problem (RFC 9457 §3). `code` is ours: the closed list of core/errors.ts. */
interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly hint?: string;
}

/**
 * An app's `onError`: `application/problem+json`, or a page for a browser.
 * What is not a SallyportError is a fault of ours: it is logged, and the client learns nothing of it.
 */
export function problemHandler(logger: Logger): ErrorHandler {
  return (thrown, c) => {
    const error = known(thrown);
    if (ERRORS[error.code].http >= 500) logger.error(faultOf(thrown, error, c), "a request failed");
    return problemResponse(c, error);
  };
}

/**
 * An app's `notFound`: a path that is answered to other methods is no unknown one (RFC 9110 §15.5.6).
 * @param app the very app, whose routes are looked at when something is not found
 */
export function problemNotFound(app: Routed): NotFoundHandler {
  return (c) => {
    const allowed = methodsAt(app, c.req.path);
    if (allowed.length === 0) return problemResponse(c, new SallyportError("not-found", "there is nothing here"));
    c.header("Allow", allowed.join(", "));
    return problemResponse(
      c,
      new SallyportError("method-not-allowed", `${c.req.method} is not for this path`, {
        hint: `it takes ${allowed.join(", ")}`,
      }),
    );
  };
}

export function problemResponse(c: Context, error: SallyportError): Response | Promise<Response> {
  const problem = problemOf(error);
  const status = problem.status as ContentfulStatusCode;
  if (problem.status === 401) c.header("WWW-Authenticate", 'Bearer realm="sallyport"');
  if (wantsPage(c)) return c.html(problemPage(problem), status);
  return c.body(JSON.stringify(problem), status, { "Content-Type": "application/problem+json" });
}

function problemOf(error: SallyportError): Problem {
  const status = ERRORS[error.code].http;
  return {
    type: `urn:sallyport:error:${error.code}`,
    title: STATUS_CODES[status] ?? "Error",
    status,
    detail: error.message,
    code: error.code,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  };
}

function known(thrown: Error): SallyportError {
  if (thrown instanceof SallyportError) return thrown;
  if (thrown instanceof HTTPException && thrown.status < 500) return new SallyportError("bad-request", "bad request");
  return new SallyportError("internal", "something went wrong on our side", { cause: thrown });
}

function faultOf(thrown: Error, error: SallyportError, c: Context): Record<string, unknown> {
  return { code: error.code, method: c.req.method, path: redactPasses(c.req.path), causes: causesOf(thrown) };
}

/** An error and what caused it, for a log: messages and stacks only, as other properties may hold what was received. */
export function causesOf(thrown: unknown): string[] {
  const chain: string[] = [];
  for (let at = thrown; at instanceof Error && chain.length < MAX_CAUSES; at = at.cause)
    chain.push(redactPasses(at.stack ?? at.message));
  return chain;
}

/** Bounds the walk, as a chain of causes may be a circle. */
const MAX_CAUSES = 5;

function problemPage(problem: Problem): ReturnType<typeof page> {
  const body = html`<p>${problem.detail}</p>
    ${problem.hint ? html`<p class="muted">${problem.hint}</p>` : ""}
    <p><a href="/">Home</a></p>`;
  return page({ title: problem.title, principal: undefined, body });
}
