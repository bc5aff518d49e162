import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chown, mkdir, readFile } from "node:fs/promises";

export interface GatewayTaskProcess {
  readonly child: ChildProcess;
  readonly ports: { readonly postgres: number; readonly ssh: number; readonly tls: number; readonly health: number };
  /** What it has written so far, as a log driver would take it. */
  readonly output: () => string;
  /** Its status, when it has ended. */
  readonly ended: Promise<number | null>;
}

/** An unprivileged user, as the image's: a test that runs as root gives its rights up. */
const asImageUser = process.getuid?.() === 0 ? { uid: 1000, gid: 1000 } : {};

/** The command of an image, as its Dockerfile's ENTRYPOINT says it. */
export async function entryPointOf(dockerfile: string): Promise<readonly string[]> {
  const [, command] = /^ENTRYPOINT (\[.*\])$/m.exec(await readFile(dockerfile, "utf8")) ?? [];
  if (command === undefined) throw new Error(`${dockerfile} has no ENTRYPOINT in JSON`);
  return JSON.parse(command) as string[];
}

/**
 * Runs a command of the image as a container would: in its folder, as an unprivileged user, with nothing but this environment.
 * @param command begins with `node`, for which this test's own stands in
 */
export function runInImage(folder: string, command: readonly string[], environment: Readonly<Record<string, string>>) {
  const [program, ...words] = command;
  if (program !== "node") throw new Error(`the image runs ${program}`);
  const child = spawn(process.execPath, words, { cwd: folder, env: environment, ...asImageUser });
  let text = "";
  child.stdout.on("data", (bytes: Buffer) => (text += bytes.toString()));
  child.stderr.on("data", (bytes: Buffer) => (text += bytes.toString()));
  const ended = once(child, "close").then(([status]) => status as number | null);
  return { child, output: () => text, ended };
}

/** Starts the gateway's task on free ports of loopback, and waits until it says that it is ready. */
export async function startGatewayTask(
  folder: string,
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<GatewayTaskProcess> {
  const local = {
    SALLYPORT_LISTEN_HOST: "127.0.0.1",
    SALLYPORT_POSTGRES_PORT: "0",
    SALLYPORT_SSH_PORT: "0",
    SALLYPORT_TLS_PORT: "0",
    SALLYPORT_HEALTH_PORT: "0",
  };
  const running = runInImage(folder, command, { ...local, ...environment });
  const ports = new Promise<GatewayTaskProcess["ports"]>((resolve, reject) => {
    running.child.stdout.on("data", () => {
      const line = running
        .output()
        .split("\n")
        .find((text) => text.includes('"msg":"ready"'));
      if (line !== undefined) resolve(JSON.parse(line) as GatewayTaskProcess["ports"]);
    });
    void running.ended.then((status) => reject(new Error(`it ended with ${status}: ${running.output()}`)));
  });
  return { ...running, ports: await ports };
}

/** A folder that the image's user may write to, as a mounted volume is. */
export async function writableFolder(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  if (asImageUser.uid !== undefined) {
    await chown(folder, asImageUser.uid, asImageUser.gid);
  }
  return folder;
}
