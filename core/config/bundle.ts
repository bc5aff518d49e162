import { parse } from "yaml";
import type { Digest } from "../brand.ts";
import { asSallyportError, SallyportError } from "../errors.ts";
import { parseMasking } from "../masking/config.ts";
import type { MaskingConfig } from "../masking/masking.ts";
import { loadPolicies } from "../policy/policy-set.ts";
import type { Policies } from "../policy/verdict.ts";
import { BUNDLE_FILES, type BundleFiles, MAX_BUNDLE_BYTES, POLICY_FOLDER, versionOf } from "./bundle-files.ts";
import { parseConnectionsText, parseDirectoryText, servicesIn } from "./bundle-parts.ts";
import type { Connections } from "./connections.ts";
import type { Directory } from "./directory.ts";
import { NO_SERVICES, type Services } from "./services.ts";

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
  /** Nobody but people where there is no file. */
  readonly services: Services;
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
  const connections = part(BUNDLE_FILES.connections, parseConnectionsText);
  const directory = part(BUNDLE_FILES.directory, parseDirectoryText);
  const masking = part(BUNDLE_FILES.masking, (text) => parseMasking(parse(text), maskingKey));
  const policies = attempt(faults, "the policies", () => loadPolicies(policyFiles(files)));
  const services = attempt(faults, BUNDLE_FILES.services, () => servicesIn(files)) ?? NO_SERVICES;
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
