import type { Logger } from "pino";
import type { BundleFiles } from "../../core/config/bundle-files.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { ConfigurationStore } from "../../core/ports/configuration-store.ts";
import { causesOf } from "./problem.ts";

/** As soon as the gateway's tasks: a change is in force everywhere within this and a moment. */
const LOOK_EVERY_MS = 5_000;

export interface FollowedPartOptions<T> {
  readonly store: Pick<ConfigurationStore, "current" | "get">;
  /** Reads the part of the files in force; of no files where no configuration was published yet. */
  readonly read: (files: BundleFiles) => T;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface FollowedPart<T> {
  /** As of the last look. */
  current(): T;
  /** Looks whether there is a newer one, if the last look is some seconds ago. Never rejects: what fails is logged, and changes nothing. */
  look(): Promise<void>;
}

/**
 * A part of the configuration for a function, which has no time between two requests to follow it: it looks when it is asked.
 * Rejects as the store does, and with `configuration-invalid` where the part cannot be read.
 */
export async function followedPart<T>(options: FollowedPartOptions<T>): Promise<FollowedPart<T>> {
  const { store, read, clock, logger } = options;
  let lookedAt = clock();
  let version: string | undefined;
  const load = async (): Promise<T | undefined> => {
    const published = await store.current();
    if (published?.version === version) return undefined;
    const files = published === undefined ? NONE : await store.get(published.version);
    const part = read(files);
    version = published?.version;
    return part;
  };
  let part = (await load()) ?? read(NONE);
  if (version === undefined) logger.warn("no configuration has been published yet");
  return {
    current: () => part,
    look: async () => {
      if (clock() - lookedAt < LOOK_EVERY_MS) return;
      lookedAt = clock();
      try {
        part = (await load()) ?? part;
      } catch (thrown) {
        logger.error(
          { version, causes: causesOf(thrown) },
          "the configuration cannot be followed; the one before stays",
        );
      }
    },
  };
}

const NONE: BundleFiles = new Map();
