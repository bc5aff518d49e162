import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { Address } from "./link.ts";

export type Mode = "simple" | "extended" | "prepared";

/** What a driver process does. */
export type Job =
  | { kind: "select"; mode: Mode; clients: number; seconds: number; rows: number; pauseMs: number }
  | { kind: "bulk"; sql: string; times: number }
  | { kind: "loop"; sql: string }
  | { kind: "idle"; sessions: number };

const DRIVER = fileURLToPath(new URL("driver.ts", import.meta.url));
const figures = z.record(z.string(), z.number());

/** Runs a job to its end and returns what it measured. */
export async function runJob(job: Job, address: Address): Promise<Record<string, number>> {
  const { child, nextLine } = spawnDriver(job, address);
  const line = await nextLine();
  child.stdin?.end();
  if (child.exitCode === null) await once(child, "exit");
  return line;
}

/**
 * Starts a job that goes on until it is stopped.
 * @returns when it is under way; `stop` answers its last figures, if it has any
 */
export async function startJob(job: Job, address: Address): Promise<{ stop(): Promise<Record<string, number>> }> {
  const { child, nextLine } = spawnDriver(job, address);
  await nextLine();
  return {
    stop: async () => {
      const last = nextLine().catch(() => ({}));
      child.stdin?.end();
      if (child.exitCode === null) await once(child, "exit");
      return last;
    },
  };
}

function spawnDriver(
  job: Job,
  address: Address,
): { child: ChildProcess; nextLine: () => Promise<Record<string, number>> } {
  const child = spawn(process.execPath, [DRIVER, JSON.stringify({ ...job, address })], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return {
    child,
    nextLine: async () => {
      const { value, done } = await lines.next();
      if (done) throw new Error(`the driver of ${job.kind} ended without a figure`);
      return figures.parse(JSON.parse(value));
    },
  };
}
