import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import { BUNDLE_FILES, type BundleFiles, MAX_BUNDLE_BYTES, POLICY_FOLDER } from "../core/config/bundle-files.ts";
import { SallyportError } from "../core/errors.ts";

/**
 * What of a folder is a configuration, as `local/bundle-folder.ts` reads it; at once, since constructs are made so. What is wrong in
 * it the function says that publishes it. Throws `configuration-invalid` where there is none, `too-large`.
 */
export function configurationIn(folder: string): BundleFiles {
  const policies = path.join(folder, POLICY_FOLDER);
  const names = [
    ...Object.values(BUNDLE_FILES),
    ...(existsSync(policies) ? readdirSync(policies) : [])
      .filter((name) => name.endsWith(".cedar"))
      .map((name) => POLICY_FOLDER + name),
  ].filter((name) => existsSync(path.join(folder, name)));
  if (names.length === 0)
    throw new SallyportError("configuration-invalid", `the folder ${folder} holds no configuration`, {
      hint: "Name it by the setting configFolder; docs/deploying.md says what is in it.",
    });
  return new Map(names.map((name) => [name, textOf(path.join(folder, name))]));
}

function textOf(file: string): string {
  if (statSync(file).size > MAX_BUNDLE_BYTES) throw new SallyportError("too-large", `${file} is too large`);
  return readFileSync(file, "utf8");
}
