import type { APIGatewayProxyEventV2 } from "aws-lambda";

/**
 * An HTTP API's event (payload format 2.0) such that its path is that of a URL, and ours.
 *
 * HTTP APIs hand `rawPath` over decoded: pasted into a URL, a `?` in it would begin a query of the client's making. What
 * cannot stand in a path (RFC 3986 §3.3) is encoded again; what is encoded stays as it is. A named stage stands before the
 * path and is none of it; `$default` does not. A body that GET cannot have (RFC 9110 §9.3.1) is left out.
 */
export function normalised(event: APIGatewayProxyEventV2): APIGatewayProxyEventV2 {
  const { requestContext, rawPath } = event;
  const bodiless = BODILESS.has(requestContext.http.method) ? { body: "", isBase64Encoded: false } : {};
  return { ...event, ...bodiless, rawPath: encodedPath(withoutStage(rawPath, requestContext.stage)) };
}

const BODILESS: ReadonlySet<string> = new Set(["GET", "HEAD"]);
const DEFAULT_STAGE = "$default";

function withoutStage(rawPath: string, stage: string): string {
  if (stage === DEFAULT_STAGE) return rawPath;
  const prefix = `/${stage}`;
  if (rawPath === prefix) return "/";
  return rawPath.startsWith(`${prefix}/`) ? rawPath.slice(prefix.length) : rawPath;
}

/** Everything but what a path may have, and `%` where no two digits follow it. */
const UNSAFE = /%(?![0-9a-f]{2})|[^A-Za-z0-9\-._~!$&'()*+,;=:@/%]/giu;

function encodedPath(path: string): string {
  const encoded = path.toWellFormed().replace(UNSAFE, encodeURIComponent);
  return encoded.startsWith("/") ? encoded : `/${encoded}`;
}
