import { GATEWAY_NODE_FLAGS } from "../bin/node-flags.js";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";

/** The gateway under test: one process, everything recorded, as in production but for its local stores. */
export interface Gateway {
  readonly host: string;
  readonly port: number;
  /** A pass; the connection is called BENCH_CONNECTION. */
  readonly pass: string;
  /** Where it listens for SSH, and the public key that it shows; the connection is called BENCH_SSH_CONNECTION. */
  readonly ssh: { readonly port: number; readonly hostKey: string } | undefined;
  readonly pid: number;
  readonly stop: () => Promise<void>;
}

export interface GatewayOptions {
  /** Trusts the user without a password. */
  readonly target: { readonly host: string; readonly port: number; readonly user: string; readonly database: string };
  /** Also a connection by SSH. */
  readonly ssh?: SshTarget;
  /** PEM: towards the client. None: plain text, as a gateway on loopback may be told to accept. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Scratch space for its stores, spool and configuration. */
  readonly directory: string;
  /** With the default policies and masks. */
  readonly guarded?: boolean;
  /** A folder for V8's CPU profiles, one a thread, written when the gateway stops. */
  readonly profile?: string;
}

/** Where the gateway logs in, and whom it lets in. */
export interface SshTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Its public key, as a line. */
  readonly hostKey: string;
  /** The private key that the gateway logs in with. */
  readonly keyFile: string;
  /** The public key of who may come, as a line. */
  readonly clientKey: string;
}

export const BENCH_CONNECTION = "bench";
export const BENCH_SSH_CONNECTION = "bench-ssh";
const PROGRAM = fileURLToPath(new URL("gateway-process.ts", import.meta.url));
const LOG_TAIL_CHARACTERS = 4_000;
const announcement = z.object({
  port: z.number(),
  ssh: z.object({ port: z.number(), hostKey: z.string() }).optional(),
  pass: z.string(),
  pid: z.number(),
});

export async function startGateway({
  target,
  ssh,
  tls,
  directory,
  guarded,
  profile,
}: GatewayOptions): Promise<Gateway> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const files = { cert: join(directory, "bench.crt"), key: join(directory, "bench.key") };
  if (tls) {
    await writeFile(files.cert, tls.cert, { mode: 0o600 });
    await writeFile(files.key, tls.key, { mode: 0o600 });
  }
  const options = JSON.stringify({ target, ssh, guarded: guarded === true, ...(tls ? { tls: files } : {}) });
  const profiling = profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`];
  const child = spawn(
    process.execPath,
    [...GATEWAY_NODE_FLAGS, ...profiling, PROGRAM, join(directory, "state"), options],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  let stopping = false;
  const exited = once(child, "exit");
  child.once("exit", (code, signal) => {
    if (!stopping) process.stderr.write(`the gateway ended by itself (${code ?? signal}); ${logTail(directory)}\n`);
  });
  const lines = createInterface(child.stdout);
  const line = await Promise.race([once(lines, "line"), exited.then(() => undefined)]);
  if (!line) throw new Error("the gateway ended before it was ready");
  const announced = announcement.parse(JSON.parse(String(line[0])));
  return {
    host: "127.0.0.1",
    ...announced,
    ssh: announced.ssh,
    stop: async () => {
      stopping = true;
      child.kill("SIGTERM");
      await exited;
    },
  };
}

function logTail(directory: string): string {
  const file = join(directory, "state", "gateway.log");
  return existsSync(file) ? `its log:\n${readFileSync(file, "utf8").slice(-LOG_TAIL_CHARACTERS)}` : "it had no log";
}
