import { readFileSync, statSync } from "node:fs";
import { chown, lstat, mkdir, mkdtemp, realpath, rmdir, symlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { SallyportError } from "../core/errors.ts";

/** Whom a program runs as: empty for "as we do". */
export interface Account {
  readonly uid?: number;
  readonly gid?: number;
}

/** Reachable by every account, and kept over a restart of the machine. */
const COMMON_FOLDER = "/var/tmp";

/**
 * As whom root starts what must not run as root: the first of these accounts that the system has; none is ever made.
 * Anybody else starts it as they are. Throws `configuration-invalid` where root finds none of them.
 * @param what names the program in the message
 */
export function unprivilegedAccount(what: string, names: readonly string[]): Account {
  if (process.getuid?.() !== 0) return {};
  const rows = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  for (const name of names) {
    const row = rows.find((fields) => fields[0] === name);
    if (row) return { uid: Number(row[2]), gid: Number(row[3]) };
  }
  throw new SallyportError("configuration-invalid", `${what} does not run as root, and there is no other account`, {
    hint: `Run Sallyport as a user other than root, or add a system user \`${names[0]}\`.`,
  });
}

/**
 * A folder made for the account, and owned by it. Where the account cannot reach it (it is below /root, say), the folder is made
 * in /var/tmp, and what was asked for becomes a symbolic link to it.
 * @param prefix what its name begins with there
 */
export async function reachableHome(directory: string, account: Account, prefix: string): Promise<string> {
  const asked = resolve(directory);
  await mkdir(dirname(asked), { recursive: true });
  const there = await lstat(asked).catch(() => undefined);
  if (there?.isSymbolicLink()) return realpath(asked);
  if (account.uid === undefined || reachable(dirname(asked), account)) {
    await mkdir(asked, { recursive: true, mode: 0o700 });
    if (account.uid !== undefined) await chown(asked, account.uid, account.gid ?? account.uid);
    return asked;
  }
  if (there) await rmdir(asked);
  const home = await mkdtemp(join(COMMON_FOLDER, prefix));
  await chown(home, account.uid, account.gid ?? account.uid);
  await symlink(home, asked);
  return home;
}

/** Whether the account may pass through every folder on the way (POSIX path resolution: search permission). */
export function reachable(folder: string, account: Account): boolean {
  const { gid, mode, uid } = statSync(folder);
  const shift = uid === account.uid ? 6 : gid === account.gid ? 3 : 0;
  const passes = (mode & (0o1 << shift)) !== 0;
  return passes && (dirname(folder) === folder || reachable(dirname(folder), account));
}
