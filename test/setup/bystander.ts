import { spawn } from "node:child_process";
import { once } from "node:events";

/** How long somebody who works undisturbed waits for one small answer. */
const PATIENCE_MS = 10_000;

/** A psql that asks one small question after another, and would notice if anything went wrong. */
export interface Bystander {
  /** Waits for so many more answers; throws if one is wrong, or none comes. */
  works(answers?: number): Promise<void>;
  /** Ends it; throws if it had reason to complain. */
  stop(): Promise<void>;
}

export function bystander(env: NodeJS.ProcessEnv): Bystander {
  const psql = spawn("psql", ["-XqAt"], { env });
  const exited = once(psql, "close");
  const state = { answered: 0, complaint: "" };
  let woken: (() => void)[] = [];
  const wake = (): void => {
    for (const go of woken.splice(0)) go();
  };
  const complain = (about: string): void => {
    state.complaint += about;
    wake();
  };
  psql.stdin.on("error", () => complain("it does not read any more"));
  psql.stderr.on("data", (bytes: Buffer) => complain(bytes.toString()));
  psql.on("close", (status) => (status === 0 ? undefined : complain(`it ended with status ${status}`)));
  let line = "";
  psql.stdout.on("data", (bytes: Buffer) => {
    line += bytes.toString();
    if (!line.endsWith("\n")) return;
    if (line !== `answer ${state.answered}\n`) complain(`it was answered ${JSON.stringify(line)}`);
    line = "";
    state.answered++;
    psql.stdin.write(`select 'answer ${state.answered}';\n`);
    wake();
  });
  psql.stdin.write(`select 'answer 0';\n`);
  return {
    async works(answers = 5) {
      const wanted = state.answered + answers;
      const timer = setTimeout(() => complain("it gets no answer any more"), PATIENCE_MS);
      while (state.answered < wanted && state.complaint === "")
        await new Promise<void>((done) => void woken.push(done));
      clearTimeout(timer);
      if (state.complaint !== "") throw new Error(`somebody else noticed: ${state.complaint}`);
    },
    async stop() {
      psql.stdin.end("\\q\n");
      await exited;
      if (state.complaint !== "") throw new Error(`somebody else noticed: ${state.complaint}`);
    },
  };
}
