import { chown, mkdir, writeFile } from "node:fs/promises";
import net from "node:net";
import { dirname, join } from "node:path";
import ssh2, { type AuthContext, type Connection, type ParsedKey, type Session } from "ssh2";
import { SallyportError } from "../core/errors.ts";
import { type CommandSettings, hasTerminals, type RunningCommand, runCommand } from "./embedded-ssh-command.ts";
import { type Account, reachableHome, unprivilegedAccount } from "./unprivileged-account.ts";

/**
 * An SSH server that needs nothing installed, for the demo and for tests alone: it listens on 127.0.0.1, and can listen nowhere
 * else. It lets in one key and runs commands and shells as whoever started it, root excepted; no sftp, no forwards.
 */

/** Whom the one key logs in as. It is a name, and no account of this machine. */
const USER = "deploy";
const HOST = "127.0.0.1";
/** Who has not logged in by then is not the gateway. */
const LOG_IN_TIMEOUT_MS = 20_000;
/** Connections and, over all of them, commands at a time: a demo's, many times over. */
const MAX_CONNECTIONS = 64;
const MAX_COMMANDS = 128;
const ALGORITHMS = {
  kex: ["curve25519-sha256", "curve25519-sha256@libssh.org"],
  cipher: ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com"],
  compress: ["none"],
} as const satisfies ssh2.Algorithms;

export interface SshTargetOptions {
  /** HOME of whoever logs in, and where commands run. Made if need be. */
  readonly directory: string;
  /** What the machine is called, in its prompt. */
  readonly name: string;
  /** What lies in the folder, by paths at most one folder below it. */
  readonly files?: Readonly<Record<string, string>>;
}

export interface RunningSshTarget {
  readonly host: typeof HOST;
  readonly port: number;
  readonly user: string;
  /** Its public host key, as a line. */
  readonly hostKey: string;
  /** The private key that it lets in. Secret. */
  readonly key: string;
  /** Where the folder really is: not always where it was asked to be (see reachableHome). */
  readonly home: string;
  /** Whether it has terminals to give. */
  readonly terminals: boolean;
  /** Ends all connections and what runs. May be called again. */
  stop(): Promise<void>;
}

/**
 * Starts it, with keys of its own that nobody has seen before. Root's commands run as `nobody`.
 * Throws `configuration-invalid` where root finds no such account.
 */
export async function startEmbeddedSshTarget({
  directory,
  name,
  files = {},
}: SshTargetOptions): Promise<RunningSshTarget> {
  const account = unprivilegedAccount("The SSH target", ["nobody"]);
  const home = await reachableHome(directory, account, "sallyport-ssh-");
  for (const [path, text] of Object.entries(files)) await put(join(home, path), text, account);
  const [hostKeys, userKeys] = [newKey(), newKey()];
  const settings: CommandSettings = { home, account, environment: environmentOf(home, name) };
  const terminals = await hasTerminals(settings.environment);
  const target = new Target(hostKeys.private, publicOf(userKeys.public), settings, terminals);
  return {
    host: HOST,
    port: await target.listen(),
    user: USER,
    hostKey: hostKeys.public,
    key: userKeys.private,
    home,
    terminals,
    stop: () => target.stop(),
  };
}

function newKey(): ReturnType<typeof ssh2.utils.generateKeyPairSync> {
  return ssh2.utils.generateKeyPairSync("ed25519");
}

function publicOf(line: string): ParsedKey {
  const key = ssh2.utils.parseKey(line);
  if (key instanceof Error) throw new SallyportError("internal", "a key that was just made is none", { cause: key });
  return key;
}

async function put(file: string, text: string, { uid, gid = uid }: Account): Promise<void> {
  const folder = dirname(file);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(file, text, { mode: 0o600 });
  if (uid === undefined || gid === undefined) return;
  await chown(folder, uid, gid);
  await chown(file, uid, gid);
}

