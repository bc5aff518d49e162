import { SallyportError } from "../core/errors.ts";

/** The answer, or `store-unavailable` when it has not come in time: the call itself goes on, and is not waited for. */
export async function within<T>(ms: number, asked: PromiseLike<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, failed) => {
    const error = new SallyportError("store-unavailable", `${what} took longer than ${ms} ms`);
    timer = setTimeout(() => failed(error), ms).unref();
  });
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The answer, or the signal's reason once it is aborted: the call itself goes on, and is not waited for. */
export async function unlessAborted<T>(signal: AbortSignal, asked: PromiseLike<T>): Promise<T> {
  let abort = (): void => {};
  const aborted = new Promise<never>((_, failed) => {
    abort = () => failed(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
  try {
    return await Promise.race([asked, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
