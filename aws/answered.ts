import { asSallyportError, type ErrorCode, SallyportError } from "../core/errors.ts";

/**
 * Retries included. The data path gives up on a store after 4.5 s (`gateway-task/live-sessions.ts`): it shall hear the reason
 * before that.
 */
const ANSWER_DEADLINE_MS = 4_000;

interface AnswerOptions {
  /** What a failure of the service is to the port. */
  readonly code?: ErrorCode;
  readonly deadlineMs?: number;
}

/**
 * Runs a question to a service of AWS, once and within a time: whatever the SDK throws becomes the port's error code, with the
 * original as its cause; a SallyportError stays as it is.
 * @param what completes "the store could not …"
 * @param run  gives the signal to each `client.send`; it is aborted at the deadline, which also holds where the SDK does not listen
 */
export async function answered<T>(
  what: string,
  run: (signal: AbortSignal) => Promise<T>,
  { code = "store-unavailable", deadlineMs = ANSWER_DEADLINE_MS }: AnswerOptions = {},
): Promise<T> {
  const aborter = new AbortController();
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const error = new SallyportError(code, `the store did not ${what} within ${deadlineMs} ms`);
    late.reject(error);
    aborter.abort(error);
  }, deadlineMs);
  try {
    return await Promise.race([run(aborter.signal), late.promise]);
  } catch (thrown) {
    throw asSallyportError(thrown, code, `the store could not ${what}`);
  } finally {
    clearTimeout(timer);
  }
}
