import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:http";
import { getRequestListener } from "@hono/node-server";
import type { Hono } from "hono";
import type { ListenAddress } from "./address.ts";

/** Our requests are small forms; whoever sends one more slowly is not waited for. */
const REQUEST_TIMEOUT_MS = 30_000;
const HEADERS_TIMEOUT_MS = 10_000;
/** Answers under way, a transcript say, have this long when the server stops. */
const LINGER_MS = 2_000;

export interface HttpServer {
  readonly port: number;
  /** Answers by this app from now on; before, with 503. */
  use(app: Hono): void;
  close(): Promise<void>;
}

/** Takes the port at once, since what the app is made of must know it. Rejects with the error of `listen`. */
export async function listenForHttp({ host, port }: ListenAddress): Promise<HttpServer> {
  let app: Hono | undefined;
  const listener = getRequestListener((request, env) =>
    app === undefined ? new Response(null, { status: 503 }) : app.fetch(request, env),
  );
  const timeouts = { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: HEADERS_TIMEOUT_MS };
  const server = createServer(timeouts, (request, response) => void listener(request, response));
  server.listen(port, host);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    use: (given) => void (app = given),
    close: async () => {
      server.close();
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), LINGER_MS);
      await once(server, "close");
      clearTimeout(timer);
    },
  };
}
