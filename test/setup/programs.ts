import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { embeddedBinaries } from "../../local/embedded-postgres-binaries.ts";
import type { TestGateway } from "./gateway.ts";

/** A program that hangs is a failure, and must not hang the suite. */
const PROGRAM_TIMEOUT_MS = 60_000;

export interface Ran {
  readonly status: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string | Buffer;
  readonly cwd?: string;
}

/** Runs a program to its end without blocking this process, which may hold the gateway that it talks to. */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { env = process.env, input = "", cwd } = options;
  const child = spawn(program, args, { env, cwd, timeout: PROGRAM_TIMEOUT_MS, killSignal: "SIGKILL" });
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on("data", (bytes: Buffer) => stdout.push(bytes));
  child.stderr.on("data", (bytes: Buffer) => stderr.push(bytes));
  child.stdin.on("error", () => {}); // it may end without reading its input
  child.stdin.end(input);
  const [status] = (await once(child, "close")) as [number | null];
  return { status, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() };
}

/** As `run`; whatever does not end with status 0 is thrown, with what it said. */
export async function succeed(program: string, args: readonly string[], options?: RunOptions): Promise<string> {
  const { status, stdout, stderr } = await run(program, args, options);
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr || stdout.toString()}`);
  return stdout.toString();
}

/** libpq's variables, and nothing of what the caller has set of them. */
export function libpqEnvironment(settings: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("PG") && !name.startsWith("LC_"));
  const named = Object.entries(settings).map(([name, value]) => [`PG${name.toUpperCase()}`, value]);
  const quiet = { PSQLRC: "/dev/null", PSQL_HISTORY: "/dev/null", PAGER: "cat", LC_ALL: "C.UTF-8" };
  return { ...Object.fromEntries(inherited), ...quiet, ...Object.fromEntries(named) };
}

/** How libpq reaches a gateway: TLS, verified in full. The user's name is of no importance, so it is a strange one. */
export function throughGateway(gateway: TestGateway, pass: string, database = "shop"): NodeJS.ProcessEnv {
  const { host, port, caFile } = gateway;
  const where = { host, port: String(port), database, user: "whoever", password: pass };
  return libpqEnvironment({ ...where, sslmode: "verify-full", sslrootcert: caFile, connect_timeout: "15" });
}

/** How libpq reaches a server itself. */
export function direct(
  server: { readonly host: string; readonly port: number },
  user: string,
  password: string,
  database = "postgres",
): NodeJS.ProcessEnv {
  const { host, port } = server;
  return libpqEnvironment({ host, port: String(port), database, user, password, sslmode: "disable" });
}

/** psql with arguments; quiet, unaligned, without headers, and ended by the first error. */
export async function psql(env: NodeJS.ProcessEnv, ...args: string[]): Promise<string> {
  return succeed("psql", ["-XqAt", "-v", "ON_ERROR_STOP=1", ...args], { env });
}

/**
 * The libpq 18 that the embedded server brings, for the psql that is installed: it knows direct TLS and protocol 3.2.
 * Undefined where the platform's programs cannot be told to load it.
 */
export function newestLibpq(): NodeJS.ProcessEnv | undefined {
  const folder = join(embeddedBinaries().relocatable ?? "", "lib");
  return process.platform === "linux" && existsSync(join(folder, "libpq.so.5"))
    ? { LD_LIBRARY_PATH: folder }
    : undefined;
}
