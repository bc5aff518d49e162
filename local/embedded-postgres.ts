import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { chown, open, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { SallyportError } from "../core/errors.ts";
import { embeddedBinaries } from "./embedded-postgres-binaries.ts";
import type { PostgresBinaries } from "./embedded-postgres-binaries.ts";
import { reachableBinaries, serverAccount } from "./embedded-postgres-account.ts";
import { type Account, reachableHome } from "./unprivileged-account.ts";

/** A first start takes about a second; a recovery after a crash, on a slow disk, can take many. */
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 20;
/** A fast shutdown writes a checkpoint; after this it is made an immediate one, which loses nothing that was committed. */
const FAST_STOP_MS = 10_000;
const IMMEDIATE_STOP_MS = 5_000;
/** Another process can take a port between our finding it free and the server's binding it. */
const PORT_ATTEMPTS = 3;
const LOG_TAIL_BYTES = 2_000;
const SUPERUSER = "postgres";

export interface PostgresOptions {
  /** Everything lives in it: the cluster (`data/`), the log. Made if need be; a cluster that is there already is started as it is. */
  readonly directory: string;
  /** On 127.0.0.1; 0 or none: a free one. */
  readonly port?: number;
  /** PEM. With `ca`, the server asks clients for a certificate that it signed. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
  /** How roles log in; SCRAM by default. With `cert`, the superuser still logs in by password. */
  readonly auth?: "scram-sha-256" | "md5" | "trust" | "cert";
  /** The lines of pg_hba.conf, in place of those that `auth` makes. */
  readonly hba?: readonly string[];
  /** postgresql.conf by name. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Set when the cluster is made; the caller keeps it. */
  readonly superuserPassword: string;
}

export interface RunningPostgres {
  readonly version: number;
  readonly host: "127.0.0.1";
  readonly port: number;
  readonly superuser: string;
  readonly password: string;
  readonly pid: number;
  /** Where the cluster really is: not always where it was asked to be (see reachableHome). */
  readonly directory: string;
  readonly logFile: string;
  /** Fast shutdown: open sessions are ended. Settles when the server is gone; may be called again. */
  stop(): Promise<void>;
}

/**
 * Starts the PostgreSQL 18 that came with the package, on 127.0.0.1, without Unix sockets. It ends with this process, however that ends.
 * @throws SallyportError `configuration-invalid` when there are no binaries for this platform, `internal` (with the log's tail) when it does not start
 */
export async function startEmbeddedPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  return startPostgres(embeddedBinaries(), options);
}

/** The same for any PostgreSQL. */
export async function startPostgres(binaries: PostgresBinaries, options: PostgresOptions): Promise<RunningPostgres> {
  const account = serverAccount();
  const home = await reachableHome(options.directory, account, "sallyport-postgres-");
  const reachable = await reachableBinaries(binaries, home, account);
  const cluster: Cluster = { binaries: reachable, account, home, data: join(home, "data"), options };
  if (!existsSync(join(cluster.data, "PG_VERSION"))) await initialise(cluster);
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port || (await freePort());
    await configure(cluster, port);
    try {
      return await run(cluster, port);
    } catch (thrown) {
      const taken = thrown instanceof Error && thrown.message.includes("could not bind");
      if (!taken || options.port || attempt === PORT_ATTEMPTS) throw thrown;
    }
  }
}

interface Cluster {
  readonly binaries: PostgresBinaries;
  readonly account: Account;
  readonly home: string;
  readonly data: string;
  readonly options: PostgresOptions;
}

async function initialise(cluster: Cluster): Promise<void> {
  const { account, binaries, data, home, options } = cluster;
  const passwordFile = join(home, `.password-${randomBytes(6).toString("hex")}`);
  // A half-made cluster of an interrupted start: initdb refuses a folder that is not empty.
  await rm(data, { recursive: true, force: true });
  await writePrivate(passwordFile, `${options.superuserPassword}\n`, account);
  try {
    const locale =
      binaries.version >= 17
        ? ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        : ["--no-locale"];
    const auth = `--auth-host=${options.auth === "md5" ? "md5" : "scram-sha-256"}`;
    await promisify(execFile)(
      binaries.initdb,
      [`--pgdata=${data}`, `--username=${SUPERUSER}`, `--pwfile=${passwordFile}`, auth, "--auth-local=reject"].concat(
        locale,
        ["--encoding=UTF8", "--no-sync"],
      ),
      { ...account, cwd: home, env: serverEnvironment() },
    );
  } catch (thrown) {
    await rm(data, { recursive: true, force: true });
    const said = thrown instanceof Error && "stderr" in thrown ? String(thrown.stderr).trim() : "";
    throw new SallyportError("internal", `initdb failed: ${said}`, { cause: thrown });
  } finally {
    await rm(passwordFile, { force: true });
  }
}

