import type { MiddlewareHandler } from "hono";
import { wantsPage } from "../functions/shared/html.ts";

/**
 * Sends a browser that came by another name (`localhost` for 127.0.0.1, say) to the one that its cookies, and the identity
 * provider's way back, belong to.
 * @param origin the public one
 */
export function canonicalHost(origin: string): MiddlewareHandler {
  const { host } = new URL(origin);
  return async (c, next) => {
    const elsewhere = c.req.header("host") !== host && c.req.method === "GET" && wantsPage(c);
    if (!elsewhere) return next();
    const { pathname, search } = new URL(c.req.url);
    return c.redirect(origin + pathname + search, 307);
  };
}
