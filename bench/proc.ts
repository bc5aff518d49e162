import { readFileSync, readdirSync } from "node:fs";

/** Linux's USER_HZ: the unit of utime and stime in /proc/<pid>/stat, proc(5). */
const TICKS_PER_SECOND = 100;

/** A process and all that it started, as they are now. */
function family(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    const fields = /^\d+$/.test(name) ? stat(Number(name)) : undefined;
    if (fields) parents.set(Number(name), Number(fields[1]));
  }
  const members = [pid];
  for (const member of members) {
    for (const [child, parent] of parents) if (parent === member) members.push(child);
  }
  return members;
}

/** From field 3 (the state) on: the command before it may hold spaces. Undefined for a process that is gone. */
function stat(pid: number): string[] | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, "utf8");
    return line.slice(line.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

/** Seconds of CPU, user and system, of the process with all its threads and children. */
export function cpuSeconds(pid: number): number {
  const ticks = family(pid).map((member) => {
    const fields = stat(member);
    return Number(fields?.[11] ?? 0) + Number(fields?.[12] ?? 0);
  });
  return ticks.reduce((sum, value) => sum + value, 0) / TICKS_PER_SECOND;
}

/** Resident memory of the process and its children, in MB (10^6 bytes). */
export function residentMegabytes(pid: number): number {
  const kibibytes = family(pid).map((member) => {
    try {
      return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${member}/status`, "utf8"))?.[1] ?? 0);
    } catch {
      return 0;
    }
  });
  return (kibibytes.reduce((sum, value) => sum + value, 0) * 1024) / 1e6;
}
