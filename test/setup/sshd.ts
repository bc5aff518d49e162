import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { succeed } from "./programs.ts";

const STARTS_WITHIN_MS = 10_000;

/** OpenSSH's server on 127.0.0.1, for whoever runs the tests. */
export interface Sshd {
  readonly host: "127.0.0.1";
  readonly port: number;
  readonly user: string;
  /** Its public host key, as a line. */
  readonly hostKey: string;
  /** The private key that it lets in. */
  readonly key: string;
  /** The same as a file, for clients that go to it directly. */
  readonly keyFile: string;
  readonly directory: string;
  /** What it has logged. */
  said(): string;
  /** Ends the server and all its sessions, as a crash would. */
  kill(): void;
  close(): Promise<void>;
}

/** @param settings lines of its configuration; as a function, of the folder in which its keys are (`host`, `user`) and more may be put */
export async function startSshd(
  settings: readonly string[] | ((directory: string) => Promise<readonly string[]>) = [],
): Promise<Sshd> {
  const directory = await mkdtemp(join(tmpdir(), "sallyport-sshd-"));
  const at = (name: string): string => join(directory, name);
  const newKey = async (name: string): Promise<string> =>
    succeed("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", at(name)]);
  await Promise.all([newKey("host"), newKey("user")]);
  await writeFile(at("authorized_keys"), await readFile(at("user.pub")));
  const port = await freePort();
  const lines = [
    `Port ${port}`,
    "ListenAddress 127.0.0.1",
    `HostKey ${at("host")}`,
    `AuthorizedKeysFile ${at("authorized_keys")}`,
    "PermitRootLogin prohibit-password",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "StrictModes no",
    "UsePAM no",
    "PidFile none",
    "MaxStartups 1000",
    "MaxSessions 200",
    "AcceptEnv LANG TEST_*",
    "PermitUserEnvironment no",
    "Subsystem sftp internal-sftp",
    "PrintMotd no",
    "PrintLastLog no",
    ...(typeof settings === "function" ? await settings(directory) : settings),
  ];
  await writeFile(at("config"), `${lines.join("\n")}\n`);
  if (process.getuid?.() === 0) await mkdir("/run/sshd", { recursive: true }); // privilege separation's
  const server = spawn("/usr/sbin/sshd", ["-D", "-e", "-f", at("config")], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  server.stderr.on("data", (bytes: Buffer) => (said += bytes.toString()));
  for (const until = Date.now() + STARTS_WITHIN_MS; !said.includes("Server listening"); await delay(10))
    if (server.exitCode !== null || Date.now() > until) throw new Error(`sshd does not start: ${said}`);
  return {
    host: "127.0.0.1",
    port,
    user: userInfo().username,
    hostKey: (await readFile(at("host.pub"), "utf8")).trim(),
    key: await readFile(at("user"), "utf8"),
    keyFile: at("user"),
    directory,
    said: () => said,
    kill: () => void server.kill("SIGKILL"),
    async close() {
      if (server.exitCode === null && server.signalCode === null) {
        server.kill();
        await once(server, "exit");
      }
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
