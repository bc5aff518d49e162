import { createHash } from "node:crypto";
import type { Digest } from "../brand.ts";

/** The texts of a configuration by name: of the files below, and of `policies/NAME.cedar`. */
export type BundleFiles = ReadonlyMap<string, string>;

export const BUNDLE_FILES = {
  connections: "connections.yaml",
  directory: "directory.yaml",
  masking: "masking.yaml",
  services: "services.yaml",
} as const;
export const POLICY_FOLDER = "policies/";

/** Text that people wrote and review, all of it together: what has more was given by mistake, and a function takes 6 MB a call. */
export const MAX_BUNDLE_BYTES = 4 << 20;

/** Which configuration it is: the SHA-256 of names and texts, sorted by name, as JSON. */
export function versionOf(files: BundleFiles): Digest {
  return createHash("sha256")
    .update(JSON.stringify(sorted(files)))
    .digest("hex") as Digest;
}

/** Names and texts in the order in which a version counts them. */
export function sorted(files: BundleFiles): [string, string][] {
  return [...files].toSorted(([one], [other]) => (one < other ? -1 : 1));
}
