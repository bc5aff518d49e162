import { readFileSync, statSync } from "node:fs";
import { chown, cp, lstat, mkdir, mkdtemp, realpath, rmdir, symlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { SallyportError } from "../core/errors.ts";
import type { PostgresBinaries } from "./embedded-postgres-binaries.ts";

/** Whom the server runs as: empty for "as we do". */
export interface Account {
  readonly uid?: number;
  readonly gid?: number;
}

/** PostgreSQL refuses to run as root, so root starts it as the first of these that the system has. No account is ever made. */
const SERVER_ACCOUNTS = ["postgres", "nobody"];
/** Reachable by every account, and kept over a restart of the machine. */
const COMMON_FOLDER = "/var/tmp";

export function serverAccount(): Account {
  if (process.getuid?.() !== 0) return {};
  const rows = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  for (const name of SERVER_ACCOUNTS) {
    const row = rows.find((fields) => fields[0] === name);
    if (row) return { uid: Number(row[2]), gid: Number(row[3]) };
  }
  throw new SallyportError("configuration-invalid", "PostgreSQL does not run as root, and there is no other account", {
    hint: "Run Sallyport as a user other than root, or add a system user `postgres`.",
  });
}

/**
 * The folder for a cluster, made and owned by the account. Where the account cannot reach it (it is below /root, say), the folder is made
 * in /var/tmp, and what was asked for becomes a symbolic link to it.
 */
export async function reachableHome(directory: string, account: Account): Promise<string> {
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
  const home = await mkdtemp(join(COMMON_FOLDER, "sallyport-postgres-"));
  await chown(home, account.uid, account.gid ?? account.uid);
  await symlink(home, asked);
  return home;
}

/** The binaries, copied next to the cluster where the account cannot reach them (60 MB). */
export async function reachableBinaries(
  binaries: PostgresBinaries,
  home: string,
  account: Account,
): Promise<PostgresBinaries> {
  const from = binaries.relocatable;
  if (from === undefined || account.uid === undefined || reachable(dirname(binaries.postgres), account))
    return binaries;
  const to = join(home, `postgresql-${binaries.version}`);
  await cp(from, to, { recursive: true, verbatimSymlinks: true, force: false });
  return { ...binaries, initdb: join(to, "bin", "initdb"), postgres: join(to, "bin", "postgres"), relocatable: to };
}

/** Whether the account may pass through every folder on the way (POSIX path resolution: search permission). */
export function reachable(folder: string, account: Required<Account> | Account): boolean {
  const { gid, mode, uid } = statSync(folder);
  const shift = uid === account.uid ? 6 : gid === account.gid ? 3 : 0;
  const passes = (mode & (0o1 << shift)) !== 0;
  return passes && (dirname(folder) === folder || reachable(dirname(folder), account));
}
