import { SallyportError } from "../../core/errors.ts";

/** How the outside world is asked; for tests another than the global one. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

interface Bounds {
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

/**
 * Asks once, follows no redirect, and reads no more than it may within the time.
 * @returns the status and the whole text. Throws `identity-provider-unavailable`.
 */
export async function fetchBounded(
  fetching: Fetch,
  url: string,
  init: RequestInit,
  { timeoutMs, maxBytes }: Bounds,
): Promise<{ readonly status: number; readonly text: string }> {
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await fetching(url, { ...init, redirect: "manual", signal });
    // A stand-in may not heed the signal, and a body may never end.
    const text = await Promise.race([textOf(response, maxBytes), aborted(signal)]);
    return { status: response.status, text };
  } catch (cause) {
    throw new SallyportError("identity-provider-unavailable", `${new URL(url).host} does not answer as it should`, {
      hint: "try again in a minute",
      cause,
    });
  }
}

async function textOf(response: Response, maxBytes: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of response.body ?? []) {
    size += piece.length;
    if (size > maxBytes) throw new Error(`the answer has more than ${maxBytes} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener(
      "abort",
      () => reject(signal.reason instanceof Error ? signal.reason : new Error("aborted")),
      {
        once: true,
      },
    );
  });
}
