import { statfs } from "node:fs/promises";
import { SallyportError } from "../../core/errors.ts";

/** With less room than this on the spool's disk, sessions end rather than go unrecorded. */
const MIN_FREE_BYTES = 256 * 2 ** 20;

/** Why nothing more may be recorded into this folder; undefined while there is room. */
export async function spoolFault(directory: string): Promise<SallyportError | undefined> {
  try {
    const { bavail, bsize } = await statfs(directory);
    if (bavail * bsize >= MIN_FREE_BYTES) return undefined;
    return new SallyportError("limit-exceeded", "the disk that holds the recordings is full");
  } catch (cause) {
    return new SallyportError("recording-failed", "the disk that holds the recordings cannot be read", { cause });
  }
}
