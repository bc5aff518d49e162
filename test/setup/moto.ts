import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { describe } from "vitest";
import { leftOutName } from "./left-out.ts";

/** What stands in for an account: nobody is asked for credentials. */
export const ANYBODY = {
  region: "eu-central-1",
  credentials: { accessKeyId: "test", secretAccessKey: "test" },
} as const;

export interface Moto {
  readonly endpoint: string;
  close(): Promise<void>;
}

const HOW = "pip install 'moto[server]==5.2.1'";

/** Suites that need moto: without it they are left out, which the run's last lines say. */
export function describeWithMoto(what: string, suites: () => void): void {
  const present = spawnSync("moto_server", ["--help"], { stdio: "ignore" }).status === 0;
  if (present) describe(what, suites);
  else describe.skip(leftOutName(what, "moto_server", HOW), suites);
}

/** Starts moto's stand-in for S3, KMS and Secrets Manager on a free port of loopback. */
export async function startMoto(): Promise<Moto> {
  const port = await freePort();
  const child = spawn("moto_server", ["-H", "127.0.0.1", "-p", String(port)], { stdio: "ignore" });
  const exited = once(child, "exit");
  const endpoint = `http://127.0.0.1:${port}`;
  while (!(await answers(endpoint))) {
    if (child.exitCode !== null) throw new Error(`moto_server ended with ${child.exitCode}`);
    await new Promise((done) => setTimeout(done, 100));
  }
  return {
    endpoint,
    async close() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

async function answers(endpoint: string): Promise<boolean> {
  return fetch(`${endpoint}/moto-api/`).then(
    ({ ok }) => ok,
    () => false,
  );
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