async function configure(cluster: Cluster, port: number): Promise<void> {
  const { account, data, options } = cluster;
  const { tls } = options;
  const settings: Record<string, string> = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: "",
    logging_collector: "off",
    ssl: tls ? "on" : "off",
    ...(options.auth === "md5" ? { password_encryption: "md5" } : {}),
    ...options.settings,
  };
  if (tls) {
    await writePrivate(join(data, "server.crt"), tls.cert, account);
    await writePrivate(join(data, "server.key"), tls.key, account);
    Object.assign(settings, { ssl_cert_file: "server.crt", ssl_key_file: "server.key" });
    if (tls.ca !== undefined) {
      await writePrivate(join(data, "client-ca.crt"), tls.ca, account);
      settings["ssl_ca_file"] = "client-ca.crt";
    }
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`);
  await writePrivate(join(data, "sallyport.conf"), lines.join(""), account);
  const include = "include 'sallyport.conf'";
  const main = await readFile(join(data, "postgresql.conf"), "utf8");
  if (!main.includes(include)) await writePrivate(join(data, "postgresql.conf"), `${main}\n${include}\n`, account);
  await writePrivate(join(data, "pg_hba.conf"), `${(options.hba ?? hbaLines(options.auth)).join("\n")}\n`, account);
}

function hbaLines(auth: PostgresOptions["auth"] = "scram-sha-256"): string[] {
  if (auth !== "cert") return [`host all all 127.0.0.1/32 ${auth}`];
  return [`host all ${SUPERUSER} 127.0.0.1/32 scram-sha-256`, "hostssl all all 127.0.0.1/32 cert"];
}

async function run(cluster: Cluster, port: number): Promise<RunningPostgres> {
  const { account, binaries, data, home, options } = cluster;
  const logFile = join(home, "server.log");
  const log = await open(logFile, "a", 0o600);
  const logFrom = (await log.stat()).size;
  // Its own process group: Ctrl-C at a terminal reaches the caller, who decides in which order things stop.
  const child = spawn(binaries.postgres, ["-D", data], {
    ...account,
    cwd: home,
    env: serverEnvironment(),
    detached: true,
    stdio: ["ignore", log.fd, log.fd],
  });
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  const pid = child.pid ?? 0;
  if (pid > 0) watchParent(pid, account, exited);
  try {
    if (!(await ready(child, data))) {
      child.kill("SIGQUIT");
      throw new SallyportError("internal", `PostgreSQL did not start:\n${await tail(logFile, logFrom)}`);
    }
  } finally {
    await log.close();
  }
  child.unref();
  return {
    version: binaries.version,
    host: "127.0.0.1",
    port,
    superuser: SUPERUSER,
    password: options.superuserPassword,
    pid,
    directory: home,
    logFile,
    stop: async () => {
      child.ref();
      await stopServer(child, exited);
    },
  };
}

/** As pg_ctl does: the server writes its state into postmaster.pid (line 8), and its process id (line 1). */
async function ready(child: ChildProcess, data: string): Promise<boolean> {
  let failed = false;
  child.once("error", () => (failed = true));
  for (const deadline = Date.now() + START_TIMEOUT_MS; Date.now() < deadline; await delay(POLL_MS)) {
    if (failed || child.exitCode !== null || child.signalCode !== null) return false;
    const lines = (await readFile(join(data, "postmaster.pid"), "utf8").catch(() => "")).split("\n");
    if (Number(lines[0]) === child.pid && lines[7]?.trim() === "ready") return true;
  }
  return false;
}

/**
 * A shell that waits for the pipe from us to close, which the kernel does when this process is gone, even by SIGKILL, and then asks
 * the server to stop.
 */
function watchParent(pid: number, account: Account, exited: Promise<void>): void {
  const watcher = spawn("/bin/sh", ["-c", `cat >/dev/null; kill -INT ${pid}`], {
    ...account,
    cwd: "/",
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  // Without a shell the server still stops by stop(); it is only not watched.
  watcher.on("error", () => {});
  watcher.unref();
  const { stdin } = watcher;
  if (stdin && "unref" in stdin && typeof stdin.unref === "function") stdin.unref();
  void exited.then(() => watcher.kill("SIGKILL"));
}

async function stopServer(child: ChildProcess, exited: Promise<void>): Promise<void> {
  const steps: readonly (readonly [NodeJS.Signals, number])[] = [
    ["SIGINT", FAST_STOP_MS],
    ["SIGQUIT", IMMEDIATE_STOP_MS],
    ["SIGKILL", IMMEDIATE_STOP_MS],
  ];
  for (const [signal, patience] of steps) {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    const timer = new AbortController();
    await Promise.race([exited, delay(patience, undefined, { signal: timer.signal }).catch(() => {})]);
    timer.abort();
  }
}

/** Locale and PG* variables of the caller must not reach the server. */
function serverEnvironment(): NodeJS.ProcessEnv {
  return {
    PATH: process.env["PATH"] ?? "/usr/bin:/bin",
    LC_ALL: "C",
    ...(process.env["TZ"] ? { TZ: process.env["TZ"] } : {}),
  };
}

async function writePrivate(path: string, text: string, account: Account): Promise<void> {
  await writeFile(path, text, { mode: 0o600 });
  if (account.uid !== undefined) await chown(path, account.uid, account.gid ?? account.uid);
}

async function tail(path: string, from: number): Promise<string> {
  const text = (await readFile(path)).subarray(from);
  return text.subarray(Math.max(0, text.length - LOG_TAIL_BYTES)).toString("utf8");
}

/** A TCP port of 127.0.0.1 that nobody had a moment ago, for servers that cannot choose one themselves. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new SallyportError("internal", "no port is free");
  return address.port;
}
