import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** Starts a Node process that pipes connections to this port, and whatever TLS they have, unread. */
export async function startPipe(target: number, tls: readonly string[] = []) {
  const program = fileURLToPath(new URL("pipe.ts", import.meta.url));
  const child = spawn(process.execPath, [program, String(target), ...tls], { stdio: ["ignore", "pipe", "inherit"] });
  const [port] = await once(createInterface(child.stdout), "line");
  return {
    port: Number(port),
    pid: child.pid ?? 0,
    stop: async () => {
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
}
