import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import type { Logger } from "pino";

/** A load balancer and a container's own check ask by a few connections; whoever opens more is none of them. */
const MAX_CONNECTIONS = 64;
/** A request is one line and a few headers. */
const REQUEST_TIMEOUT_MS = 5_000;
const MAX_HEADER_BYTES = 4 << 10;

export interface HealthOptions {
  readonly listen: { readonly host: string; readonly port: number };
  /** Whether a session that came now would be taken. */
  readonly healthy: () => boolean;
  readonly logger: Logger;
}

export interface Health {
  readonly port: number;
  close(): void;
}

/**
 * Answers `GET /health`: 200 while this task takes sessions, 503 when not, and no word more; to everything else 404. It says nothing
 * of stores that other tasks share: what all of them miss is mended by replacing none of them, and their sessions would end.
 */
export async function startHealth({ listen, healthy, logger }: HealthOptions): Promise<Health> {
  const answer: RequestListener = (request, response) => {
    const asked = request.url === "/health" && (request.method === "GET" || request.method === "HEAD");
    response.writeHead(asked ? (healthy() ? 200 : 503) : 404, {
      "content-length": 0,
      "cache-control": "no-store",
      connection: "close",
    });
    response.end();
  };
  const bounds = { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS };
  const options = { ...bounds, maxHeaderSize: MAX_HEADER_BYTES, connectionsCheckingInterval: 1_000 };
  const server = createServer(options, answer);
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((done, failed) => {
    server.once("error", failed);
    server.listen(listen, done);
  });
  server.on("error", (error) => logger.error({ err: error }, "the health listener failed"));
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { port: (server.address() as AddressInfo).port, close };
}
