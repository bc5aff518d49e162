import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";

/** What a person at a terminal waits at most. */
const PATIENCE_MS = 20_000;

/** A program on a terminal of its own, as a person would use it. */
export interface Terminal {
  /** Types; `\x03` is Ctrl-C. */
  type(keys: string): void;
  /** Waits until what has come since the last call holds this; answers it up to there. */
  shows(pattern: RegExp): Promise<string>;
  /** Waits until the program has ended. */
  ended(): Promise<void>;
  /** Ends it however it is. */
  kill(): void;
}

/** Runs a shell command on a pseudo-terminal, by script(1). */
export function terminal(command: string, env: NodeJS.ProcessEnv, term = "dumb"): Terminal {
  const linux = ["-qfec", command, "/dev/null"];
  const bsd = ["-q", "/dev/null", "sh", "-c", command];
  const child = spawn("script", process.platform === "linux" ? linux : bsd, {
    env: { ...env, TERM: term },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exited = once(child, "close");
  let shown = "";
  child.stdin.on("error", () => {});
  child.stdout.on("data", (bytes: Buffer) => (shown += bytes.toString().replaceAll("\r", "")));
  return {
    type: (keys) => void child.stdin.write(keys),
    async shows(pattern) {
      for (const until = Date.now() + PATIENCE_MS; Date.now() < until; await delay(10)) {
        const found = pattern.exec(shown);
        if (found === null) continue;
        const upTo = found.index + found[0].length;
        const text = shown.slice(0, upTo);
        shown = shown.slice(upTo);
        return text;
      }
      throw new Error(`the terminal does not show ${String(pattern)}, but: ${shown}`);
    },
    async ended() {
      await exited;
    },
    kill: () => void child.kill("SIGKILL"),
  };
}
