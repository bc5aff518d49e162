import { createHash } from "node:crypto";
import type net from "node:net";
import { SallyportError } from "../../core/errors.ts";
import { readExactly } from "../read-exactly.ts";
import { message } from "./answers.ts";
import { backendFields } from "./error-fields.ts";
import { startScram, type ScramStart } from "./scram.ts";
import type { TargetSocket } from "./target.ts";

/** More than any server says between start-up and its first ReadyForQuery. */
const MAX_LOGIN_BYTES = 1 << 20;

export interface TargetCredentials {
  readonly user: string;
  readonly password: string | undefined;
}

export interface LoggedIn {
  /** ParameterStatus and NoticeResponse messages, as they came: the client gets them. */
  readonly greeting: Buffer;
  readonly processId: number;
  readonly cancelSecret: Buffer;
  /** ReadyForQuery, as it came. */
  readonly ready: Buffer;
}

/**
 * Logs in to a target: trust, MD5, SCRAM-SHA-256 and SCRAM-SHA-256-PLUS; a clear-text password only inside TLS.
 * @param parameters start-up parameters beside `user` and `database`
 * Rejects with `target-refused`, `target-untrusted`, `target-lost`, or the signal's reason.
 */
export async function logInToTarget(
  target: TargetSocket,
  credentials: TargetCredentials,
  database: string,
  parameters: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<LoggedIn> {
  target.socket.write(startupMessage([["user", credentials.user], ["database", database], ...parameters]));
  const greeting: Buffer[] = [];
  let key: { processId: number; secret: Buffer } | undefined;
  const authentication = authenticator(target, credentials);
  let authenticated = false;
  for (let total = 0; total < MAX_LOGIN_BYTES;) {
    const received = await readMessage(target.socket, signal);
    total += received.length;
    const tag = String.fromCharCode(received[0] ?? 0);
    if (!authenticated && !"REN".includes(tag)) throw outOfPlace();
    switch (tag) {
      case "R":
        authenticated = await authentication(received);
        break;
      case "S":
      case "N":
        greeting.push(received);
        break;
      case "K":
        key = { processId: received.readInt32BE(5), secret: received.subarray(9) };
        break;
      case "E":
        throw refused(received);
      case "Z":
        return {
          greeting: Buffer.concat(greeting),
          processId: key?.processId ?? 0,
          cancelSecret: key?.secret ?? Buffer.alloc(0),
          ready: received,
        };
      default:
        throw outOfPlace();
    }
  }
  throw new SallyportError("target-refused", "the target says too much at its log-in");
}

function outOfPlace(): SallyportError {
  return new SallyportError(
    "target-refused",
    "the target answers its log-in with a message that does not belong there",
  );
}

/** One whole message; what comes behind it stays in the socket. */
async function readMessage(socket: net.Socket, signal: AbortSignal): Promise<Buffer> {
  const lost = (cause: unknown): never => {
    signal.throwIfAborted();
    throw new SallyportError("target-lost", "the target closed the connection during its log-in", { cause });
  };
  const head = await readExactly(socket, 5, signal).catch(lost);
  const length = head.readUInt32BE(1) - 4;
  const least = head[0] === 0x52 || head[0] === 0x4b ? 4 : 0; // Authentication*: its kind; BackendKeyData: the process id
  if (length < least || length > MAX_LOGIN_BYTES)
    throw new SallyportError("target-refused", "the target does not speak the PostgreSQL protocol");
  return length === 0 ? head : Buffer.concat([head, await readExactly(socket, length, signal).catch(lost)]);
}

function startupMessage(parameters: readonly (readonly [string, string])[]): Buffer {
  const body = Buffer.from(parameters.map(([name, value]) => `${name}\0${value}\0`).join("") + "\0");
  const head = Buffer.alloc(8);
  head.writeUInt32BE(8 + body.length, 0);
  head.writeUInt32BE(3 << 16, 4); // 3.0: the target's cancel key stays with us, so that its length does not matter
  return Buffer.concat([head, body]);
}

/** One step of the target's authentication a message (§54.7 Authentication*); answers whether it was the last. */
function authenticator(
  target: TargetSocket,
  { user, password }: TargetCredentials,
): (received: Buffer) => Promise<boolean> {
  let scram: ScramStart | undefined;
  let verified = false;
  let verify: ((serverFinal: string) => void) | undefined;
  const needed = (): string => {
    if (password !== undefined) return password;
    throw new SallyportError(
      "target-refused",
      "the target asks for a password, and the connection has none configured",
    );
  };
  const send = (body: string | Buffer): false => {
    target.socket.write(message("p", Buffer.from(body)));
    return false;
  };
  return async (received) => {
    const body = received.subarray(9);
    switch (received.readUInt32BE(5)) {
      case 0:
        if (scram !== undefined && !verified)
          throw new SallyportError("target-untrusted", "the target cut its SCRAM exchange short");
        return true;
      case 3:
        if (!target.encrypted)
          throw new SallyportError("target-untrusted", "the target asks for a clear-text password without TLS");
        return send(`${needed()}\0`);
      case 5:
        return send(
          `md5${md5(Buffer.concat([Buffer.from(md5(Buffer.from(needed() + user))), body.subarray(0, 4)]))}\0`,
        );
      case 10: {
        scram = startScram(body.toString("utf8").split("\0").filter(Boolean), needed(), target.binding);
        const first = Buffer.from(scram.clientFirst);
        const length = Buffer.alloc(4);
        length.writeInt32BE(first.length);
        return send(Buffer.concat([Buffer.from(`${scram.mechanism}\0`), length, first]));
      }
      case 11: {
        if (scram === undefined) break;
        const answer = await scram.answer(body.toString("utf8"));
        verify = (final) => answer.verify(final);
        return send(answer.clientFinal);
      }
      case 12:
        if (verify === undefined) break;
        verify(body.toString("utf8"));
        verified = true;
        return false;
      default:
    }
    throw new SallyportError(
      "target-refused",
      "the target asks for a way of authentication that the gateway does not know",
      {
        hint: "Use scram-sha-256, md5 or trust in its pg_hba.conf.",
      },
    );
  };
}

function md5(bytes: Buffer): string {
  return createHash("md5").update(bytes).digest("hex");
}

function refused(received: Buffer): SallyportError {
  const fields = new Map(backendFields(received.subarray(5)).map(({ code, value }) => [code, value]));
  const text = fields.get("M") ?? "no reason given";
  const sqlstate = fields.get("C") ?? "XX000";
  return new SallyportError("target-refused", `the target refuses the connection: ${text} (${sqlstate})`);
}
