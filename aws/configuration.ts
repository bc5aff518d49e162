import type { Logger } from "pino";
import type { Digest } from "../core/brand.ts";
import { type BundleParts, parseBundle } from "../core/config/bundle.ts";
import type { Configuration } from "../core/config/configuration.ts";
import { SallyportError } from "../core/errors.ts";
import type { ConfigurationStore } from "../core/ports/configuration-store.ts";

/** What is published is in force everywhere within this and a moment; a poll that finds nothing new costs a conditional GET. */
const POLL_MS = 5_000;

export interface FollowedOptions {
  readonly store: Pick<ConfigurationStore, "current" | "get">;
  /** The deployment's secret for masks that hash. */
  readonly maskingKey: Uint8Array;
  readonly logger: Logger;
  readonly pollMs?: number;
}

export interface FollowedConfiguration extends Configuration {
  readonly masking: () => BundleParts["masking"];
  /** The whole that the parts are of, and `services.yaml`. */
  readonly parts: () => BundleParts;
  /** Looks now, after whatever look is under way. Never rejects: what is not valid is logged, and changes nothing. */
  readonly reload: () => Promise<void>;
}

/**
 * The configuration in force, which is followed: always the newest valid one, all of its parts of the same version. One that cannot be
 * read, or that this gateway does not understand, never takes the place of one that it does. Rejects with
 * `configuration-invalid` where none was published yet, or where it is not valid, and `store-unavailable`.
 */
export async function followConfiguration(options: FollowedOptions): Promise<FollowedConfiguration> {
  const { logger, pollMs = POLL_MS } = options;
  let parts = await firstParts(options);
  /** What was complained of last: an outage, or a faulty version, is one line of the log. */
  let complaint: string | undefined;
  const look = async (): Promise<void> => {
    let version: Digest | undefined;
    try {
      version = (await options.store.current())?.version;
      if (version === undefined) throw new SallyportError("not-found", "no configuration is in force any more");
      if (version !== parts.version && complaint !== invalidity(version)) parts = await change(options, parts, version);
      if (version === parts.version) complaint = undefined;
    } catch (error) {
      const isInvalid = error instanceof SallyportError && error.code === "configuration-invalid";
      const next = isInvalid && version !== undefined ? invalidity(version) : "unavailable";
      if (next !== complaint)
        logger.error({ version: parts.version, refused: version, err: error }, "the newest configuration cannot be had; the one before it stays in force"); // prettier-ignore
      complaint = next;
    }
  };
  // One at a time: a slow look at an older state must not win over a newer one.
  let last: Promise<void> = Promise.resolve();
  const reload = (): Promise<void> => (last = last.then(look));
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const poll = (): void => {
    if (closed) return;
    timer = setTimeout(() => void reload().then(poll), pollMs).unref();
  };
  poll();
  return {
    connections: () => parts.connections,
    policies: () => parts.policies,
    directory: () => parts.directory,
    services: () => parts.services,
    masking: () => parts.masking,
    parts: () => parts,
    reload,
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

const invalidity = (version: string): string => `invalid ${version}`;

async function firstParts({ store, maskingKey }: FollowedOptions): Promise<BundleParts> {
  const published = await store.current();
  if (published !== undefined) return parseBundle(await store.get(published.version), maskingKey);
  throw new SallyportError("configuration-invalid", "no configuration has been published yet", {
    hint: "Publish one: sallyport config push FOLDER.",
  });
}

/** What has not changed stays the object that it was: verdicts and masks that are known by it stay known. */
async function change(
  { store, maskingKey, logger }: FollowedOptions,
  before: BundleParts,
  version: Digest,
): Promise<BundleParts> {
  const next = parseBundle(await store.get(version), maskingKey);
  logger.info({ from: before.version, to: version }, "the configuration has changed");
  return {
    ...next,
    policies: next.policies.version === before.policies.version ? before.policies : next.policies,
    masking: next.masking.version === before.masking.version ? before.masking : next.masking,
  };
}
