import type { Logger } from "pino";
import type { SallyportError } from "../core/errors.ts";
import type { Gateway } from "./gateway.ts";

const LOOK_MS = 100;

export interface LifetimeOptions {
  readonly gateway: Pick<Gateway, "drain" | "close" | "liveSessions" | "failed">;
  /** Resolves when the task is told to stop. */
  readonly stopped: Promise<void>;
  /** Called at the first word of an end: from then on the task tells that it takes nobody. */
  readonly draining: () => void;
  /** How long live sessions go on after that, and how long what was recorded may then take to be stored, in milliseconds. */
  readonly drainMs: number;
  readonly closeMs: number;
  readonly logger: Logger;
}

/**
 * From the start of a gateway to its end. Told to stop, it takes nobody new and lets sessions go on until the last has ended, or
 * `drainMs` are over: those that live then end with a clear error. Where nothing can be recorded any more sessions have ended
 * already, and it closes at once.
 * @returns the failure that ended it; undefined where it was told to stop
 */
export async function untilOver(options: LifetimeOptions): Promise<SallyportError | undefined> {
  const { gateway, stopped, draining, drainMs, closeMs, logger } = options;
  const over: { failure?: SallyportError } = {};
  void gateway.failed.then((error) => (over.failure = error));
  await Promise.race([stopped, gateway.failed]);
  draining();
  gateway.drain();
  const until = performance.now() + drainMs;
  logger.info({ sessions: gateway.liveSessions, seconds: drainMs / 1_000 }, "draining: nobody new is let in");
  while (over.failure === undefined && gateway.liveSessions > 0 && performance.now() < until)
    await new Promise((done) => setTimeout(done, LOOK_MS));
  logger.info({ sessions: gateway.liveSessions }, "closing");
  await gateway.close(closeMs);
  return over.failure;
}
