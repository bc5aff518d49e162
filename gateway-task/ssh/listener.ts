import net from "node:net";
import ssh2, { type ClientInfo, type Connection } from "ssh2";
import type { SessionDeps } from "../session.ts";
import { newSourceLimits } from "../source-limits.ts";
import { ALGORITHMS } from "./algorithms.ts";
import { HAS_FAST_CIPHERS, socketOf } from "./leg.ts";
import { passesForKeys } from "./key-sign-in.ts";
import { type Caller, serveLogIn, type SignInDeps } from "./log-in.ts";

const KEEPALIVE_MS = 60_000;
/** From the first byte until keys are exchanged and the client says who it is; OpenSSH's LoginGraceTime is two minutes. */
const GREETING_TIMEOUT_MS = 20_000;

export type SshListenerDeps = SessionDeps & SignInDeps & SshListenerOptions;

interface SshListenerOptions {
  readonly listen: { readonly host: string; readonly port: number };
  /** A private key in OpenSSH's or PEM format, the same in every task. */
  readonly hostKey: string | Buffer;
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
  const callers = new WeakMap<net.Socket, Omit<Caller, "software">>();
  const logInDeps = { ...deps, passForKey: passesForKeys(deps) };
  ssh.on("connection", (connection: Connection, { header }: ClientInfo) => {
    const caller = callers.get(socketOf(connection));
    if (caller === undefined) return void connection.end();
    serveLogIn(connection, { ...caller, software: header.versions.software }, logInDeps);
  });
  const server = net.createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_MS }, (socket) => {
    const address = socket.remoteAddress ?? "";
    const client = `${address}:${socket.remotePort ?? 0}`;
    const release = limits.admit(address);
    socket.on("error", () => {}); // the close that follows says it
    if (release === undefined) {
      deps.logger.warn({ client }, "too many connections of one address are signing in");
      socket.destroy();
      return;
    }
    const late = setTimeout(() => socket.destroy(), GREETING_TIMEOUT_MS);
    socket.once("close", () => {
      clearTimeout(late);
      release();
    });
    callers.set(socket, {
      client,
      arrived: () => {
        clearTimeout(late);
        release();
      },
    });
    ssh.injectSocket(socket);
  });
  await new Promise<void>((done, failed) => {
    server.once("error", failed);
    server.listen({ ...deps.listen, backlog: 1024 }, done);
  });
  server.on("error", (error) => deps.logger.error({ err: error }, "the SSH listener failed"));
  const { port } = server.address() as net.AddressInfo;
  deps.logger.info({ host: deps.listen.host, port, fastCiphers: HAS_FAST_CIPHERS }, "listening for SSH");
  return { port, close: () => void server.close() };
}
