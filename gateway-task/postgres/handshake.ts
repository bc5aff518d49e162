import type net from "node:net";
import tls from "node:tls";
import { SallyportError } from "../../core/errors.ts";
import { readExactly } from "../read-exactly.ts";
import { AUTHENTICATION_CLEARTEXT, negotiateProtocolVersion } from "./answers.ts";
import { PASSWORD_MESSAGE } from "./messages.ts";
import { NEWEST_MINOR, parseStartup, startupLength, type StartupMessage, type StartupPacket } from "./startup.ts";

/** A pass has 50 characters; libpq pads nothing. */
const MAX_PASSWORD_MESSAGE = 1_024;
/** First byte of a TLS record of type handshake (RFC 8446 §5.1): a client with sslnegotiation=direct. */
const TLS_HANDSHAKE = 0x16;
const ACCEPTED = Buffer.from("S");
const DECLINED = Buffer.from("N");
const ALPN = "postgresql";
/** Room for a few reads' worth of rows on their way into TLS records, so that encryption and reading overlap. */
const TLS_HIGH_WATER_MARK = 256 << 10;

export interface HandshakeOptions {
  /** Undefined: the gateway offers no TLS, and lets in nobody but loopback, where `plaintextOnLoopback` says so. */
  readonly tls: tls.SecureContext | undefined;
  readonly plaintextOnLoopback: boolean;
  /** TLS has to begin with the first byte (`sslnegotiation=direct`): the port is for what speaks TLS alone. */
  readonly directTls?: boolean | undefined;
}

/** What a client has asked for, on the socket that it is to be answered on. */
export interface Greeted {
  readonly socket: net.Socket;
  readonly packet: StartupMessage | (StartupPacket & { kind: "cancel-request" });
}

/**
 * The start-up phase (§54.2.1, .9, .10) up to the packet that says what the client wants: TLS by SSLRequest or directly,
 * GSSAPI encryption declined, each asked for at most once.
 * Rejects with `protocol-violation`, `tls-required`, `feature-not-supported`, or the signal's reason.
 * @param switched hears of the socket to answer errors on, when it changes
 */
export async function greet(
  plain: net.Socket,
  options: HandshakeOptions,
  signal: AbortSignal,
  switched: (socket: net.Socket) => void,
): Promise<Greeted> {
  let socket = plain;
  const [first = 0] = await readExactly(plain, 1, signal);
  plain.unshift(Buffer.from([first]));
  if (first === TLS_HANDSHAKE) {
    const secure = await encrypt(plain, options, signal);
    switched((socket = secure));
    // §54.2.10: a direct connection must negotiate ALPN, so that a request meant for another protocol is not taken for ours.
    if (secure.alpnProtocol !== ALPN)
      throw new SallyportError(
        "protocol-violation",
        `a direct TLS connection must negotiate the ALPN protocol "${ALPN}"`,
      );
  } else if (options.directTls === true)
    throw new SallyportError("tls-required", "this port takes TLS from the first byte alone", {
      hint: "Connect with sslnegotiation=direct (libpq 17), or to the gateway's port for PostgreSQL.",
    });
  const asked = new Set<StartupPacket["kind"]>();
  for (;;) {
    const packet = await readStartup(socket, signal);
    if (packet.kind === "startup" || packet.kind === "cancel-request") {
      // libpq before version 17 sends cancel requests in plain text, whatever its session uses; no pass is in them.
      if (socket === plain && packet.kind === "startup") demandLoopback(plain, options);
      return { socket, packet };
    }
    if (asked.has(packet.kind)) throw new SallyportError("protocol-violation", "encryption was asked for twice");
    asked.add(packet.kind);
    const accepted = packet.kind === "ssl-request" && options.tls !== undefined && socket === plain;
    if (plain.readableLength > 0 && socket === plain)
      throw new SallyportError("protocol-violation", "bytes were sent behind an encryption request"); // CVE-2021-23214
    socket.write(accepted ? ACCEPTED : DECLINED);
    if (!accepted) continue;
    socket = await encrypt(plain, options, signal);
    switched(socket);
  }
}

async function readStartup(socket: net.Socket, signal: AbortSignal): Promise<StartupPacket> {
  const head = await readExactly(socket, 4, signal);
  const rest = await readExactly(socket, startupLength(head) - 4, signal);
  return parseStartup(Buffer.concat([head, rest]));
}

function demandLoopback(socket: net.Socket, options: HandshakeOptions): void {
  const address = (socket.remoteAddress ?? "").replace(/^::ffff:/, "");
  if (options.plaintextOnLoopback && (address.startsWith("127.") || address === "::1")) return;
  throw new SallyportError("tls-required", "this gateway is reached by TLS only", {
    hint: "Connect with sslmode=verify-full and the gateway's certificate as sslrootcert.",
  });
}

async function encrypt(plain: net.Socket, options: HandshakeOptions, signal: AbortSignal): Promise<tls.TLSSocket> {
  if (options.tls === undefined)
    throw new SallyportError("protocol-violation", "this port does not speak TLS", {
      hint: "Connect with sslmode=disable, which is possible from this machine only.",
    });
  const secure = new tls.TLSSocket(plain, {
    isServer: true,
    secureContext: options.tls,
    ALPNProtocols: [ALPN],
    highWaterMark: TLS_HIGH_WATER_MARK,
  } as tls.TLSSocketOptions);
  secure.on("error", () => {}); // the close that follows says it
  await new Promise<void>((done, failed) => {
    const lost = (): void => failed(new SallyportError("protocol-violation", "the TLS handshake failed"));
    const aborted = (): void => {
      secure.destroy();
      failed(signal.reason as Error);
    };
    secure.once("secure", () => {
      secure.off("close", lost);
      signal.removeEventListener("abort", aborted);
      done();
    });
    secure.once("close", lost);
    signal.addEventListener("abort", aborted);
  });
  return secure;
}

/** Negotiates the minor version, and asks for the pass (AuthenticationCleartextPassword; the channel is TLS or loopback). */
export async function askForPass(socket: net.Socket, startup: StartupMessage, signal: AbortSignal): Promise<string> {
  if (startup.minor > NEWEST_MINOR || startup.protocolOptions.length > 0)
    socket.write(negotiateProtocolVersion(Math.min(startup.minor, NEWEST_MINOR), startup.protocolOptions));
  socket.write(AUTHENTICATION_CLEARTEXT);
  const head = await readExactly(socket, 5, signal);
  if (head.toString("latin1", 0, 1) !== PASSWORD_MESSAGE)
    throw new SallyportError("protocol-violation", "a message other than the password came before the log-in was over");
  const length = head.readUInt32BE(1) - 4;
  if (length < 1 || length > MAX_PASSWORD_MESSAGE)
    throw new SallyportError("pass-invalid", "the password is not a pass");
  const body = await readExactly(socket, length, signal);
  return body.toString("utf8", 0, body.at(-1) === 0 ? length - 1 : length);
}
