import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import { serialize } from "pg-protocol/dist/serializer.js";

/** A PostgreSQL client that says exactly what a test tells it to, well-formed or not. */
export interface WireClient {
  readonly socket: net.Socket;
  /** All that came and was not read yet. */
  readonly pending: Buffer;
  /** Whether the other side has closed. */
  readonly closed: boolean;
  send(...bytes: readonly (Buffer | string)[]): void;
  /** So many bytes. Rejects when the connection closes before. */
  bytes(length: number): Promise<Buffer>;
  message(): Promise<Message>;
  /** Every message up to and with the first of one of these types. */
  until(tags: string): Promise<Message[]>;
  /** What comes until the other side closes. */
  rest(): Promise<Buffer>;
  close(): void;
}

export interface Message {
  readonly tag: string;
  readonly body: Buffer;
}

export interface WireOptions {
  readonly host?: string;
  readonly port: number;
  /** The address to come from. */
  readonly from?: string;
}

export const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
export const GSS_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 48]);

/** A plain connection. */
export async function connectWire({ host = "127.0.0.1", port, from }: WireOptions): Promise<WireClient> {
  const socket = net.connect({ host, port, ...(from === undefined ? {} : { localAddress: from }) });
  const client = wire(socket);
  await once(socket, "connect");
  return client;
}

/** The same connection, from now on inside TLS. */
export async function upgrade(client: WireClient, options: tls.ConnectionOptions): Promise<WireClient> {
  client.socket.removeAllListeners("data");
  const secure = tls.connect({ ALPNProtocols: ["postgresql"], host: "127.0.0.1", ...options, socket: client.socket });
  const encrypted = wire(secure);
  await once(secure, "secureConnect");
  return encrypted;
}

function wire(socket: net.Socket): WireClient {
  let pending = Buffer.alloc(0);
  const state = { closed: false };
  let woken: (() => void)[] = [];
  const wake = (): void => {
    for (const go of woken.splice(0)) go();
  };
  const changed = async (): Promise<void> => new Promise((done) => void woken.push(done));
  socket.on("error", () => {});
  socket.on("data", (bytes: Buffer) => {
    pending = Buffer.concat([pending, bytes]);
    wake();
  });
  for (const event of ["end", "close"])
    socket.on(event, () => {
      state.closed = true;
      wake();
    });
  const bytes = async (length: number): Promise<Buffer> => {
    while (pending.length < length) {
      if (state.closed)
        throw new Error(`the connection was closed after ${pending.length} bytes of ${length}: ${pending.toString()}`);
      await changed();
    }
    const taken = pending.subarray(0, length);
    pending = pending.subarray(length);
    return taken;
  };
  const message = async (): Promise<Message> => {
    const head = await bytes(5);
    return { tag: head.toString("latin1", 0, 1), body: await bytes(head.readUInt32BE(1) - 4) };
  };
  return {
    socket,
    get pending() {
      return pending;
    },
    get closed() {
      return state.closed;
    },
    send: (...parts) => void socket.write(Buffer.concat(parts.map((part) => Buffer.from(part)))),
    bytes,
    message,
    async until(tags) {
      const messages = [await message()];
      while (!tags.includes(messages.at(-1)?.tag ?? "")) messages.push(await message());
      return messages;
    },
    async rest() {
      while (!state.closed) await changed();
      return bytes(pending.length);
    },
    close: () => void socket.destroy(),
  };
}

const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};

/** A StartupMessage of protocol 3. */
export function startupMessage(parameters: Readonly<Record<string, string>>, minor = 0): Buffer {
  const pairs = Object.entries(parameters).map(([name, value]) => `${name}\0${value}\0`);
  const body = Buffer.concat([word((3 << 16) | minor), Buffer.from(`${pairs.join("")}\0`)]);
  return Buffer.concat([word(4 + body.length), body]);
}

export function cancelRequest(processId: number, secret: Uint8Array): Buffer {
  return Buffer.concat([word(12 + secret.length), word(80877102), word(processId), secret]);
}

/** What a server says at a log-in. */
export interface Greeting {
  readonly processId: number;
  readonly secret: Buffer;
  readonly settings: ReadonlyMap<string, string>;
  /** Of NegotiateProtocolVersion: the minor version, and the options that are not known. */
  readonly negotiated: { readonly minor: number; readonly options: readonly string[] } | undefined;
}

/** Shows a pass as a clear-text password, and reads up to ReadyForQuery; throws the text of an ErrorResponse. */
export async function logIn(
  client: WireClient,
  pass: string,
  parameters: Readonly<Record<string, string>> = { user: "whoever", database: "shop" },
  minor = 0,
): Promise<Greeting> {
  client.send(startupMessage(parameters, minor));
  const asked = await client.until("RE");
  if (asked.at(-1)?.tag === "R") client.send(serialize.password(pass));
  const greeting = [...asked, ...(asked.at(-1)?.tag === "E" ? [] : await client.until("ZE"))];
  const last = greeting.at(-1);
  if (last?.tag === "E") throw new Error(errorText(last));
  const key = greeting.find(({ tag }) => tag === "K")?.body ?? Buffer.alloc(8);
  const settings = greeting.filter(({ tag }) => tag === "S").map(({ body }) => body.toString().split("\0"));
  const version = greeting.find(({ tag }) => tag === "v")?.body;
  return {
    processId: key.readInt32BE(0),
    secret: key.subarray(4),
    settings: new Map(settings.map(([name = "", value = ""]) => [name, value])),
    negotiated: version && {
      minor: version.readUInt32BE(0) & 0xffff,
      options: version.toString("utf8", 8).split("\0").slice(0, -1),
    },
  };
}

/** `SQLSTATE text` of an ErrorResponse. */
export function errorText({ body }: Message): string {
  const fields = body.toString().split("\0");
  const field = (code: string): string | undefined => fields.find((text) => text.startsWith(code))?.slice(1);
  return `${field("C")} ${field("M")}`;
}
