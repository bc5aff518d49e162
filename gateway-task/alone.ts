/** The same, but not while it is under way: what does not answer is not asked again and again. */
export function alone(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return async () => (running ??= run().finally(() => (running = undefined)));
}
