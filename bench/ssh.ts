import { execFileSync } from "node:child_process";
import { interleave, type Sample } from "./measures.ts";
import { type SshEffort, sshMeasures } from "./ssh-measures.ts";
import { setSshStage, type SshStage } from "./ssh-ways.ts";

interface SshOptions {
  readonly effort: SshEffort;
  /** Where the gateway's CPU profiles go. */
  readonly profile?: string;
}

/** Measures SSH directly, by `ssh -J` through a second server, through the gateway, and through a pipe, round by round. */
export async function measureSsh(
  { effort, profile }: SshOptions,
  log: (line: string) => void,
  started: (stage: SshStage) => void,
): Promise<Sample[]> {
  const stage = await setSshStage(effort.megabytes, profile);
  started(stage);
  try {
    const samples: Sample[] = [];
    for (const measure of sshMeasures(stage, effort)) {
      // The memory of a process is measured once, before it has done anything else.
      const rounds = measure[0] === "ssh/sessions" ? 1 : effort.rounds;
      samples.push(...(await interleave([measure], stage.ways, rounds, log)));
    }
    return samples;
  } finally {
    await stage.stop();
  }
}

export function opensshVersion(): string {
  try {
    return execFileSync("sh", ["-c", "ssh -V 2>&1"], { encoding: "utf8" }).trim();
  } catch {
    return "not installed";
  }
}
