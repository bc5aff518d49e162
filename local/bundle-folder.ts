import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { BUNDLE_FILES, type BundleFiles, MAX_BUNDLE_BYTES, POLICY_FOLDER } from "../core/config/bundle-files.ts";
import { asSallyportError, SallyportError } from "../core/errors.ts";
import { systemCode } from "./files.ts";
import { readPolicyFiles } from "./policy-files.ts";

/**
 * What of a folder is a configuration: `connections.yaml`, `directory.yaml`, `masking.yaml`, `services.yaml` and `policies/*.cedar`, those
 * that are there. Other files are left where they are. Throws `configuration-invalid` for what cannot be read.
 */
export async function readBundleFolder(directory: string): Promise<BundleFiles> {
  const files = new Map<string, string>();
  for (const name of Object.values(BUNDLE_FILES)) {
    const file = path.join(directory, name);
    try {
      if ((await stat(file)).size > MAX_BUNDLE_BYTES) throw new SallyportError("too-large", `${file} is too large`);
      files.set(name, await readFile(file, "utf8"));
    } catch (thrown) {
      if (systemCode(thrown) !== "ENOENT")
        throw asSallyportError(thrown, "configuration-invalid", `${file} cannot be read: ${(thrown as Error).message}`);
    }
  }
  for (const [name, text] of (await readPolicyFiles(path.join(directory, POLICY_FOLDER))) ?? [])
    files.set(POLICY_FOLDER + name, text);
  return files;
}
