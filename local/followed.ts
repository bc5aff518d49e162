import type { Logger } from "pino";

/** A part of the configuration, and which one it is. */
export interface Versioned<T> {
  readonly version: string;
  readonly value: T;
}

/** A part that follows its files: always the newest valid one. */
export interface Followed<T> {
  readonly current: () => T;
  /** Reads it again, after whatever is being read. Never rejects: what is not valid is logged, and changes nothing. */
  reload(): Promise<void>;
}

/**
 * Reads a part and keeps it. Rejects where it is not valid to begin with.
 * @param read is given what was in force before, if anything was
 */
export async function follow<T>(
  part: string,
  logger: Logger,
  read: (before: Versioned<T> | undefined) => Promise<Versioned<T>>,
): Promise<Followed<T>> {
  let current = await read(undefined);
  const again = async (): Promise<void> => {
    try {
      const next = await read(current);
      if (next.version === current.version) return;
      logger.info({ part, from: current.version, to: next.version }, "the configuration has changed");
      current = next;
    } catch (error) {
      logger.error(
        { part, version: current.version, err: error },
        "the changed configuration is not valid; the one before it stays in force",
      );
    }
  };
  // One at a time: a slow read of an older state must not win over a newer one.
  let last: Promise<void> = Promise.resolve();
  return { current: () => current.value, reload: () => (last = last.then(again)) };
}
