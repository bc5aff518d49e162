import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context as LambdaContext } from "aws-lambda";
import { Hono } from "hono";
import { handle } from "hono/aws-lambda";
import type { Logger } from "pino";
import { SallyportError } from "../../core/errors.ts";
import { normalised } from "./api-event.ts";
import { boundedAnswer } from "./bounded-answer.ts";
import { securityHeaders } from "./html.ts";
import { kept } from "./kept.ts";
import { causesOf, problemHandler } from "./problem.ts";
import type { Answering, ApiBindings } from "./viewer.ts";

export type ApiHandler = (
  event: APIGatewayProxyEventV2,
  context: LambdaContext,
) => Promise<APIGatewayProxyStructuredResultV2>;

/** Whoever asks again at once meets the same store. Seconds (RFC 9110 §10.2.3). */
const RETRY_AFTER_SECONDS = "10";

/**
 * The handler of an HTTP API's requests (payload format 2.0) by one of our apps. The app is made at the first request and kept
 * while the container lives; where that fails, the request is answered with 503 and the next one tries again.
 */
export function apiHandler(logger: Logger, make: () => Promise<Answering>): ApiHandler {
  const ready = kept(make);
  const outer = new Hono<{ Bindings: ApiBindings }>();
  outer.onError(problemHandler(logger));
  outer.use(securityHeaders());
  outer.all("*", async (c) => {
    const app = await ready().catch((thrown: unknown) => {
      c.header("Retry-After", RETRY_AFTER_SECONDS);
      throw notReady(thrown, logger);
    });
    return boundedAnswer(await app.fetch(c.req.raw, c.env));
  });
  const answer = handle(outer);
  return (event, context) =>
    // Types of the same event, by two packages that know more or fewer of its optional fields.
    answer(normalised(event) as never, context as never);
}

function notReady(thrown: unknown, logger: Logger): SallyportError {
  logger.error({ causes: causesOf(thrown) }, "a function could not start");
  return new SallyportError("store-unavailable", "this part of the gateway cannot start at this moment", {
    hint: "try again in a minute",
    cause: thrown,
  });
}
