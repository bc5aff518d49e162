import { ERRORS, type SallyportError } from "../../core/errors.ts";

/** The gateway's own messages to a client: encoders, and the one place that turns an error into PostgreSQL's terms. */

export function message(tag: string, body: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(5 + body.length);
  bytes.write(tag, 0, 1, "latin1");
  bytes.writeUInt32BE(4 + body.length, 1);
  bytes.set(body, 5);
  return bytes;
}

/** R: AuthenticationCleartextPassword (§54.7). */
export const AUTHENTICATION_CLEARTEXT = message("R", Buffer.from([0, 0, 0, 3]));
/** R: AuthenticationOk. */
export const AUTHENTICATION_OK = message("R", Buffer.from([0, 0, 0, 0]));

/** v: the newest minor version we speak, and the protocol options that we do not know. */
export function negotiateProtocolVersion(minor: number, options: readonly string[]): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE((3 << 16) | minor, 0);
  head.writeUInt32BE(options.length, 4);
  return message("v", Buffer.concat([head, ...options.map((option) => Buffer.from(`${option}\0`))]));
}

/** K: process id and secret (4 bytes in protocol 3.0, up to 256 in 3.2). */
export function backendKeyData(processId: number, secret: Uint8Array): Buffer {
  const body = Buffer.alloc(4 + secret.length);
  body.writeInt32BE(processId, 0);
  body.set(secret, 4);
  return message("K", body);
}

/**
 * An ErrorResponse with severity FATAL: the last thing that a client hears. It goes out even when nothing can be recorded
 * any more, which is why it is made from an error and never from bytes.
 */
export type Farewell = Buffer & { readonly farewell: true };

export function farewell(error: SallyportError): Farewell {
  const fields: [string, string][] = [
    ["S", "FATAL"],
    ["V", "FATAL"],
    ["C", ERRORS[error.code].sqlstate],
    ["M", `sallyport: ${error.message}`],
  ];
  if (error.hint !== undefined) fields.push(["H", error.hint]);
  const body = fields.map(([code, text]) => `${code}${text.replaceAll("\0", "")}\0`).join("") + "\0";
  return message("E", Buffer.from(body)) as Farewell;
}
