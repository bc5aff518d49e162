import { randomUUID } from "node:crypto";
import { link, mkdir, open, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** The `code` of a failed system call, such as ENOENT. */
export function systemCode(thrown: unknown): string | undefined {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" ? thrown.code : undefined;
}

/** Makes the names in a folder survive the loss of power. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes a file's bytes survive the loss of power, whoever wrote them. */
export async function syncFile(file: string): Promise<void> {
  const handle = await open(file, "r");
  try {
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

/** Makes a folder and its parents; those that it made survive the loss of power. */
export async function makeFolder(folder: string, mode: number): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode });
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made));
}

/**
 * Writes a file that appears whole or not at all, and never over another: the bytes are on disk under a hidden
 * name before link(2), which refuses a name that is taken, gives them theirs. A crash leaves at most the hidden file.
 * The name itself is durable only after `syncFolder`.
 * @returns false when the name is taken
 */
export async function writeOnce(path: string, bytes: Uint8Array, mode: number): Promise<boolean> {
  const hidden = join(dirname(path), `.${basename(path)}.${randomUUID()}`);
  const handle = await open(hidden, "wx", mode);
  try {
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await link(hidden, path);
    return true;
  } catch (thrown) {
    if (systemCode(thrown) === "EEXIST") return false;
    throw thrown;
  } finally {
    await unlink(hidden);
  }
}
