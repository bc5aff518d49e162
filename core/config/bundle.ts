import { createHash } from "node:crypto";
import { parse } from "yaml";
import type { Digest } from "../brand.ts";
import { asSallyportError, SallyportError } from "../errors.ts";
import { parseMasking } from "../masking/config.ts";
import type { MaskingConfig } from "../masking/masking.ts";
import { loadPolicies } from "../policy/policy-set.ts";
import type { Policies } from "../policy/verdict.ts";
import { type Connections, parseConnections } from "./connections.ts";
import { type Directory, parseDirectory } from "./directory.ts";

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
const MAX_FILES = 1_000;
const POLICY_NAME = /^policies\/[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\.cedar$/;
/** As long as the deployment's own, which whoever only checks does not have. */
const CHECKING_KEY = new Uint8Array(32);

/** A configuration whose every part is valid. */
export interface BundleParts {
  readonly version: Digest;
  readonly connections: Connections;
  readonly policies: Policies;
  readonly directory: Directory;
  readonly masking: MaskingConfig;
  /** The text of `services.yaml`, where there is one. */
  readonly services: string | undefined;
}

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

/**
 * Parses a whole configuration. Every part must be there, `services.yaml` apart: what is left out by mistake must not take away
 * every guard or mask, so that whoever wants none of them says so in an empty file. Throws `configuration-invalid` that names every
 * fault, of all parts.
 * @param maskingKey the deployment's secret for masks that hash
 */
export function parseBundle(files: BundleFiles, maskingKey: Uint8Array): BundleParts {
  const faults = faultsOfNames(files);
  const part = <T>(name: string, parsed: (text: string) => T): T | undefined => {
    const text = files.get(name);
    if (text !== undefined) return attempt(faults, name, () => parsed(text));
    faults.push(`${name} is missing`);
    return undefined;
  };
  const connections = part(BUNDLE_FILES.connections, (text) => parseConnections(parse(text)));
  const directory = part(BUNDLE_FILES.directory, (text) => parseDirectory(parse(text) ?? { people: [] }));
  const masking = part(BUNDLE_FILES.masking, (text) => parseMasking(parse(text), maskingKey));
  const policies = attempt(faults, "the policies", () => loadPolicies(policyFiles(files)));
  const services = files.get(BUNDLE_FILES.services);
  if (services !== undefined) attempt(faults, BUNDLE_FILES.services, () => void parse(services));
  if (faults.length > 0 || !connections || !directory || !masking || !policies)
    throw new SallyportError("configuration-invalid", `the configuration is not valid:\n${faults.join("\n")}`, {
      hint: "A file that shall say nothing is there all the same: whoever forgets one has not meant to take its guards away.",
    });
  return { version: versionOf(files), connections, policies, directory, masking, services };
}

/** The same by whoever has not the deployment's masking key, and will mask nothing. */
export function checkBundle(files: BundleFiles): BundleParts {
  return parseBundle(files, CHECKING_KEY);
}

function attempt<T>(faults: string[], name: string, run: () => T): T | undefined {
  try {
    return run();
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    faults.push(asSallyportError(thrown, "configuration-invalid", `${name} cannot be read: ${message}`).message);
    return undefined;
  }
}

function policyFiles(files: BundleFiles): ReadonlyMap<string, string> {
  const policies = [...files].filter(([name]) => name.startsWith(POLICY_FOLDER));
  if (policies.length === 0)
    throw new SallyportError("configuration-invalid", "there is no policy file: nothing would be permitted");
  return new Map(policies.map(([name, text]) => [name.slice(POLICY_FOLDER.length), text]));
}

/** What is not known is a fault: it would silently not count. */
function faultsOfNames(files: BundleFiles): string[] {
  const known: readonly string[] = Object.values(BUNDLE_FILES);
  const names = [...files.keys()];
  if (names.length > MAX_FILES) throw new SallyportError("too-large", `a configuration has at most ${MAX_FILES} files`);
  const bytes = [...files.values()].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes > MAX_BUNDLE_BYTES)
    throw new SallyportError("too-large", `a configuration has at most ${MAX_BUNDLE_BYTES} bytes, and this ${bytes}`);
  return names
    .filter((name) => !known.includes(name) && !POLICY_NAME.test(name))
    .map((name) => `${JSON.stringify(name.slice(0, 200))} is no file of a configuration`);
}
