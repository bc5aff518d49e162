/**
 * From this call on SIGTERM and SIGINT end nothing by themselves. Resolves at the first; those that follow are told and change nothing:
 * an orchestrator that sends two means the same by both, and SIGKILL is there for more.
 */
export function stopSignal(say: (signal: string) => void): Promise<void> {
  return new Promise((resolve) => {
    const stop = (signal: string): void => {
      say(signal);
      resolve();
    };
    process.on("SIGTERM", stop).on("SIGINT", stop);
  });
}
