import { join } from "node:path";
import { BENCH_CONNECTION, startGateway } from "./gateway.ts";
import type { GatewayOptions } from "./gateway.ts";
import type { Address } from "./link.ts";
import { startPipe } from "./pipe-process.ts";
import { pgbouncerVersion, startPgbouncer } from "./pgbouncer.ts";
import type { Stage } from "./stage.ts";

export const COMPETITORS = ["direct", "pgbouncer", "sallyport", "guarded", "pipe"] as const;
export type CompetitorName = (typeof COMPETITORS)[number];
/** Of SSH there is one more: `ssh -J` through a second server. */
export type WayName = CompetitorName | "jump";

/** A way to the same server. */
export interface Competitor {
  readonly name: CompetitorName;
  readonly address: Address;
  /** The process in between whose CPU time and memory count; none for direct. */
  readonly pid: number | undefined;
  readonly stop: () => Promise<void>;
}

export interface Conditions {
  readonly tls: boolean;
  /** Where the gateway's CPU profiles go; profiling slows it down. */
  readonly profile?: string;
}

/** Starts those that were asked for; one that is not installed is left out, and said so. */
export async function startCompetitors(
  names: readonly CompetitorName[],
  stage: Stage,
  conditions: Conditions,
  log: (line: string) => void,
): Promise<Competitor[]> {
  const started: Competitor[] = [];
  try {
    for (const name of names) {
      if (name === "pgbouncer" && pgbouncerVersion() === undefined) {
        log("pgbouncer is not installed: no comparison with it (apt-get install pgbouncer)");
        continue;
      }
      started.push(await start(name, stage, conditions));
    }
    return started;
  } catch (thrown) {
    await Promise.all(started.map(async (competitor) => competitor.stop()));
    throw thrown;
  }
}

async function start(name: CompetitorName, stage: Stage, { tls, profile }: Conditions): Promise<Competitor> {
  const { host, port } = stage.server;
  const direct: Address = { host, port, user: stage.user, password: "", database: stage.database, tls };
  const options: GatewayOptions = {
    target: { host, port, user: stage.user, database: stage.database },
    directory: join(stage.directory, `${name}-${tls ? "tls" : "plain"}`),
    ...(tls ? { tls: stage.tls } : {}),
    ...(profile === undefined ? {} : { profile }),
  };
  if (name === "direct") return { name, address: direct, pid: undefined, stop: async () => {} };
  if (name === "pipe") {
    const files = tls ? [join(stage.directory, "tls.crt"), join(stage.directory, "tls.key")] : [];
    const pipe = await startPipe(port, files);
    return { name, address: { ...direct, port: pipe.port }, pid: pipe.pid, stop: pipe.stop };
  }
  if (name === "pgbouncer") {
    const bouncer = await startPgbouncer(options);
    return {
      name,
      address: { ...direct, host: bouncer.host, port: bouncer.port },
      pid: bouncer.pid,
      stop: bouncer.stop,
    };
  }
  const gateway = await startGateway({ ...options, guarded: name === "guarded" });
  const { pass: password, pid, stop } = gateway;
  const address = { ...direct, host: gateway.host, port: gateway.port, password, database: BENCH_CONNECTION };
  return { name, address, pid, stop };
}
