import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { asSallyportError, SallyportError } from "../core/errors.ts";
import { systemCode } from "./files.ts";

/** Text that people wrote and review. A folder that has more was given by mistake. */
const MAX_BYTES = 4 * 1024 * 1024;

/**
 * The texts of a folder's `*.cedar` files, by name; undefined where there is no such folder. Throws `configuration-invalid`,
 * also for a folder in it, whose rules would silently not count, and where there is no policy file at all.
 */
export async function readPolicyFiles(folder: string): Promise<ReadonlyMap<string, string> | undefined> {
  const names = await namesIn(folder);
  if (names === undefined) return undefined;
  const texts = new Map<string, string>();
  let bytes = 0;
  for (const name of names) {
    const file = path.join(folder, name);
    try {
      bytes += (await stat(file)).size;
      if (bytes <= MAX_BYTES) texts.set(name, await readFile(file, "utf8"));
    } catch (thrown) {
      throw asSallyportError(thrown, "configuration-invalid", `${file} cannot be read: ${(thrown as Error).message}`);
    }
  }
  if (bytes > MAX_BYTES)
    throw new SallyportError("configuration-invalid", `${folder} has more than ${MAX_BYTES} bytes of policies`);
  return texts;
}

async function namesIn(folder: string): Promise<string[] | undefined> {
  try {
    const entries = (await readdir(folder, { withFileTypes: true })).filter(({ name }) => !name.startsWith("."));
    const inner = entries.find((entry) => entry.isDirectory());
    if (inner)
      throw new SallyportError("configuration-invalid", `${path.join(folder, inner.name)} is a folder`, {
        hint: "Policies are files beside each other; what lies deeper would not count.",
      });
    const names = entries.map(({ name }) => name).filter((name) => name.endsWith(".cedar"));
    if (names.length > 0) return names.toSorted();
    throw new SallyportError("configuration-invalid", `${folder} has no policy file: nothing would be permitted`, {
      hint: "Policies stand in files whose names end with .cedar. Without the folder, `access` alone decides.",
    });
  } catch (thrown) {
    if (systemCode(thrown) === "ENOENT") return undefined;
    throw asSallyportError(thrown, "configuration-invalid", `${folder} cannot be read: ${(thrown as Error).message}`);
  }
}
