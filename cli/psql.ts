import { type SpawnOptions, spawn } from "node:child_process";
import { constants } from "node:os";
import { accessSync, constants as access, statSync } from "node:fs";
import { delimiter, join } from "node:path";

/** How libpq reaches a connection through the gateway. */
export interface GatewayLogin {
  readonly host: string;
  readonly port: number;
  /** The connection's name, or `connection/database`. */
  readonly database: string;
  /** For prompts; it decides nothing. */
  readonly user: string;
  readonly pass: string;
  readonly caFile: string;
}

/** What of a person's own libpq variables concerns the session and not where it goes or who asks (PostgreSQL 18 §32.15). */
const OF_THE_SESSION: ReadonlySet<string> = new Set([
  "PGAPPNAME",
  "PGCLIENTENCODING",
  "PGCONNECT_TIMEOUT",
  "PGDATESTYLE",
  "PGGEQO",
  "PGOPTIONS",
  "PGTZ",
]);

/** The environment that leads libpq to the gateway. The pass is in it, and never among the arguments, which others can see. */
export function libpqEnvironment(login: GatewayLogin, env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([name]) => !name.startsWith("PG") || OF_THE_SESSION.has(name));
  return {
    ...Object.fromEntries(kept),
    PGHOST: login.host,
    PGPORT: String(login.port),
    PGDATABASE: login.database,
    PGUSER: login.user,
    PGPASSWORD: login.pass,
    PGSSLMODE: "verify-full",
    PGSSLROOTCERT: login.caFile,
    // Asking for it first would cost a round trip, and the gateway declines.
    PGGSSENCMODE: "disable",
  };
}

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

const INSTALL: Readonly<Record<string, string>> = {
  darwin: "brew install libpq && brew link --force libpq",
  linux: "sudo apt-get install postgresql-client, or sudo dnf install postgresql",
};

/** What to tell a person who has no psql. */
export function howToInstallPsql(platform: string = process.platform): string {
  return `Install it: ${INSTALL[platform] ?? "https://www.postgresql.org/download/"}`;
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
