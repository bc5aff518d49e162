import { setTimeout as sleep } from "node:timers/promises";
import type { DynamoDBClientConfig } from "@aws-sdk/client-dynamodb";

type Strategy = Extract<NonNullable<DynamoDBClientConfig["retryStrategy"]>, { recordSuccess: unknown }>;
type Token = Awaited<ReturnType<Strategy["acquireInitialRetryToken"]>>;

/** Full jitter: each retry waits up to twice as long as the one before. A throttle asks for more patience. */
const BASE_MS = 50;
const THROTTLED_BASE_MS = 200;
/** Retries that may be open to all callers of a client: of a service that is down, more would only keep it down. */
const QUOTA = 100;
/** What a success gives back. */
const REFUND = 1;

/** Never slower than this: the gateway asks some questions a second that must be answered for its sessions to live. */
const FLOOR_PER_SECOND = 20;
/** Nobody waits longer for their turn, so that those who wait do not starve those who come. */
const MAX_TURN_MS = 300;
/** What a throttle makes of the rate, what a second without one makes of it, and after how long it is forgotten. */
const SLOWER = 0.7;
const FASTER = 1.5;
const FORGOTTEN_MS = 10_000;
/** Throttles of one moment are one. */
const MOMENT_MS = 200;

/**
 * Adaptive retries with bounds: throttles, 5xx, time-outs and lost connections are tried again, and after a throttle the client
 * sends at a slower pace for a while. The SDK's own adaptive mode does not serve a gateway: its pace may fall to one request in
 * two seconds, and whoever has given up still takes a turn, so that after ten throttles of a client that asks five questions a
 * second more than half fail.
 */
export function boundedRetries(maxAttempts: number): Strategy {
  const pace = pacing(() => performance.now());
  let quota = QUOTA;
  return {
    acquireInitialRetryToken: async () => {
      await sleep(pace.turn());
      return token(0, 0);
    },
    refreshRetryTokenForRetry: async (before, { errorType }) => {
      if (errorType === "THROTTLING") pace.throttled();
      const retries = before.getRetryCount() + 1;
      // The SDK throws what the service has answered instead of this.
      if (errorType === "CLIENT_ERROR" || retries >= maxAttempts || quota < 1) throw new Error("no more retries");
      quota--;
      const base = errorType === "THROTTLING" ? THROTTLED_BASE_MS : BASE_MS;
      return token(retries, Math.max(Math.random() * base * 2 ** (retries - 1), pace.turn()));
    },
    recordSuccess: (done) => {
      quota = Math.min(QUOTA, quota + REFUND + done.getRetryCount());
    },
  };
}

function token(retries: number, delayMs: number): Token {
  return { getRetryCount: () => retries, getRetryDelay: () => delayMs };
}

interface Pace {
  /** Takes the next turn: in how many milliseconds it is. */
  turn(): number;
  throttled(): void;
}

/** @param clock milliseconds, of which only differences count */
export function pacing(clock: () => number): Pace {
  let rate = Number.POSITIVE_INFINITY;
  let throttledAt = Number.NEGATIVE_INFINITY;
  let nextTurn = 0;
  let measured = 0;
  let second = { since: clock(), count: 0 };

  const rateAt = (now: number): number =>
    now - throttledAt > FORGOTTEN_MS ? Number.POSITIVE_INFINITY : rate * FASTER ** ((now - throttledAt) / 1000);
  const count = (now: number): void => {
    const elapsed = now - second.since;
    if (elapsed >= 1000) {
      measured = (second.count * 1000) / elapsed;
      second = { since: now, count: 0 };
    }
    second.count++;
  };
  return {
    turn: () => {
      const now = clock();
      count(now);
      const turn = Math.min(Math.max(now, nextTurn), now + MAX_TURN_MS);
      nextTurn = turn + 1000 / rateAt(now);
      return turn - now;
    },
    throttled: () => {
      const now = clock();
      if (now - throttledAt < MOMENT_MS) return;
      rate = Math.max(FLOOR_PER_SECOND, SLOWER * Math.min(rateAt(now), Math.max(measured, second.count)));
      throttledAt = now;
    },
  };
}
