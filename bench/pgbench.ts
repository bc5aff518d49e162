import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Mode } from "./jobs.ts";
import type { Address } from "./link.ts";
import { percentile } from "./statistics.ts";

/** pgbench needs a second thread only where several clients could starve one. */
const threads = (clients: number) => (clients > 1 ? 2 : 1);

export function hasPgbench(): boolean {
  return spawnSync("pgbench", ["--version"], { stdio: "ignore" }).status === 0;
}

/**
 * `pgbench --select-only` for some seconds.
 * @returns tps without the time to connect, transactions, and at one client the latencies' p50 and p99 in µs
 */
export async function pgbench(address: Address, mode: Mode, clients: number, seconds: number) {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-bench-pgbench-"));
  try {
    const log = clients === 1 ? ["--log"] : [];
    const args = ["-n", "-S", "-M", mode, "-c", String(clients), "-j", String(threads(clients)), "-T", String(seconds)];
    const { stdout } = await promisify(execFile)("pgbench", [...args, ...log, address.database], {
      cwd: folder,
      env: { ...process.env, ...clientEnvironment(address) },
    });
    const tps = number(/tps = ([\d.]+) \(without/, stdout);
    const transactions = number(/transactions actually processed: (\d+)/, stdout);
    if (clients > 1) return { tps, transactions };
    const latencies = await logged(folder);
    return { tps, transactions, p50: percentile(latencies, 50), p99: percentile(latencies, 99) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** libpq's variables; whatever the caller had set of them is of no interest here. */
function clientEnvironment(address: Address): NodeJS.ProcessEnv {
  return {
    PGHOST: address.host,
    PGPORT: String(address.port),
    PGUSER: address.user,
    PGPASSWORD: address.password,
    PGSSLMODE: address.tls ? "require" : "disable",
    PGGSSENCMODE: "disable",
    PGOPTIONS: "",
  };
}

function number(pattern: RegExp, text: string): number {
  const found = pattern.exec(text)?.[1];
  if (found === undefined) throw new Error(`pgbench said something else:\n${text}`);
  return Number(found);
}

/** pgbench's per-transaction log: client, transaction, latency in µs, … */
async function logged(folder: string): Promise<Float64Array> {
  const files = (await readdir(folder)).filter((name) => name.startsWith("pgbench_log."));
  const texts = await Promise.all(files.map(async (name) => readFile(join(folder, name), "utf8")));
  const lines = texts.join("").trimEnd().split("\n");
  return Float64Array.from(lines, (line) => Number(line.split(" ")[2])).toSorted();
}
