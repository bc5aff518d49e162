import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chown, mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "../local/embedded-postgres.ts";
import { serverAccount } from "../local/embedded-postgres-account.ts";
import type { GatewayOptions } from "./gateway.ts";

const START_ATTEMPTS = 100;
const POLL_MS = 50;

export function pgbouncerVersion(): string | undefined {
  const run = spawnSync("pgbouncer", ["--version"], { encoding: "utf8" });
  return run.status === 0 ? run.stdout.split("\n")[0] : undefined;
}

/** pgbouncer in session mode, as a competitor: same target, same certificate, room for the idle sessions. */
export async function startPgbouncer({ target, tls, directory }: GatewayOptions) {
  const account = serverAccount();
  await mkdir(directory, { recursive: true });
  const write = async (name: string, text: string) => {
    const path = join(directory, name);
    await writeFile(path, text, { mode: 0o600 });
    if (account.uid !== undefined) await chown(path, account.uid, account.gid ?? account.uid);
    return path;
  };
  if (account.uid !== undefined) await chown(directory, account.uid, account.gid ?? account.uid);
  const port = await freePort();
  const { host, user, database } = target;
  const secure = tls && [
    "client_tls_sslmode = require",
    `client_tls_cert_file = ${await write("tls.crt", tls.cert)}`,
    `client_tls_key_file = ${await write("tls.key", tls.key)}`,
  ];
  const settings = `[databases]
bench = host=${host} port=${target.port} dbname=${database} user=${user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = session
max_client_conn = 2000
default_pool_size = 1100
server_tls_sslmode = disable
server_idle_timeout = 2
log_connections = 0
log_disconnections = 0
${secure?.join("\n") ?? ""}
`;
  const file = await write("pgbouncer.ini", settings);
  const child = spawn("pgbouncer", ["-q", file], { ...account, cwd: directory, stdio: "ignore" });
  for (let attempt = 0; !(await answers(port)); attempt += 1) {
    if (attempt === START_ATTEMPTS || child.exitCode !== null) throw new Error("pgbouncer did not start");
    await delay(POLL_MS);
  }
  return {
    host: "127.0.0.1",
    port,
    pid: child.pid ?? 0,
    stop: async () => {
      child.kill("SIGTERM");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    },
  };
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const open = await new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
  });
  socket.destroy();
  return open;
}
