import { checkBundle } from "../core/config/bundle.ts";
import { type BundleFiles, versionOf } from "../core/config/bundle-files.ts";
import { readBundleFolder } from "../local/bundle-folder.ts";

/** A folder's configuration. Throws `configuration-invalid` with every fault. */
export async function checkedFolder(folder: string): Promise<{ files: BundleFiles; version: string }> {
  const files = await readBundleFolder(folder);
  checkBundle(files);
  return { files, version: versionOf(files) };
}
