/** Ctrl-C reaches a whole group of processes, whose parents pass it on: several at once are one. */
const ONE_PRESS_MS = 500;

/**
 * From this call on SIGINT and SIGTERM end nothing by themselves: the first resolves what this returns, to close by. A second
 * one ends the process at once, with status 1: what was recorded is on disk, and the next start stores it.
 */
export function untilStopped(say: (text: string) => void): Promise<void> {
  return new Promise<void>((resolve) => {
    let first: number | undefined;
    const stop = (): void => {
      if (first === undefined) {
        first = performance.now();
        say("stopping; a second signal stops at once");
        resolve();
      } else if (performance.now() - first > ONE_PRESS_MS) process.exit(1);
    };
    process.on("SIGINT", stop).on("SIGTERM", stop);
  });
}
