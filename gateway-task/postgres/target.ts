import net from "node:net";
import tls from "node:tls";
import type { PostgresConnection } from "../../core/config/connections.ts";
import { asSallyportError, SallyportError } from "../../core/errors.ts";
import { readExactly } from "../read-exactly.ts";
import { endPointBinding } from "./scram.ts";

/** A target that does not answer must be told apart from a slow one in less than a second on a local network. */
const CONNECT_TIMEOUT_MS = 10_000;
const KEEPALIVE_MS = 60_000;
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/** An open connection to a target, before or after its log-in. */
export interface TargetSocket {
  /** In paused mode. */
  readonly socket: net.Socket;
  readonly encrypted: boolean;
  /** Hash of the target's certificate for channel binding, where its signature has one. */
  readonly binding: Buffer | undefined;
}

/**
 * Opens a connection to a target, encrypted and verified as the configuration says.
 * Rejects with `target-unreachable` or `target-untrusted`.
 */
export async function openTarget(target: PostgresConnection["target"], signal: AbortSignal): Promise<TargetSocket> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_TIMEOUT_MS)]);
  const where = `${target.host}:${target.port}`;
  const options = {
    host: target.host,
    port: target.port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEPALIVE_MS,
  };
  const plain = net.connect(options);
  await connected(plain, where, deadline);
  if (target.tls.mode === "disable") return { socket: plain, encrypted: false, binding: undefined };
  const secure = await secured(plain, target, deadline);
  return { socket: secure, encrypted: true, binding: bindingOf(secure) };
}

async function connected(socket: net.Socket, where: string, signal: AbortSignal): Promise<void> {
  try {
    await settled(socket, "connect", signal);
  } catch (cause) {
    throw unreachable(where, cause);
  }
}

function unreachable(where: string, cause: unknown): SallyportError {
  const why = (cause as NodeJS.ErrnoException).code ?? (cause as Error).name;
  return new SallyportError("target-unreachable", `the target at ${where} does not answer (${why})`, {
    cause,
    hint: "Ask whoever runs the database whether it is up; the gateway itself is.",
  });
}

/** SSLRequest (§54.2.10), then TLS with the chain and the name verified. */
async function secured(
  plain: net.Socket,
  target: PostgresConnection["target"],
  signal: AbortSignal,
): Promise<tls.TLSSocket> {
  const where = `${target.host}:${target.port}`;
  plain.write(SSL_REQUEST);
  const answer = await readExactly(plain, 1, signal).catch((cause: unknown) => {
    plain.destroy();
    throw unreachable(where, cause);
  });
  if (answer[0] !== 0x53 || plain.readableLength > 0) {
    plain.destroy();
    throw new SallyportError(
      "target-untrusted",
      `the target at ${where} does not offer TLS, which the connection demands`,
    );
  }
  const name = target.tls.serverName ?? target.host;
  const secure = tls.connect({
    socket: plain,
    host: name, // verified against the certificate
    ...(net.isIP(name) === 0 ? { servername: name } : {}), // RFC 6066 §3: an address is no server name
    ALPNProtocols: ["postgresql"],
    minVersion: "TLSv1.2",
    ...(target.tls.ca === undefined ? {} : { ca: target.tls.ca }),
  });
  try {
    await settled(secure, "secureConnect", signal);
  } catch (cause) {
    secure.destroy();
    const message = `the target's certificate at ${where} is not to be trusted: ${(cause as Error).message}`;
    throw asSallyportError(cause, "target-untrusted", message);
  }
  return secure;
}

function bindingOf(secure: tls.TLSSocket): Buffer | undefined {
  const certificate = secure.getPeerX509Certificate();
  return certificate && endPointBinding(certificate);
}

/** Resolves on `event`, rejects on an error, a close, or the signal, and then destroys the socket. */
function settled(socket: net.Socket, event: string, signal: AbortSignal): Promise<void> {
  return new Promise((done, failed) => {
    const finish = (error?: unknown): void => {
      socket.off(event, succeeded);
      socket.off("error", finish);
      socket.off("close", closed);
      signal.removeEventListener("abort", aborted);
      socket.on("error", () => {}); // the close that follows says it, whoever listens to it then
      if (error === undefined) return done();
      socket.destroy();
      failed(error instanceof Error ? error : new Error("aborted", { cause: error }));
    };
    const succeeded = (): void => finish();
    const closed = (): void => finish(new Error("the connection was closed"));
    const aborted = (): void => finish(signal.reason);
    socket.on(event, succeeded);
    socket.on("error", finish);
    socket.on("close", closed);
    signal.addEventListener("abort", aborted);
  });
}
