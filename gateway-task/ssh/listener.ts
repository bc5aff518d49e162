import net from "node:net";
import ssh2, { type ClientInfo, type Connection } from "ssh2";
import type { SessionDeps } from "../session.ts";
import { newSourceLimits } from "../source-limits.ts";
import { ALGORITHMS } from "./algorithms.ts";
import { HAS_FAST_CIPHERS, socketOf } from "./leg.ts";
import type { TakeJump, Via } from "./jump.ts";
import { passesForCertificates, passesForKeys } from "./key-sign-in.ts";
import { type Caller, serveLogIn, type SignInDeps } from "./log-in.ts";

const KEEPALIVE_MS = 60_000;
/** From the first byte until keys are exchanged and the client says who it is; OpenSSH's LoginGraceTime is two minutes. */
const GREETING_TIMEOUT_MS = 20_000;

export type SshListenerDeps = SessionDeps & SignInDeps & SshListenerOptions;

interface SshListenerOptions {
  readonly listen: { readonly host: string; readonly port: number };
  /** A private key in OpenSSH's or PEM format, the same in every task. */
  readonly hostKey: string | Buffer;
  /** How long a client may take from its first byte until it says who it is, if not as long as by default. */
  readonly greetingTimeoutMs?: number;
}

export interface SshListener {
  readonly port: number;
  /** Accepts nobody new. Live sessions go on. */
  close(): void;
}

/** Listens for SSH clients. Each connection is its own task, with its own deadline; none can hold up another. */
export async function listenForSsh(deps: SshListenerDeps): Promise<SshListener> {
  const limits = newSourceLimits();
  const options = { hostKeys: [deps.hostKey], algorithms: ALGORITHMS, ident: "Sallyport" };
  const ssh = new ssh2.Server(options);
  const callers = new WeakMap<net.Socket, Omit<Caller, "software"> & { readonly late: NodeJS.Timeout }>();
  let closed = false;
  const greet = (socket: net.Socket, client: string, via?: Via): string | undefined => {
    socket.on("error", () => {}); // the close that follows says it
    if (closed) return "the gateway is shutting down: connect again";
    const release = limits.admit(client.slice(0, client.lastIndexOf(":")));
    if (release === undefined) {
      deps.logger.warn({ client }, "too many connections of one address are signing in");
      return "too many connections of your address are signing in";
    }
    const late = setTimeout(() => socket.destroy(), deps.greetingTimeoutMs ?? GREETING_TIMEOUT_MS);
    socket.once("close", () => {
      clearTimeout(late);
      release();
    });
    callers.set(socket, { client, via, arrived: release, late });
    ssh.injectSocket(socket);
    return undefined;
  };
  const jump: TakeJump = (socket, via) => greet(socket, via.client, via);
  const logInDeps = { ...deps, passForKey: passesForKeys(deps), passForCertificate: passesForCertificates(deps), jump };
  ssh.on("connection", (connection: Connection, { header }: ClientInfo) => {
    const caller = callers.get(socketOf(connection));
    if (caller === undefined) return void connection.end();
    // From there on it has the deadlines of a log-in, which waits for people.
    connection.once("authentication", () => clearTimeout(caller.late));
    serveLogIn(connection, { ...caller, software: header.versions.software }, logInDeps);
  });
  const server = net.createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_MS }, (socket) => {
    if (greet(socket, `${socket.remoteAddress ?? ""}:${socket.remotePort ?? 0}`) !== undefined) socket.destroy();
  });
  await new Promise<void>((done, failed) => {
    server.once("error", failed);
    server.listen({ ...deps.listen, backlog: 1024 }, done);
  });
  server.on("error", (error) => deps.logger.error({ err: error }, "the SSH listener failed"));
  const { port } = server.address() as net.AddressInfo;
  deps.logger.info({ host: deps.listen.host, port, fastCiphers: HAS_FAST_CIPHERS }, "listening for SSH");
  const close = (): void => {
    closed = true;
    server.close();
  };
  return { port, close };
}
