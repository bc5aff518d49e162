import { SallyportError } from "../../core/errors.ts";

/** The packets of the start-up phase (PostgreSQL 18 §54.7: CancelRequest, GSSENCRequest, SSLRequest, StartupMessage). */
export type StartupPacket =
  | { readonly kind: "ssl-request" }
  | { readonly kind: "gss-request" }
  | { readonly kind: "cancel-request"; readonly processId: number; readonly secret: Buffer }
  | StartupMessage;

export interface StartupMessage {
  readonly kind: "startup";
  /** Of protocol 3: what the client asks for. */
  readonly minor: number;
  readonly parameters: ReadonlyMap<string, string>;
  /** `_pq_.` options: none is known to us, so each is named in NegotiateProtocolVersion. */
  readonly protocolOptions: readonly string[];
}

/** MAX_STARTUP_PACKET_LENGTH of src/include/libpq/pqcomm.h. */
const MAX_STARTUP_BYTES = 10_000;
/** Length and request code. */
const MIN_STARTUP_BYTES = 8;
/** NEWEST minor that we speak: 3.2 brought cancel keys of variable length. */
export const NEWEST_MINOR = 2;

const SSL_REQUEST = 80877103;
const GSS_REQUEST = 80877104;
const CANCEL_REQUEST = 80877102;
/** §54.7 CancelRequest: the secret key is at most 256 bytes long. */
const MAX_CANCEL_KEY = 256;
/** More than any client sends, and few enough to record. */
const MAX_PARAMETERS = 128;

/** The length that a start-up packet's first four bytes claim. Throws `protocol-violation` before anything is buffered. */
export function startupLength(first: Buffer): number {
  const length = first.readUInt32BE(0);
  if (length < MIN_STARTUP_BYTES || length > MAX_STARTUP_BYTES)
    throw new SallyportError("protocol-violation", "this is not a PostgreSQL start-up packet", {
      hint: "This port speaks the PostgreSQL protocol only.",
    });
  return length;
}

/** A whole start-up packet, its length word included. Throws `protocol-violation`, `feature-not-supported`. */
export function parseStartup(packet: Buffer): StartupPacket {
  const code = packet.readUInt32BE(4);
  if (code === SSL_REQUEST || code === GSS_REQUEST) {
    if (packet.length !== MIN_STARTUP_BYTES) throw malformed("an encryption request has the wrong length");
    return { kind: code === SSL_REQUEST ? "ssl-request" : "gss-request" };
  }
  if (code === CANCEL_REQUEST) return parseCancel(packet);
  if (code >>> 16 !== 3)
    throw new SallyportError("feature-not-supported", `protocol ${code >>> 16}.${code & 0xffff} is not supported`, {
      hint: "Use a client that speaks version 3 of the PostgreSQL protocol.",
    });
  return parseStartupMessage(packet, code & 0xffff);
}

function parseCancel(packet: Buffer): StartupPacket {
  const secret = packet.subarray(12);
  if (secret.length < 4 || secret.length > MAX_CANCEL_KEY) throw malformed("a cancel request has the wrong length");
  return { kind: "cancel-request", processId: packet.readInt32BE(8), secret };
}

function parseStartupMessage(packet: Buffer, minor: number): StartupMessage {
  const parameters = new Map<string, string>();
  const protocolOptions: string[] = [];
  if (packet[packet.length - 1] !== 0) throw malformed("a start-up packet has no end");
  let at = 8;
  while (packet[at] !== 0) {
    const name = cString(packet, at);
    at = name.end;
    const value = cString(packet, at);
    at = value.end;
    if (name.text.startsWith("_pq_.")) protocolOptions.push(name.text);
    else parameters.set(name.text, value.text);
    if (parameters.size + protocolOptions.length > MAX_PARAMETERS)
      throw malformed("a start-up packet has too many parameters");
  }
  if (at !== packet.length - 1) throw malformed("a start-up packet goes on behind its end");
  return { kind: "startup", minor, parameters, protocolOptions };
}

function cString(packet: Buffer, at: number): { text: string; end: number } {
  const end = packet.indexOf(0, at);
  if (end < 0 || end >= packet.length - 1) throw malformed("a start-up packet is cut off");
  return { text: packet.toString("utf8", at, end), end: end + 1 };
}

function malformed(message: string): SallyportError {
  return new SallyportError("protocol-violation", message);
}
