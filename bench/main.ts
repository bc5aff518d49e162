import { mkdir, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError, Option } from "commander";
import { COMPETITORS, startCompetitors } from "./competitors.ts";
import type { Competitor, CompetitorName } from "./competitors.ts";
import { load, machineFacts } from "./facts.ts";
import { FULL, interleave, MEASURES, measuresOf, QUICK } from "./measures.ts";
import type { Effort, MeasureName, Sample } from "./measures.ts";
import { report } from "./report.ts";
import { measureSsh, opensshVersion } from "./ssh.ts";
import { SSH_FULL, SSH_QUICK } from "./ssh-measures.ts";
import { setStage } from "./stage.ts";
import type { Stage } from "./stage.ts";
import { PLAIN_TARGETS, SSH_TARGETS, TLS_TARGETS } from "./targets.ts";

const RESULTS = fileURLToPath(new URL("results", import.meta.url));

interface Options {
  readonly quick?: true;
  readonly tls?: true;
  readonly only: readonly (MeasureName | "ssh")[];
  readonly through: readonly CompetitorName[];
  readonly rounds?: number;
  readonly clients?: readonly number[];
  readonly modes?: Effort["modes"];
  readonly save: boolean;
  readonly profile?: string;
}

const options = new Command("bench")
  .description("Measures Sallyport against a direct connection and pgbouncer, as ratios")
  .option("--quick", "two short rounds: enough to see that something broke, not to compare")
  .option("--tls", "also with TLS towards the client: us and pgbouncer with the same certificate (select and bulk)")
  .addOption(list("--only <names>", "measures", [...MEASURES, "ssh"]))
  .addOption(
    list("--through <names>", "ways to the server", COMPETITORS, ["direct", "pgbouncer", "sallyport", "guarded"]),
  )
  .addOption(list("--modes <names>", "pgbench's query modes", FULL.modes))
  .option("--clients <counts>", "pgbench's clients, such as 1,8", (text) => text.split(",").map(count))
  .option("--rounds <n>", "rounds", count)
  .option("--profile <folder>", "write the gateway's CPU profiles there (slows it down)")
  .option("--no-save", "do not write bench/results")
  .parse()
  .opts<Options>();

/** What there is to stop, should we be interrupted. */
let running: readonly Competitor[] = [];
const stages: { stop(): Promise<void> }[] = [];
const log = (line: string) => process.stderr.write(process.stderr.isTTY ? `\r\u001B[K${line}` : `${line}\n`);
if (load() > cpus().length / 4)
  log(`the machine is busy (load ${load().toFixed(1)}): expect noise, and compare nothing`);
// All that we started ends with us, except for what it wrote.
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    void Promise.allSettled(running.map(async ({ stop }) => stop()))
      .then(async () => Promise.allSettled(stages.map(async (stage) => stage.stop())))
      .finally(() => process.exit(1));
  });
}
if (options.only.some((name) => name !== "ssh")) await runPostgres();
if (options.only.includes("ssh")) await runSsh();

async function runPostgres(): Promise<void> {
  const stage = await setStage(log);
  stages.push(stage);
  try {
    await run(stage, false);
    if (options.tls) await run(stage, true);
  } finally {
    await stage.stop();
  }
}

async function runSsh(): Promise<void> {
  const { quick, rounds, profile, save: saves } = options;
  const given = quick ? SSH_QUICK : SSH_FULL;
  const effort = { ...given, rounds: rounds ?? given.rounds };
  const facts = { ...machineFacts("not used"), openssh: opensshVersion() };
  const loadBefore = load();
  const began = new Date();
  const profiling = profile === undefined ? {} : { profile: resolve(profile) };
  const samples = await measureSsh({ effort, ...profiling }, log, (stage) => stages.push(stage));
  log("");
  console.log(`\nSSH; ${effort.rounds} rounds\n\n${report(samples, SSH_TARGETS)}`);
  const loads = { loadBefore, loadAfter: load() };
  if (saves) await save(began, ["ssh"], { ...facts, ...loads, effort, samples });
}

/** One table: all measures that were asked for, without or with TLS. */
async function run(on: Stage, tls: boolean): Promise<void> {
  const effort = effortOf(options);
  const facts = machineFacts(`PostgreSQL ${on.server.version}`);
  const loadBefore = load();
  const began = new Date();
  const samples: Sample[] = [];
  const conditions = { tls, ...(options.profile === undefined ? {} : { profile: resolve(options.profile) }) };
  const competitors = await startCompetitors(options.through, on, conditions, log);
  running = competitors;
  try {
    for (const name of MEASURES.filter((one) => options.only.includes(one))) {
      if (tls && (name === "idle" || name === "beside")) continue;
      // Memory is measured once, in processes that have done nothing else yet.
      const rounds = name === "idle" ? 1 : effort.rounds;
      samples.push(...(await interleave(measuresOf(name, effort), competitors, rounds, log)));
    }
  } finally {
    running = [];
    await Promise.all(competitors.map(async (competitor) => competitor.stop()));
  }
  log("");
  const targets = tls ? TLS_TARGETS : PLAIN_TARGETS;
  console.log(
    `\n${tls ? "TLS towards the client" : "Without TLS"}; ${effort.rounds} rounds\n\n${report(samples, targets)}`,
  );
  const loads = { loadBefore, loadAfter: load() };
  const part = options.only.length <= MEASURES.length ? options.only.filter((name) => name !== "ssh") : [];
  if (options.save) await save(began, [tls ? "tls" : "plain", ...part], { ...facts, ...loads, tls, effort, samples });
}

function effortOf({ quick, rounds, clients, modes }: Options): Effort {
  const effort = quick ? QUICK : FULL;
  return {
    ...effort,
    rounds: rounds ?? effort.rounds,
    clients: clients ?? effort.clients,
    modes: modes ?? effort.modes,
  };
}

async function save(began: Date, names: readonly string[], result: object): Promise<void> {
  const file = `${[began.toISOString().slice(0, 16).replace(":", ""), ...(options.quick ? ["quick"] : []), ...names].join("-")}.json`;
  await mkdir(RESULTS, { recursive: true });
  await writeFile(join(RESULTS, file), `${JSON.stringify({ date: began.toISOString(), ...result }, undefined, 1)}\n`);
  console.log(`\nRaw figures: bench/results/${file}`);
}

function list(flags: string, what: string, choices: readonly string[], standard = choices): Option {
  return new Option(flags, `${what}: ${choices.join(",")}`).default(standard, "").argParser((text: string) => {
    const names = text.split(",");
    const unknown = names.find((name) => !choices.includes(name));
    if (unknown !== undefined) throw new InvalidArgumentError(`"${unknown}" is none of ${choices.join(", ")}.`);
    return names;
  });
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("A whole number from 1 on.");
  return value;
}
