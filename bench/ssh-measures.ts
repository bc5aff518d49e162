import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { cpuSeconds, residentMegabytes } from "./proc.ts";
import { SSH_HOST, type SshStage, type SshWay } from "./ssh-ways.ts";
import { percentile } from "./statistics.ts";

type Figures = Readonly<Record<string, number>>;
type SshMeasure = (way: SshWay) => Promise<Figures>;

export interface SshEffort {
  readonly rounds: number;
  readonly keys: number;
  readonly logIns: number;
  readonly megabytes: number;
  readonly sessions: number;
}

export const SSH_FULL: SshEffort = { rounds: 5, keys: 400, logIns: 5, megabytes: 500, sessions: 200 };
export const SSH_QUICK: SshEffort = { rounds: 2, keys: 200, logIns: 3, megabytes: 150, sessions: 50 };

/** A person types no faster; back to back, the programs would never sleep, and waking up is what a key costs. */
const KEY_PAUSE_MS = 5;
const KEYS_A_LINE = 50;
/** For what was recorded to be packed, and a collector to have had its turn. */
const SETTLE_MS = 1_000;
const SETTLE_MEMORY_MS = 5_000;
const WARM_UP_SESSIONS = 20;

/** Memory first: it is that of a process that has done nothing else yet. */
export function sshMeasures(stage: SshStage, { keys, logIns, sessions }: SshEffort): [string, SshMeasure][] {
  const { file, megabytes } = stage;
  const copy = `${file}.copy`;
  const fetched = (name: string, program: string, args: readonly string[]): [string, SshMeasure] => [
    name,
    async (way) => moved(way, megabytes, program, args).finally(() => rmSync(copy, { force: true })),
  ];
  return [
    ["ssh/sessions", async (way) => manySessions(way, sessions)],
    ["ssh/set-up", async (way) => setUp(way, logIns)],
    ["ssh/echo", async (way) => echo(way, keys)],
    fetched("ssh/cat", "ssh", [SSH_HOST, `cat ${file}`]),
    fetched("ssh/scp to", "scp", ["-q", file, `${SSH_HOST}:${copy}`]),
    fetched("ssh/scp from", "scp", ["-q", `${SSH_HOST}:${file}`, copy]),
  ];
}

function start({ client }: SshWay, program: string, args: readonly string[], stdio: "ignore" | "pipe"): ChildProcess {
  const options = { env: client.env, stdio: [stdio, stdio, "inherit"] as const };
  return spawn(program, [...client.options, "-o", "LogLevel=ERROR", ...args], {
    ...options,
    stdio: [...options.stdio],
  });
}

async function succeeded(child: ChildProcess): Promise<void> {
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`${child.spawnargs.join(" ")} ended with ${code}`);
}

/** Milliseconds of a whole `ssh host true`. */
async function setUp(way: SshWay, times: number): Promise<Figures> {
  const taken: number[] = [];
  for (let more = times; more > 0; more--) {
    const began = performance.now();
    await succeeded(start(way, "ssh", [SSH_HOST, "true"], "ignore"));
    taken.push(performance.now() - began);
  }
  return {
    ms: percentile(
      taken.toSorted((a, b) => a - b),
      50,
    ),
  };
}

/** A file is moved once, log-in included; of the process in between, CPU seconds a gigabyte until it rests again. */
async function moved(way: SshWay, megabytes: number, program: string, args: readonly string[]): Promise<Figures> {
  const cpu = cpuOf(way);
  const began = performance.now();
  await succeeded(start(way, program, args, "ignore"));
  const seconds = (performance.now() - began) / 1_000;
  await delay(SETTLE_MS);
  return { rate: megabytes / seconds, ...perUnit("cpuPerGigabyte", cpu, megabytes / 1_000) };
}

/** A key typed on a terminal, until the terminal's echo of it is back, µs. */
async function echo(way: SshWay, keys: number): Promise<Figures> {
  const child = start(way, "ssh", ["-tt", SSH_HOST, "stty -echoctl; echo ready; exec cat"], "pipe");
  const screen = reading(child);
  await screen.until((text) => text.includes("ready\r\n"));
  const latencies: number[] = [];
  for (let typed = 0; typed < keys; typed += 1) {
    const line = typed % KEYS_A_LINE === KEYS_A_LINE - 1;
    const length = line ? 2 + (KEYS_A_LINE - 1) + 2 : 1; // the line's end, and what cat makes of the line
    screen.clear();
    const sent = performance.now();
    child.stdin?.write(line ? "\n" : "x");
    await screen.until((text) => text.length >= length);
    if (!line) latencies.push((performance.now() - sent) * 1_000);
    await delay(KEY_PAUSE_MS);
  }
  child.stdin?.end("\u0004");
  await once(child, "exit");
  const sorted = latencies.toSorted((a, b) => a - b);
  return { p50: percentile(sorted, 50), p99: percentile(sorted, 99) };
}

/** Clients that all log in at once, and then wait: seconds until the last is in, CPU a log-in, memory a session. */
async function manySessions(way: SshWay, sessions: number): Promise<Figures> {
  await opened(way, WARM_UP_SESSIONS).then(async (warm) => warm.close());
  await delay(SETTLE_MEMORY_MS);
  const cpu = cpuOf(way);
  const before = way.pid === undefined ? 0 : residentMegabytes(way.pid);
  const began = performance.now();
  const all = await opened(way, sessions);
  const seconds = (performance.now() - began) / 1_000;
  const spent = perUnit("cpuPerLogIn", cpu, sessions / 1_000); // in milliseconds
  await delay(SETTLE_MEMORY_MS);
  const memory = way.pid === undefined ? {} : { kilobytes: ((residentMegabytes(way.pid) - before) / sessions) * 1_000 };
  await all.close();
  return { seconds, ...spent, ...memory };
}

async function opened(way: SshWay, sessions: number): Promise<{ close(): Promise<void> }> {
  const children = Array.from({ length: sessions }, () =>
    start(way, "ssh", [SSH_HOST, "echo ready; exec cat"], "pipe"),
  );
  await Promise.all(children.map(async (child) => reading(child).until((text) => text.includes("ready"))));
  return {
    close: async () => {
      const ended = children.map(async (child) => once(child, "exit"));
      for (const child of children) child.stdin?.end();
      await Promise.all(ended);
    },
  };
}

/** What a program has written, as it comes. */
function reading(child: ChildProcess): { until(enough: (text: string) => boolean): Promise<void>; clear(): void } {
  let text = "";
  let check = (): void => {};
  child.stdout?.on("data", (bytes: Buffer) => {
    text += bytes.toString("latin1");
    check();
  });
  return {
    clear: () => void (text = ""),
    until: async (enough) =>
      new Promise((done, failed) => {
        const gone = (): void => failed(new Error(`${child.spawnargs.join(" ")} ended early`));
        child.once("exit", gone);
        check = () => {
          if (!enough(text)) return;
          child.off("exit", gone);
          done();
        };
        check();
      }),
  };
}

function cpuOf({ pid }: SshWay): () => number | undefined {
  const before = pid === undefined ? 0 : cpuSeconds(pid);
  return () => (pid === undefined ? undefined : cpuSeconds(pid) - before);
}

function perUnit(name: string, cpu: () => number | undefined, units: number): Figures {
  const spent = cpu();
  return spent === undefined ? {} : { [name]: spent / units };
}
