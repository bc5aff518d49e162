// A client in a process of its own: takes a job as JSON in its argument, prints what it measured as a line of JSON.
import { setTimeout as delay } from "node:timers/promises";
import { bindExecute, openLink, parse, simpleQuery, SYNC } from "./link.ts";
import type { Address, Link } from "./link.ts";
import type { Job } from "./jobs.ts";
import { percentile } from "./statistics.ts";

/** Opening a thousand sessions at once would measure the listen queue. */
const OPEN_AT_ONCE = 16;
const QUERY = "select abalance from pgbench_accounts where aid = ";

const given = JSON.parse(process.argv[2] ?? "{}") as Job & { address: Address };
switch (given.kind) {
  case "select":
    print(await select(given));
    break;
  case "bulk":
    print(await bulk(given));
    break;
  case "loop":
    await loop(given.address, given.sql);
    break;
  case "idle":
    await idle(given.address, given.sessions);
    break;
}

function print(figures: Record<string, number>): void {
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}

/** Closed loops of single-row selects by primary key: the own driver where pgbench is absent, and the one beside a bulk reader. */
async function select(job: Extract<Job, { kind: "select" }> & { address: Address }): Promise<Record<string, number>> {
  const links = await Promise.all(Array.from({ length: job.clients }, async () => openLink(job.address)));
  if (job.mode === "prepared") {
    for (const link of links) await link.exchange(Buffer.concat([parse("s", `${QUERY}$1`), SYNC]));
  }
  const latencies: number[] = [];
  const began = performance.now();
  const until = began + job.seconds * 1_000;
  const client = async (link: Link) => {
    while (performance.now() < until) {
      const frames = selectFrames(job.mode, 1 + Math.floor(Math.random() * job.rows));
      const sent = performance.now();
      await link.exchange(frames);
      latencies.push((performance.now() - sent) * 1_000);
      if (job.pauseMs > 0) await delay(job.pauseMs);
    }
  };
  await Promise.all(links.map(client));
  const seconds = (performance.now() - began) / 1_000;
  for (const link of links) link.close();
  const sorted = Float64Array.from(latencies).toSorted();
  return {
    tps: latencies.length / seconds,
    transactions: latencies.length,
    p50: percentile(sorted, 50),
    p99: percentile(sorted, 99),
  };
}

function selectFrames(mode: "simple" | "extended" | "prepared", key: number): Buffer {
  if (mode === "simple") return simpleQuery(`${QUERY}${key}`);
  if (mode === "prepared") return Buffer.concat([bindExecute("s", key), SYNC]);
  return Buffer.concat([parse("", `${QUERY}$1`), bindExecute("", key), SYNC]);
}

async function bulk(job: Extract<Job, { kind: "bulk" }> & { address: Address }): Promise<Record<string, number>> {
  const link = await openLink(job.address);
  let bytes = 0;
  const began = performance.now();
  for (let time = 0; time < job.times; time += 1) bytes += await link.exchange(simpleQuery(job.sql));
  const seconds = (performance.now() - began) / 1_000;
  link.close();
  return { megabytes: bytes / 1e6, seconds, rate: bytes / 1e6 / seconds };
}

/** Reads on and on, until the parent closes our standard input. */
async function loop(address: Address, sql: string): Promise<void> {
  const link = await openLink(address);
  const stopped = new AbortController();
  process.stdin.on("end", () => stopped.abort()).resume();
  print({ ready: 1 });
  let bytes = 0;
  const began = performance.now();
  while (!stopped.signal.aborted) bytes += await link.exchange(simpleQuery(sql));
  print({ rate: bytes / 1e3 / (performance.now() - began) });
  link.close();
}

async function idle(address: Address, sessions: number): Promise<void> {
  const links: Link[] = [];
  const open = async () => {
    while (links.length < sessions) {
      const index = links.length;
      links.length += 1;
      const link = await openLink(address);
      await link.exchange(simpleQuery("select 1"));
      links[index] = link;
    }
  };
  await Promise.all(Array.from({ length: OPEN_AT_ONCE }, open));
  print({ ready: 1 });
  await new Promise((resolve) => process.stdin.on("end", resolve).resume());
  for (const link of links) link.close();
}
