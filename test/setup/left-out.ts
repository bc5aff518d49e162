import type { Reporter, TestModule } from "vitest/node";

const MARK = "left out: ";

/** The name of a suite that cannot run on this machine, from which the run's last lines are made. */
export function leftOutName(suite: string, needs: string, how: string): string {
  return `${MARK}${suite} — needs ${needs}: ${how}`;
}

/** Says at the very end which suites did not run, and how to get them. */
export function leftOutReporter(write: (line: string) => void = (line) => process.stdout.write(line)): Reporter {
  return {
    onTestRunEnd(modules: readonly TestModule[]) {
      const names = modules.flatMap((module) => [...module.children.suites()].map(({ name }) => name));
      const leftOut = names.filter((name) => name.startsWith(MARK));
      if (leftOut.length === 0) return;
      write(`\n${leftOut.length} suites did NOT run on this machine:\n`);
      for (const name of leftOut) write(`  ${name.slice(MARK.length)}\n`);
    },
  };
}
