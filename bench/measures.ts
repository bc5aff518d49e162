import { setTimeout as delay } from "node:timers/promises";
import type { Competitor, WayName } from "./competitors.ts";
import { runJob, startJob } from "./jobs.ts";
import type { Mode } from "./jobs.ts";
import { hasPgbench, pgbench } from "./pgbench.ts";
import { cpuSeconds, residentMegabytes } from "./proc.ts";
import { ACCOUNTS } from "./stage.ts";

/** One competitor's figures of one round. */
export interface Sample {
  /** `select/prepared/8`, `bulk/wide`, `idle`, `beside`, `ssh/echo` */
  readonly what: string;
  readonly competitor: WayName;
  readonly round: number;
  readonly figures: Readonly<Record<string, number>>;
}

export interface Effort {
  readonly rounds: number;
  /** Of one run of pgbench. */
  readonly seconds: number;
  readonly clients: readonly number[];
  readonly modes: readonly Mode[];
  /** How often a bulk query is read in one run. */
  readonly times: number;
  readonly sessions: number;
}

export const FULL: Effort = {
  rounds: 5,
  seconds: 4,
  clients: [1, 8, 32],
  modes: ["simple", "extended", "prepared"],
  times: 3,
  sessions: 1_000,
};
export const QUICK: Effort = { ...FULL, rounds: 2, seconds: 1.5, clients: [1, 8], times: 1 };

/** In the order in which they run: memory first. */
export const MEASURES = ["idle", "select", "bulk", "beside"] as const;
export type MeasureName = (typeof MEASURES)[number];
type Measure<Way> = (way: Way) => Promise<Readonly<Record<string, number>>>;

const BULK = {
  narrow: "select id, kind from narrow",
  wide: "select * from wide",
  copy: "copy much to stdout",
} as const;
/** Long enough for a garbage collector to have had its turn. */
const SETTLE_MS = 4_000;
const WARM_UP_SESSIONS = 50;
const BESIDE_PAUSE_MS = 2;

/** Everything that a measure of this name consists of: what, and how it is taken of one competitor once. */
export function measuresOf(name: MeasureName, effort: Effort): [string, Measure<Competitor>][] {
  const all: Record<MeasureName, () => [string, Measure<Competitor>][]> = {
    idle: () => [["idle", async (competitor) => idle(competitor, effort.sessions)]],
    select: () =>
      effort.modes.flatMap((mode) =>
        effort.clients.map((clients): [string, Measure<Competitor>] => [
          `select/${mode}/${clients}`,
          async (competitor) => select(competitor, mode, clients, effort.seconds),
        ]),
      ),
    bulk: () =>
      Object.entries(BULK).map(([what, sql]): [string, Measure<Competitor>] => [
        `bulk/${what}`,
        async (competitor) => bulk(competitor, sql, effort.times),
      ]),
    beside: () => [["beside", async (competitor) => beside(competitor, effort.seconds)]],
  };
  return all[name]();
}

/** Runs a measure round by round, every competitor in each, each round starting with another one. */
export async function interleave<Way extends { readonly name: WayName }>(
  measures: readonly [string, Measure<Way>][],
  competitors: readonly Way[],
  rounds: number,
  log: (line: string) => void,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const [what, measure] of measures) {
      for (let turn = 0; turn < competitors.length; turn += 1) {
        const competitor = competitors[(turn + round) % competitors.length];
        if (!competitor) continue;
        log(`round ${round + 1}/${rounds}: ${what} ${competitor.name}`);
        samples.push({ what, competitor: competitor.name, round, figures: await measure(competitor) });
      }
    }
  }
  return samples;
}

async function select({ address, pid }: Competitor, mode: Mode, clients: number, seconds: number) {
  const before = pid === undefined ? 0 : cpuSeconds(pid);
  const figures: Record<string, number> = hasPgbench()
    ? await pgbench(address, mode, clients, Math.max(1, Math.round(seconds)))
    : await runJob({ kind: "select", mode, clients, seconds, rows: ACCOUNTS, pauseMs: 0 }, address);
  if (pid === undefined) return figures;
  const cpu = cpuSeconds(pid) - before;
  return { ...figures, cpuPerQuery: (cpu / (figures["transactions"] ?? Number.NaN)) * 1e6 };
}

async function bulk({ address, pid }: Competitor, sql: string, times: number) {
  const before = pid === undefined ? 0 : cpuSeconds(pid);
  const figures = await runJob({ kind: "bulk", sql, times }, address);
  if (pid === undefined) return figures;
  return { ...figures, cpuPerGigabyte: ((cpuSeconds(pid) - before) / (figures["megabytes"] ?? Number.NaN)) * 1e3 };
}

/** Memory of the process in between, before and with idle sessions. The first sessions of all are not counted: they load code. */
async function idle({ address, pid }: Competitor, sessions: number) {
  if (pid === undefined) return {};
  const warmUp = await startJob({ kind: "idle", sessions: WARM_UP_SESSIONS }, address);
  await warmUp.stop();
  await delay(SETTLE_MS);
  const before = residentMegabytes(pid);
  const job = await startJob({ kind: "idle", sessions }, address);
  await delay(SETTLE_MS);
  const during = residentMegabytes(pid);
  await job.stop();
  await delay(SETTLE_MS);
  return { before, during, added: during - before };
}

/** Small queries, one client with a short pause between them, while another client reads wide rows without end. */
async function beside({ address }: Competitor, seconds: number) {
  const reader = await startJob({ kind: "loop", sql: BULK.wide }, address);
  const figures = await runJob(
    { kind: "select", mode: "prepared", clients: 1, seconds, rows: ACCOUNTS, pauseMs: BESIDE_PAUSE_MS },
    address,
  );
  const { rate } = await reader.stop();
  return { ...figures, ...(rate === undefined ? {} : { bulkRate: rate }) };
}
