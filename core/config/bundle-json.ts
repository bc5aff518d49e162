import { z } from "zod";
import type { Digest } from "../brand.ts";
import { SallyportError } from "../errors.ts";
import type { PublishedVersion } from "../ports/configuration-store.ts";
import { type BundleFiles, MAX_BUNDLE_BYTES, sorted, versionOf } from "./bundle-files.ts";

/** A byte of text has at most six of JSON (`\u0001`); names and brackets are the rest. */
export const MAX_BUNDLE_JSON_BYTES = 6 * MAX_BUNDLE_BYTES + (1 << 20);

const bundle = z.object({ format: z.literal(1), files: z.array(z.tuple([z.string(), z.string()])) });
const digest = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .transform((text) => text as Digest);
const published = z.object({ version: digest, by: z.string(), at: z.number() });

/** Whether a text from outside can name a version: nothing else becomes part of a key or a path. */
export function isVersion(text: string): text is Digest {
  return digest.safeParse(text).success;
}

/** A configuration as stores keep it. */
export function bundleJson(files: BundleFiles): string {
  return JSON.stringify({ format: 1, files: sorted(files) });
}

/** What a store kept as `version`; `store-unavailable` where it is not that: nobody is to be guarded by anything else. */
export function bundleOf(json: string, version: Digest): BundleFiles {
  const parsed = readJson(bundle, json);
  const files = new Map(parsed.files);
  if (versionOf(files) !== version) throw broken();
  return files;
}

/** Publishings, as stores keep them. */
export function publishedOf(json: string): PublishedVersion {
  return readJson(published, json);
}

export function historyOf(json: string): readonly PublishedVersion[] {
  return readJson(z.array(published), json);
}

function readJson<T>(schema: z.ZodType<T>, json: string): T {
  try {
    return schema.parse(JSON.parse(json));
  } catch (cause) {
    throw broken(cause);
  }
}

function broken(cause?: unknown): SallyportError {
  return new SallyportError("store-unavailable", "a stored configuration is not what was published", {
    cause,
    hint: "Somebody has changed the store by hand; publish the configuration again.",
  });
}
