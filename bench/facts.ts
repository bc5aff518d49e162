import { execFileSync } from "node:child_process";
import { cpus, loadavg, release, totalmem } from "node:os";
import { pgbouncerVersion } from "./pgbouncer.ts";

/** What a reader needs to know before believing a figure. */
export function machineFacts(postgresVersion: string) {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryMegabytes: Math.round(totalmem() / 1e6),
    kernel: release(),
    node: process.version,
    postgres: postgresVersion,
    pgbouncer: pgbouncerVersion() ?? "not installed",
    pgbench: firstLine("pgbench", "--version"),
    commit: firstLine("git", "rev-parse", "HEAD"),
    uncommitted: firstLine("git", "status", "--porcelain", "--untracked-files=no") !== "",
  };
}

/** The load of the last minute: others' work on the machine, at the start; ours with it, at the end. */
export function load(): number {
  return loadavg()[0] ?? 0;
}

function firstLine(command: string, ...args: string[]): string {
  try {
    return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).split("\n")[0] ?? "";
  } catch {
    return "not installed";
  }
}
