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
  const greet = (socket: net.Socket, client: string, via?: Via): boolean => {
    const release = limits.admit(client.slice(0, client.lastIndexOf(":")));
    socket.on("error", () => {}); // the close that follows says it
    if (release === undefined) {
      deps.logger.warn({ client }, "too many connections of one address are signing in");
      return false;
    }
    const late = setTimeout(() => socket.destroy(), GREETING_TIMEOUT_MS);
    const arrived = (): void => {
      clearTimeout(late);
      release();
    };
    socket.once("close", arrived);
    callers.set(socket, { client, via, arrived });
    ssh.injectSocket(socket);
    return true;
  };
  const jump: TakeJump = (socket, via) => greet(socket, via.client, via);
  const logInDeps = { ...deps, passForKey: passesForKeys(deps), passForCertificate: passesForCertificates(deps), jump };
  ssh.on("connection", (connection: Connection, { header }: ClientInfo) => {
    const caller = callers.get(socketOf(connection));
    if (caller === undefined) return void connection.end();
    serveLogIn(connection, { ...caller, software: header.versions.software }, logInDeps);
  });
  const server = net.createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_MS }, (socket) => {
    if (!greet(socket, `${socket.remoteAddress ?? ""}:${socket.remotePort ?? 0}`)) socket.destroy();
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
