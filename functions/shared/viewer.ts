import { createHash, timingSafeEqual } from "node:crypto";
import { type Context, Hono, type MiddlewareHandler } from "hono";
import type { ApiGatewayRequestContextV2 } from "hono/aws-lambda";
import type { Logger } from "pino";
import { SallyportError } from "../../core/errors.ts";
import { problemHandler } from "./problem.ts";

/** What API Gateway says of a request, and no client can. */
export interface ApiBindings {
  readonly requestContext: ApiGatewayRequestContextV2;
}

/** CloudFront writes it over whatever the viewer sent; without it, the request came by another way. */
export const ORIGIN_SECRET_HEADER = "x-sallyport-origin";
/** Added by CloudFront: `address:port`, an IPv6 address without brackets. */
const VIEWER_ADDRESS_HEADER = "cloudfront-viewer-address";
const VIEWER_ADDRESS = /^([0-9a-f.:]{2,45}):\d{1,5}$/i;

/**
 * Lets requests through only as our own distribution sends them on: others could say any viewer's address, and would go past
 * the distribution's rules. Throws `access-denied`.
 */
export function onlyFromDistribution(secret: string): MiddlewareHandler {
  const expected = digest(secret);
  return async (c, next) => {
    const shown = c.req.header(ORIGIN_SECRET_HEADER);
    if (shown === undefined || !timingSafeEqual(digest(shown), expected))
      throw new SallyportError("access-denied", "requests come through the gateway's own address", {
        hint: "use the address that its pages are at",
      });
    await next();
  };
}

/** What an app answers by; hono's apps of whatever environment fit. */
export interface Answering {
  fetch(request: Request, bindings: ApiBindings): Response | Promise<Response>;
}

/** An app that is reached through our distribution alone; without a secret it is reached by itself. */
export function behindDistribution(app: Answering, secret: string | undefined, logger: Logger): Answering {
  if (secret === undefined) return app;
  const outer = new Hono<{ Bindings: ApiBindings }>();
  outer.onError(problemHandler(logger));
  outer.use(onlyFromDistribution(secret));
  outer.all("*", (c) => app.fetch(c.req.raw, c.env));
  return outer;
}

/** Of equal length whatever was sent, as a comparison in constant time needs. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/**
 * Where a request came from: of an HTTP API that is reached by itself, the address of the connection (`sourceIp`); behind our
 * distribution, where `onlyFromDistribution` has let it through, what CloudFront says of its viewer. Never another header.
 */
export function viewerAddress(distributed: boolean): (c: Context) => string {
  return (c) => {
    const { requestContext } = c.env as ApiBindings;
    const viewer = distributed ? VIEWER_ADDRESS.exec(c.req.header(VIEWER_ADDRESS_HEADER) ?? "")?.[1] : undefined;
    return viewer ?? requestContext.http.sourceIp;
  };
}
