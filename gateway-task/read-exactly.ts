import type { Readable } from "node:stream";
import { SallyportError } from "../core/errors.ts";

const EVENTS = ["readable", "end", "close", "error"] as const;

/**
 * The next `length` bytes of a stream, for handshakes; what comes behind them stays in the stream.
 * Rejects with `protocol-violation` when the stream ends before, and with the signal's reason when that comes first.
 */
export function readExactly(stream: Readable, length: number, signal: AbortSignal): Promise<Buffer> {
  return new Promise((done, failed) => {
    const finish = (settle: () => void): void => {
      for (const event of EVENTS) stream.off(event, attempt);
      signal.removeEventListener("abort", attempt);
      settle();
    };
    const attempt = (): void => {
      if (signal.aborted) return finish(() => failed(signal.reason as Error));
      const bytes = stream.read(length) as Buffer | null;
      if (bytes?.length === length) finish(() => done(bytes));
      else if (bytes !== null || stream.readableEnded || stream.destroyed) finish(() => failed(cutOff()));
    };
    // One listener for all of it: a stream that holds too few bytes says `readable` to every new one, at once and for ever.
    for (const event of EVENTS) stream.on(event, attempt);
    signal.addEventListener("abort", attempt);
    attempt();
  });
}

function cutOff(): SallyportError {
  return new SallyportError("protocol-violation", "the connection was closed in the middle of its start-up");
}
