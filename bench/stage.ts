import { execFileSync } from "node:child_process";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { debianBinaries, embeddedBinaries } from "../local/embedded-postgres-binaries.ts";
import { startPostgres } from "../local/embedded-postgres.ts";
import type { RunningPostgres } from "../local/embedded-postgres.ts";

/** What the measures read: as the shapes of a real database go, narrow, wide, and much. */
const PGBENCH_SCALE = 10;
export const ACCOUNTS = PGBENCH_SCALE * 100_000;
const TABLES = `
create table pgbench_branches (bid int not null primary key, bbalance int, filler char(88));
create table pgbench_accounts (aid int not null, bid int, abalance int, filler char(84)) with (fillfactor = 100);
insert into pgbench_branches select g, 0, '' from generate_series(1, ${PGBENCH_SCALE}) g;
insert into pgbench_accounts select g, (g - 1) / 100000 + 1, 0, '' from generate_series(1, ${ACCOUNTS}) g;
alter table pgbench_accounts add primary key (aid);
create table narrow as select g as id, g % 977 as kind from generate_series(1, 1000000) g;
create table wide as
  select g as id, 'customer ' || g || ' of the example shop' as name, md5(g::text) || '@example.org' as email,
         'Order ' || g || ': ' || repeat(md5((g * 7)::text) || ' please leave it with the neighbours, ', 12) as note
    from generate_series(1, 100000) g;
create table much as
  select g as id, 'customer ' || g % 6000 as customer, md5(g::text) as reference,
         'Shipped to customer ' || g % 6000 || ': ' || repeat(md5((g * 7)::text) || ' left with the neighbours, ', 7) as note
    from generate_series(1, 400000) g;`;

const ROLE = "bench";
const DATABASE = "bench";

export interface Stage {
  readonly server: RunningPostgres;
  readonly directory: string;
  readonly tls: { readonly cert: string; readonly key: string };
  /** May only read. Trusted without a password: how anybody logs in is not what is measured. */
  readonly user: string;
  readonly database: string;
  readonly stop: () => Promise<void>;
}

/** PostgreSQL 15 where it is installed, else the embedded 18, with everything loaded, cached and vacuumed, so that disks do not matter. */
export async function setStage(log: (line: string) => void): Promise<Stage> {
  const directory = await mkdtemp(join(tmpdir(), "sallyport-bench-"));
  await chmod(directory, 0o755);
  const tls = await certificate(directory);
  const server = await startPostgres(debianBinaries(15) ?? embeddedBinaries(), {
    directory: join(directory, "postgres"),
    superuserPassword: "superuser",
    tls,
    hba: [`host all ${ROLE} 127.0.0.1/32 trust`, "host all all 127.0.0.1/32 scram-sha-256"],
    settings: {
      max_connections: "2300",
      shared_buffers: "1GB",
      fsync: "off",
      autovacuum: "off",
      jit: "off",
      max_wal_size: "8GB",
      max_parallel_workers_per_gather: "0",
    },
  });
  const stop = async () => {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    log(`loading PostgreSQL ${server.version}`);
    await load(server);
  } catch (thrown) {
    await stop();
    throw thrown;
  }
  return { server, directory, tls, user: ROLE, database: DATABASE, stop };
}

async function load(server: RunningPostgres): Promise<void> {
  const connect = async (database: string) => {
    const { host, port, superuser: user, password } = server;
    const client = new Client({ host, port, user, password, database });
    await client.connect();
    return client;
  };
  const admin = await connect("postgres");
  await admin.query(`create role ${ROLE} login`);
  await admin.query(`create database ${DATABASE}`);
  await admin.end();
  const client = await connect(DATABASE);
  await client.query(TABLES);
  await client.query(`grant select on all tables in schema public to ${ROLE}`);
  await client.query("vacuum analyze");
  await client.query("checkpoint");
  await client.end();
}

async function certificate(directory: string): Promise<{ cert: string; key: string }> {
  const [cert, key] = [join(directory, "tls.crt"), join(directory, "tls.key")];
  const name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  execFileSync("openssl", ["req", "-x509", "-days", "2", ...kind, ...name, "-keyout", key, "-out", cert], {
    stdio: "pipe",
  });
  return { cert: await readFile(cert, "utf8"), key: await readFile(key, "utf8") };
}
