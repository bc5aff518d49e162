import type { Reporter, TestModule, TestSuite } from "vitest/node";

const MARK = "left out: ";

/** The name of a suite that cannot run on this machine, from which the run's last lines are made. */
export function leftOutName(suite: string, needs: string, how: string): string {
  return `${MARK}${suite}. They need ${needs}: ${how}`;
}

/** Says at the very end what did not run for want of a program, and how to get it. */
export function leftOutReporter(write: (text: string) => void = (text) => process.stdout.write(text)): Reporter {
  return {
    onTestRunEnd(modules: readonly TestModule[]) {
      const leftOut = modules
        .flatMap((module) => [...module.children.suites()])
        .filter(({ name }) => name.startsWith(MARK));
      if (leftOut.length > 0) write(`\nNOT run on this machine:\n${leftOut.map(lines).join("")}`);
    },
  };
}

function lines(suite: TestSuite): string {
  const tests = [...suite.children.allTests()].length;
  const inner = [...suite.children.suites()].map(({ name }) => `    ${name}\n`);
  return `  ${tests} tests of ${suite.name.slice(MARK.length)}\n${inner.join("")}`;
}
