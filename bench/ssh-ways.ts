import { randomBytes } from "node:crypto";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type SshClient, sshClient } from "../test/setup/ssh-client.ts";
import { type Sshd, startSshd } from "../test/setup/sshd.ts";
import type { WayName } from "./competitors.ts";
import { BENCH_SSH_CONNECTION, startGateway } from "./gateway.ts";
import { startPipe } from "./pipe-process.ts";

/** A way to one SSH server, for OpenSSH's own client. The host is called `bench` by every way. */
export interface SshWay {
  readonly name: Extract<WayName, "direct" | "jump" | "sallyport" | "pipe">;
  readonly client: SshClient;
  /** The process in between whose CPU time and memory count. */
  readonly pid: number | undefined;
}

export const SSH_HOST = "bench";
/** The same by every way, or the figures would compare algorithms. */
const ALGORITHMS = ["KexAlgorithms curve25519-sha256", "Ciphers aes128-gcm@openssh.com"];

export interface SshStage {
  readonly ways: readonly SshWay[];
  /** What is moved, at both ends. */
  readonly file: string;
  readonly megabytes: number;
  readonly stop: () => Promise<void>;
}

/**
 * Starts two SSH servers, a gateway before the one, and a Node process that is nothing but a pipe. All clients log in by the same
 * key, and by every way the same server runs what they ask for.
 */
export async function setSshStage(megabytes: number, profile: string | undefined): Promise<SshStage> {
  const directory = await mkdtemp(join(tmpdir(), "sallyport-bench-ssh-"));
  const stops: (() => Promise<unknown>)[] = [() => rm(directory, { recursive: true, force: true })];
  const stop = async (): Promise<void> => {
    for (const one of stops.toReversed()) await one();
  };
  const started = async <T>(starting: Promise<T>, ending: (one: T) => Promise<unknown>): Promise<T> => {
    const one = await starting;
    stops.push(() => ending(one));
    return one;
  };
  const server = (): Promise<Sshd> => started(startSshd(), (one) => one.close());
  const reached = async (user: string, where: Parameters<typeof sshClient>[2]): Promise<SshClient> => {
    const settings = [...ALGORITHMS, ...(where.settings ?? [])];
    return started(sshClient(SSH_HOST, user, { ...where, settings }), (one) => one.close());
  };
  try {
    const [target, between] = [await server(), await server()];
    const file = join(directory, "file");
    await writeLines(file, megabytes);
    const gateway = await started(
      startGateway({
        target: { host: "127.0.0.1", port: 1, user: "nobody", database: "none" },
        ssh: { ...target, clientKey: await readFile(`${target.keyFile}.pub`, "utf8") },
        directory: join(directory, "gateway"),
        ...(profile === undefined ? {} : { profile }),
      }),
      (one) => one.stop(),
    );
    const pipe = await started(startPipe(target.port), (one) => one.stop());
    const jump = await reached(between.user, between);
    // As ssh runs its own -J.
    const jumping = [`ProxyCommand ${jump.command} -W [%h]:%p ${SSH_HOST}`];
    const { keyFile } = target;
    const ours = { host: gateway.host, port: 0, hostKey: "", ...gateway.ssh, keyFile };
    const ways: SshWay[] = [
      { name: "direct", client: await reached(target.user, target), pid: undefined },
      { name: "jump", client: await reached(target.user, { ...target, settings: jumping }), pid: undefined },
      { name: "sallyport", client: await reached(BENCH_SSH_CONNECTION, ours), pid: gateway.pid },
      { name: "pipe", client: await reached(target.user, { ...target, port: pipe.port }), pid: pipe.pid },
    ];
    return { ways, file, megabytes, stop };
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}

const LINES = 1 << 16;
const MEGABYTE = 1_000_000;

/** As logs are: most of a line has been seen before, and some of it never. */
async function writeLines(path: string, megabytes: number): Promise<void> {
  const file = await open(path, "wx");
  try {
    for (let left = megabytes * MEGABYTE; left > 0;) {
      const ids = randomBytes(LINES * 16);
      const lines = Array.from({ length: LINES }, (_, n) => {
        const id = ids.toString("hex", n * 16, n * 16 + 16);
        return `2026-11-25T12:00:00.${n % 1000}Z info request ${id} of customer ${n % 977} was answered with 200 in ${n % 89} ms\n`;
      });
      const bytes = Buffer.from(lines.join("")).subarray(0, left);
      await file.writeFile(bytes);
      left -= bytes.length;
    }
  } finally {
    await file.close();
  }
}