/** Nothing of our own environment reaches it, and nothing that the client asks to set. */
function environmentOf(home: string, name: string): NodeJS.ProcessEnv {
  return {
    HOME: home,
    USER,
    LOGNAME: USER,
    SHELL: "/bin/sh",
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    LANG: "C.UTF-8",
    PS1: `${USER}@${name}:~$ `,
  };
}

/** The server, its connections, and what runs in them. */
class Target {
  readonly #server: net.Server;
  readonly #key: ParsedKey;
  readonly #settings: CommandSettings;
  readonly #terminals: boolean;
  readonly #sockets = new Set<net.Socket>();
  readonly #running = new Set<RunningCommand>();

  constructor(hostKey: string, key: ParsedKey, settings: CommandSettings, terminals: boolean) {
    this.#key = key;
    this.#settings = settings;
    this.#terminals = terminals;
    const ssh = new ssh2.Server({ hostKeys: [hostKey], algorithms: ALGORITHMS, ident: "SallyportDemo" });
    ssh.on("connection", (connection) => this.#serve(connection));
    this.#server = net.createServer({ noDelay: true }, (socket) => {
      socket.on("error", () => {}); // the close that follows says it
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      ssh.injectSocket(socket);
    });
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  async listen(): Promise<number> {
    await new Promise<void>((done, failed) => this.#server.once("error", failed).listen(0, HOST, done));
    return (this.#server.address() as net.AddressInfo).port;
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((done) => this.#server.close(() => done()));
    const running = [...this.#running];
    for (const command of running) command.kill();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    await Promise.all(running.map(({ ended }) => ended));
  }

  #serve(connection: Connection): void {
    const own = new Set<RunningCommand>();
    const late = setTimeout(() => connection.end(), LOG_IN_TIMEOUT_MS);
    connection.on("error", () => {}); // the close that follows says it
    connection.once("close", () => {
      clearTimeout(late);
      for (const command of own) command.kill();
    });
    connection.on("authentication", (context) => this.#authenticate(context));
    connection.once("ready", () => clearTimeout(late));
    connection.on("session", (accept) => this.#session(accept(), own));
  }

  #authenticate(context: AuthContext): void {
    const known =
      context.method === "publickey" &&
      context.username === USER &&
      context.key.data.equals(this.#key.getPublicSSH()) &&
      // Without a signature it only asks whether this key would do (RFC 4252 §7).
      (context.signature === undefined ||
        (context.blob !== undefined &&
          (this.#key.verify(context.blob, context.signature, context.hashAlgo) as unknown) === true));
    if (known) context.accept();
    else context.reject(["publickey"]);
  }

  async #forget(command: RunningCommand, own: Set<RunningCommand>): Promise<void> {
    await command.ended;
    own.delete(command);
    this.#running.delete(command);
  }

  /** What nobody listens for, the library refuses: sftp and other subsystems, variables, agents, X11. */
  #session(session: Session, own: Set<RunningCommand>): void {
    let terminal: ssh2.PseudoTtyInfo | undefined;
    let running: RunningCommand | undefined;
    const start = (accept: (() => ssh2.ServerChannel) | undefined, command: string | undefined): void => {
      // Accepted at once: what arrives before is lost.
      const channel = accept?.();
      if (channel === undefined) return;
      const one = runCommand(channel, { command, terminal }, this.#settings);
      running = one;
      for (const all of [own, this.#running]) all.add(one);
      void this.#forget(one, own);
    };
    const orFull = (accept: (() => ssh2.ServerChannel) | undefined, reject: () => void, command?: string): void => {
      if (running === undefined && this.#running.size < MAX_COMMANDS) start(accept, command);
      else reject();
    };
    session.on("pty", (accept, reject, info) => {
      if (this.#terminals) terminal = info;
      if (this.#terminals) accept?.();
      else reject?.();
    });
    session.on("exec", (accept, reject, { command }) => orFull(accept, reject, command));
    session.on("shell", (accept, reject) => orFull(accept, reject));
    session.on("signal", (accept, _reject, { name }) => {
      running?.signal(name);
      accept?.();
    });
  }
}
