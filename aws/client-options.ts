import { NodeHttpHandler } from "@smithy/node-http-handler";
import { boundedRetries } from "./retries.ts";

/** The first try, and two more: with the time-outs below a caller knows of an outage before it has to act as if there were one. */
export const MAX_ATTEMPTS = 3;
/** An endpoint in the same region answers in milliseconds; whoever has not in a second is not there. */
const CONNECTION_TIMEOUT_MS = 1_000;
/** The same for an answer. What moves more than a few KB asks for more. */
const REQUEST_TIMEOUT_MS = 1_500;
/** Held sessions ask at once; the SDK's own 50 would let them queue behind each other. */
const MAX_SOCKETS = 200;

interface ClientOptions {
  readonly maxAttempts: number;
  readonly retryStrategy: ReturnType<typeof boundedRetries>;
  readonly requestHandler: NodeHttpHandler;
}

/**
 * What every client of the SDK is made with: `new S3Client(clientOptions())`. Region, credentials and endpoints are as the SDK
 * finds them. Throttles, 5xx and lost connections are retried, and slowed down for, as `boundedRetries` says; `answered` bounds
 * the whole.
 * @param requestTimeoutMs how long one attempt may take, body included
 */
export function clientOptions(requestTimeoutMs = REQUEST_TIMEOUT_MS): ClientOptions {
  return {
    maxAttempts: MAX_ATTEMPTS,
    retryStrategy: boundedRetries(MAX_ATTEMPTS),
    requestHandler: new NodeHttpHandler({
      connectionTimeout: CONNECTION_TIMEOUT_MS,
      requestTimeout: requestTimeoutMs,
      throwOnRequestTimeout: true, // without it the SDK only warns
      httpAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
      httpsAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
    }),
  };
}
