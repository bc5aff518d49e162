import type { Digest, Instant } from "../brand.ts";
import type { BundleFiles } from "../config/bundle-files.ts";

/** That somebody made a configuration the one in force. */
export interface PublishedVersion {
  /** `versionOf` its files. */
  readonly version: Digest;
  readonly by: string;
  readonly at: Instant;
}

/** Configurations that were published, and which of them is in force. Throws `store-unavailable`. */
export interface ConfigurationStore {
  /**
   * Puts a configuration in force; an earlier one again is a way back. Throws `configuration-invalid` with every fault, and then
   * keeps nothing; `conflict` where another was published at the same time, or where what is in force is not `expected`.
   * @param by       who does it, for the history
   * @param expected what the publisher has seen to be in force
   */
  publish(files: BundleFiles, by: string, expected?: Digest): Promise<PublishedVersion>;
  /** What is in force; undefined where nothing was published yet. Cheap where nothing has changed since it was asked. */
  current(): Promise<PublishedVersion | undefined>;
  /** Publishings, the newest first. */
  versions(limit: number): Promise<readonly PublishedVersion[]>;
  /** The files of a version that was published. Throws `not-found`. */
  get(version: Digest): Promise<BundleFiles>;
}

/** Who published what when is remembered for so many publishings at least; the files for good. */
export const HISTORY = 500;
