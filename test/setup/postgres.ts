import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPostgres } from "../../local/embedded-postgres.ts";
import type { PostgresOptions, RunningPostgres } from "../../local/embedded-postgres.ts";
import { debianBinaries, embeddedBinaries } from "../../local/embedded-postgres-binaries.ts";
import type { PostgresBinaries } from "../../local/embedded-postgres-binaries.ts";

export interface PostgresServer {
  readonly version: number;
  /**
   * A fresh cluster in a temporary directory that stop() removes, without fsync (a test's data need not survive the machine).
   * What is not given: SCRAM, no TLS, a free port, the password `superuser-secret`.
   */
  readonly start: (options?: Partial<PostgresOptions>) => Promise<RunningPostgres>;
}

/** The servers that are on this machine, so that a journey can loop over them: 18 always, 15 where Debian's is installed. */
export function postgresServers(): readonly PostgresServer[] {
  const installed = debianBinaries(15);
  return [embeddedBinaries(), ...(installed ? [installed] : [])].map(testServer);
}

function testServer(binaries: PostgresBinaries): PostgresServer {
  return {
    version: binaries.version,
    start: async (options = {}) => {
      const parent = await mkdtemp(join(tmpdir(), "sallyport-test-postgres-"));
      await chmod(parent, 0o755);
      const remove = async () => rm(parent, { recursive: true, force: true });
      try {
        const server = await startPostgres(binaries, {
          superuserPassword: "superuser-secret",
          directory: join(parent, "cluster"),
          ...options,
          settings: { fsync: "off", ...options.settings },
        });
        const stop = async () => {
          await server.stop();
          await remove();
        };
        return { ...server, stop };
      } catch (thrown) {
        await remove();
        throw thrown;
      }
    },
  };
}
