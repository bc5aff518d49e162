import { type SpawnOptions, spawn } from "node:child_process";
import { accessSync, constants as access, statSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, join } from "node:path";

/** The full path of a program; undefined where there is none of that name. */
export function findProgram(name: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const candidates = (env["PATH"] ?? "")
    .split(delimiter)
    .filter(Boolean)
    .map((folder) => join(folder, name));
  return candidates.find(isProgram);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, access.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/**
 * Runs a program in the foreground to its end, at this terminal.
 * @returns its status; 128 and the number of the signal that ended it, as shells say it
 */
export function runInForeground(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const options: SpawnOptions = { env, stdio: "inherit" };
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, options);
    // Ctrl-C reaches it from the terminal, and means its statement; what somebody sends to us alone is passed on.
    const ignore = (): void => {};
    const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
    const interrupted = process.stdin.isTTY ? ignore : pass;
    process.on("SIGINT", interrupted).on("SIGQUIT", ignore).on("SIGTERM", pass).on("SIGHUP", pass);
    const done = (): void => {
      process.off("SIGINT", interrupted).off("SIGQUIT", ignore).off("SIGTERM", pass).off("SIGHUP", pass);
    };
    child.once("error", (error) => {
      done();
      reject(error);
    });
    child.once("exit", (status, signal) => {
      done();
      resolve(status ?? 128 + (signal ? constants.signals[signal] : 0));
    });
  });
}
