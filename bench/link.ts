import { connect } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { createScanner } from "./scanner.ts";

/** Where a client connects to, and how. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly tls: boolean;
}

/** A PostgreSQL connection that reads as fast as Node can: replies are counted and thrown away. */
export interface Link {
  /** Sends frames that end in one Query or Sync; resolves at its ReadyForQuery with the bytes that came. Throws the server's error. */
  exchange(frames: Uint8Array): Promise<number>;
  close(): void;
}

const READ_BUFFER_BYTES = 256 * 1024;
/** PostgreSQL protocol §55.2.10: SSLRequest. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
const AUTHENTICATION_OK = 0;
const AUTHENTICATION_CLEARTEXT = 3;

export async function openLink(address: Address): Promise<Link> {
  let waiting: { resolve: (bytes: number) => void; reject: (error: Error) => void } | undefined;
  let bytes = 0;
  let failure: Error | undefined;
  const settle = (error?: Error) => {
    const one = waiting;
    waiting = undefined;
    if (error) one?.reject(error);
    else one?.resolve(bytes);
  };
  const scan = createScanner((tag, body) => {
    if (tag === "R") answerAuthentication(socket, body, address.password);
    if (tag === "E") failure = new Error(body.toString("utf8").replaceAll("\0", " "));
    if (tag === "Z") settle(failure);
  });
  const socket = await openSocket(address, (chunk) => {
    bytes += chunk.length;
    scan(chunk);
  });
  socket.setNoDelay(true);
  socket.on("error", (error) => settle(error));
  socket.on("close", () => settle(failure ?? new Error("the connection was closed")));
  const exchange = async (frames: Uint8Array): Promise<number> =>
    new Promise((resolve, reject) => {
      bytes = 0;
      failure = undefined;
      waiting = { resolve, reject };
      socket.write(frames);
    });
  await exchange(startup(address));
  return { exchange, close: () => socket.destroy() };
}

async function openSocket(address: Address, onBytes: (chunk: Buffer) => void): Promise<Socket> {
  const { host, port } = address;
  const settled = async (socket: Socket, event: string) =>
    new Promise<void>((resolve, reject) => {
      socket.once(event, () => resolve());
      socket.once("error", reject);
    });
  if (!address.tls) {
    const buffer = Buffer.allocUnsafe(READ_BUFFER_BYTES);
    const callback = (length: number) => {
      onBytes(buffer.subarray(0, length));
      return true;
    };
    const socket = connect({ host, port, onread: { buffer, callback } });
    await settled(socket, "connect");
    return socket;
  }
  const plain = connect({ host, port });
  await settled(plain, "connect");
  plain.write(SSL_REQUEST);
  const answer = await new Promise<Buffer>((resolve, reject) => {
    plain.once("data", resolve);
    plain.once("error", reject);
  });
  if (answer.toString("latin1") !== "S") throw new Error("the server does not offer TLS");
  // The certificate is the bench's own, made a minute ago: what is measured is the cipher, not the trust.
  const socket = connectTls({ socket: plain, rejectUnauthorized: false });
  await settled(socket, "secureConnect");
  socket.on("data", onBytes);
  return socket;
}

function answerAuthentication(socket: Socket, body: Buffer, password: string): void {
  const kind = body.readUInt32BE(0);
  if (kind === AUTHENTICATION_CLEARTEXT) socket.write(frame("p", password));
  else if (kind !== AUTHENTICATION_OK) socket.destroy(new Error(`authentication of kind ${kind} is not for the bench`));
}

function startup({ user, database }: Address): Buffer {
  const body = Buffer.from(`user\0${user}\0database\0${database}\0application_name\0bench\0\0`, "utf8");
  const head = Buffer.alloc(8);
  head.writeUInt32BE(body.length + 8, 0);
  head.writeUInt32BE(196_608, 4);
  return Buffer.concat([head, body]);
}

/** A message of one string (§55.7): Query, PasswordMessage. */
function frame(tag: string, text: string): Buffer {
  return raw(tag, Buffer.from(`${text}\0`, "utf8"));
}

function raw(tag: string, body: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.write(tag, 0, "latin1");
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

export function simpleQuery(sql: string): Buffer {
  return frame("Q", sql);
}

/** A statement of one integer parameter; `name` "" is the unnamed statement. */
export function parse(name: string, sql: string): Buffer {
  return raw("P", Buffer.from(`${name}\0${sql}\0\0\0`, "utf8"));
}

export function bindExecute(name: string, value: number): Buffer {
  const text = String(value);
  const head = Buffer.from(`\0${name}\0\0\0\0\u0001\0\0\0${String.fromCharCode(text.length)}${text}\0\0`, "latin1");
  const describe = Buffer.from("P\0", "latin1");
  return Buffer.concat([raw("B", head), raw("D", describe), raw("E", Buffer.alloc(5))]);
}

export const SYNC = raw("S", Buffer.alloc(0));
