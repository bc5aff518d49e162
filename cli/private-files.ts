import { randomUUID } from "node:crypto";
import { open, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { SallyportError } from "../core/errors.ts";
import { syncFolder, systemCode } from "../local/files.ts";

export const PRIVATE_FILE = 0o600;
export const PUBLIC_FILE = 0o644;
export const PRIVATE_FOLDER = 0o700;
/** Permissions of anyone but the owner. */
const OTHERS = 0o077;
/** Keys, certificates, the list of log-ins: kilobytes. */
const MAX_BYTES = 1 << 20;

/**
 * The text of a file that only its owner may read; undefined where there is none.
 * Throws `configuration-invalid` where others may read it, or where it cannot be read.
 */
export async function readPrivate(file: string): Promise<string | undefined> {
  return read(file, true);
}

/** The same for a file that everybody may read. */
export async function readPublic(file: string): Promise<string | undefined> {
  return read(file, false);
}

async function read(file: string, secret: boolean): Promise<string | undefined> {
  let handle;
  try {
    handle = await open(file, "r");
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return undefined;
    throw new SallyportError("configuration-invalid", `${file} cannot be read`, { cause });
  }
  try {
    const { mode, size } = await handle.stat();
    if (secret && (mode & OTHERS) !== 0)
      throw new SallyportError("configuration-invalid", `${file} can be read by others`, {
        hint: `Run: chmod 600 ${file}`,
      });
    if (size > MAX_BYTES)
      throw new SallyportError("configuration-invalid", `${file} is too large to be what it should`);
    return await handle.readFile("utf8");
  } finally {
    await handle.close();
  }
}

/** Puts a file in place of what had its name, whole or not at all, and on disk. */
export async function replaceFile(file: string, text: string, mode: number): Promise<void> {
  const hidden = join(dirname(file), `.${basename(file)}.${randomUUID()}`);
  const handle = await open(hidden, "wx", mode);
  try {
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(hidden, file);
  } catch (thrown) {
    await unlink(hidden).catch(() => {});
    throw thrown;
  }
  await syncFolder(dirname(file));
}
