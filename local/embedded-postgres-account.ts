import { cp } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { PostgresBinaries } from "./embedded-postgres-binaries.ts";
import { type Account, reachable, unprivilegedAccount } from "./unprivileged-account.ts";

/** PostgreSQL refuses to run as root. */
export function serverAccount(): Account {
  return unprivilegedAccount("PostgreSQL", ["postgres", "nobody"]);
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
