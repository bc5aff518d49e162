import { randomBytes } from "node:crypto";
import net from "node:net";
import type { SecureContext } from "node:tls";
import { asSallyportError, SallyportError } from "../../core/errors.ts";
import type { PostgresConnection } from "../../core/config/connections.ts";
import type { CancelKeys, CancelTarget } from "../../core/ports/cancel-keys.ts";
import type { CloseReason } from "../../core/ports/session-store.ts";
import { overwritePasses, redactPasses } from "../../core/identity/pass.ts";
import { CONNECT_PATIENCE_MS, type Doorway } from "../admission.ts";
import { openChannel } from "../channel.ts";
import type { LiveSession } from "../live-sessions.ts";
import {
  type ConnectTarget,
  openSession,
  type Login,
  type OpenSession,
  type SessionDeps,
  type TargetCredentials,
} from "../session.ts";
import { tellMasked } from "../mask-counts.ts";
import type { SourceLimits } from "../source-limits.ts";
import { unlessAborted } from "../within.ts";
import { AUTHENTICATION_OK, backendKeyData, farewell } from "./answers.ts";
import { cancelAtTarget } from "./cancel.ts";
import { noticeOfHold } from "./refusal-texts.ts";
import { askForPass, greet } from "./handshake.ts";
import type { GuardDeps } from "./guarded-input.ts";
import { demandReadable, demandReadableGreeting } from "./readable-text.ts";
import { isGuarded, Relay } from "./relay.ts";
import type { StartupMessage } from "./startup.ts";
import { maskedTarget } from "./masking/masked-target.ts";
import type { OpenMasker } from "./masking/open-masker.ts";
import type { StreamMasker } from "./masking/stream-masker.ts";
import { openTarget, type TargetSocket } from "./target.ts";
import { logInToTarget, type LoggedIn } from "./target-login.ts";

/** From the first byte to ReadyForQuery. PostgreSQL's own authentication_timeout is 60 s. */
const HANDSHAKE_TIMEOUT_MS = 30_000;
const KEEPALIVE_MS = 60_000;
/** A client that does not read its error, or does not close, is not waited for. */
const LINGER_MS = 2_000;

/** For the target to take a cancel request of ours. */
const CANCEL_TIMEOUT_MS = 5_000;
/** Ends that neither the client nor the target chose. */
const CUT_SHORT: ReadonlySet<CloseReason> = new Set([
  "pass-revoked",
  "recording-failed",
  "protocol-violation",
  "limit-exceeded",
  "shutting-down",
]);

export interface PostgresListenerDeps extends SessionDeps, GuardDeps {
  readonly cancelKeys: CancelKeys;
  readonly listen: { readonly host: string; readonly port: number };
  readonly tls: SecureContext | undefined;
  readonly plaintextOnLoopback: boolean;
  readonly directTls?: boolean | undefined;
  /** What one address may do, on all ports together. */
  readonly limits: SourceLimits;
  /** Who masks a session's results, where anything is to be masked. */
  readonly openMasker: OpenMasker;
}

export interface PostgresListener {
  readonly port: number;
  /** Accepts nobody new. Live sessions go on. */
  close(): void;
}

/** What the last step of opening a session leaves: the target, logged in. */
interface Target {
  readonly socket: TargetSocket;
  readonly greeting: LoggedIn;
  /** There were policies then, and what it says of itself lets statements be judged. */
  readonly guarded: boolean;
  readonly masker: StreamMasker | undefined;
}

/** Listens for PostgreSQL clients. Each connection is its own task, with its own deadline; none can hold up another. */
export async function listenForPostgres(deps: PostgresListenerDeps): Promise<PostgresListener> {
  const { limits } = deps;
  const server = net.createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_MS }, (socket) => {
    const address = socket.remoteAddress ?? "";
    const client = `${address}:${socket.remotePort ?? 0}`;
    socket.on("error", () => {}); // the close that follows says it
    const release = limits.admit(address);
    if (release === undefined) {
      deps.logger.warn({ client }, "too many connections of one address are signing in");
      socket.destroy();
      return;
    }
    const serve = async (): Promise<void> => {
      const live = await accept(socket, client, deps, () => limits.mayCancel(address, deps.clock()));
      // Who was refused counts for as long as its socket is there.
      if (live || socket.destroyed) release();
      else socket.once("close", release);
    };
    void serve();
  });
  await new Promise<void>((done, failed) => {
    server.once("error", failed);
    server.listen({ ...deps.listen, backlog: 1024 }, done);
  });
  server.on("error", (error) => deps.logger.error({ err: error }, "the PostgreSQL listener failed"));
  const { port } = server.address() as net.AddressInfo;
  const { listen, tls, directTls = false } = deps;
  deps.logger.info({ host: listen.host, port, tls: tls !== undefined, directTls }, "listening for PostgreSQL");
  return { port, close: () => void server.close() };
}

/**
 * One connection, up to where its session is live. Never throws: what goes wrong is told to the client and logged.
 * Answers whether there is a session now.
 */
async function accept(
  plain: net.Socket,
  client: string,
  deps: PostgresListenerDeps,
  mayCancel: () => boolean,
): Promise<boolean> {
  const deadline = new AbortController();
  const late = new SallyportError("handshake-timeout", "the log-in took too long");
  let timer = setTimeout(() => deadline.abort(late), HANDSHAKE_TIMEOUT_MS);
  const gone = (): void => deadline.abort(new SallyportError("protocol-violation", "the client went away"));
  plain.once("close", gone);
  let answerOn = plain;
  try {
    const { socket, packet } = await greet(plain, deps, deadline.signal, (switched) => (answerOn = switched));
    if (packet.kind === "cancel-request") {
      if (mayCancel()) await cancel(packet.processId, packet.secret, client, deps, deadline.signal);
      letGo(socket); // §54.2.8: nothing tells whether it was found
      return false;
    }
    const pass = await askForPass(socket, packet, deadline.signal);
    const login = readLogin(packet, pass, client);
    const target: ConnectTarget<"postgres", Target> = (opened, credentials) =>
      connect(opened, credentials, login.settings, isGuarded(deps), deps.openMasker, deadline.signal);
    let authenticated = false;
    const told: Doorway["told"] = (hold, waiting) => {
      clearTimeout(timer);
      timer = setTimeout(() => deadline.abort(late), CONNECT_PATIENCE_MS + HANDSHAKE_TIMEOUT_MS);
      // libpq takes a notice only behind AuthenticationOk.
      socket.write(Buffer.concat([AUTHENTICATION_OK, noticeOfHold(hold, waiting, false)]));
      authenticated = true;
    };
    const session = await openSession(deps, login, target, { told, signal: deadline.signal });
    await relay(session, socket, { minor: packet.minor, authenticated }, deps, deadline.signal);
    return true;
  } catch (thrown) {
    const error = asSallyportError(thrown, "internal", "the gateway failed");
    deps.logger.warn({ client, code: error.code, reason: redactPasses(error.message) }, "a connection was refused");
    if (error.code === "internal") deps.logger.error({ err: thrown }, "a connection failed for a reason of ours");
    letGo(answerOn, farewell(error));
    return false;
  } finally {
    clearTimeout(timer);
    plain.off("close", gone);
  }
}

/** Never the socket below a TLS socket: Node crashes where it goes first. */
function letGo(socket: net.Socket, lastWord?: Buffer): void {
  if (lastWord === undefined) socket.end();
  else socket.end(lastWord);
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

/** `dbname` is the connection's name, or `connection/database`; libpq gives the user's name where there is none. */
function readLogin(startup: StartupMessage, pass: string, client: string): Login<"postgres"> {
  const { user, database, replication, ...settings } = Object.fromEntries(startup.parameters);
  if (replication !== undefined && !/^(?:false|off|no|0)$/i.test(replication))
    throw new SallyportError("feature-not-supported", "replication connections do not pass through the gateway", {
      hint: "Logical replication carries whole tables past every statement rule; connect it directly where that is meant.",
    });
  const [connection = "", ...rest] = (database ?? user ?? "").split("/");
  return {
    protocol: "postgres",
    connection,
    database: rest.length > 0 ? rest.join("/") : undefined,
    pass,
    settings: new Map(Object.entries(settings)),
    client,
  };
}

async function connect(
  { connection, database, masking }: Pick<OpenSession<"postgres", Target>, "connection" | "database" | "masking">,
  { user, secret, source }: TargetCredentials,
  settings: ReadonlyMap<string, string>,
  guarded: boolean,
  openMasker: OpenMasker,
  signal: AbortSignal,
): Promise<Target> {
  if (guarded) demandReadable(settings);
  const socket = await openTarget(connection.target, signal);
  try {
    const greeting = await logInToTarget(socket, { user, password: secret }, database, settings, signal);
    if (guarded) demandReadableGreeting(greeting.greeting);
    const masker = await unlessAborted(signal, openMasker({ connection, database, source, masking }));
    signal.throwIfAborted(); // from here on nobody would close it
    return { socket, greeting, guarded, masker };
  } catch (error) {
    socket.socket.destroy();
    throw error;
  }
}

/** Gives the client its greeting, with a cancel key of ours, and lets the session live. */
async function relay(
  { login, recorder, pass, connection, target }: OpenSession<"postgres", Target>,
  socket: net.Socket,
  { minor, authenticated }: { readonly minor: number; readonly authenticated: boolean },
  deps: PostgresListenerDeps,
  signal: AbortSignal,
): Promise<void> {
  const { greeting, processId, cancelSecret, ready } = target.greeting;
  const secret = randomBytes(minor >= 2 ? 32 : 4);
  const live: LiveSession = {
    id: recorder.session,
    pass: pass.id,
    end: (reason, error) => relayed.end(reason, error),
    cancel: () => relayed.cancel(),
    record: (event) => relayed.record(event),
  };
  const { name, environment } = connection;
  const asker = {
    session: recorder.session,
    requester: pass.principal,
    connection: name,
    environment,
    client: login.client,
  };
  const guard = { deps, asker, guarded: target.guarded };
  const key = { session: recorder.session, connection: connection.name, processId, secret: cancelSecret };
  const { masker } = target;
  const channel = openChannel<"target">(target.socket.socket);
  const shown =
    masker === undefined
      ? channel
      : maskedTarget(channel, masker, (values) => relayed.record({ type: "masked", values }));
  const ended = (reason: CloseReason, error: SallyportError | undefined): void => {
    deps.live.remove(live);
    tellMasked(recorder, masker?.takeCounts(), deps.logger);
    deps.recorder.seal(recorder, reason, error?.message);
    const about = { client: login.client, session: recorder.session, reason, code: error?.code };
    deps.logger[error ? "warn" : "info"](about, "a session has ended");
    if (CUT_SHORT.has(reason)) void stopAtTarget(connection, key, deps);
    deps.cancelKeys.remove(recorder.session).catch((cause: unknown) => {
      deps.logger.warn({ err: cause, session: recorder.session }, "a cancel key could not be removed");
    });
  };
  const relayed = new Relay(recorder, openChannel(socket), shown, ended, guard, masker?.statements);
  try {
    await unlessAborted(signal, deps.cancelKeys.put(processId, secret, key));
    deps.live.add(live);
    const hello = (cancelKey: Buffer): Buffer =>
      Buffer.concat([
        ...(authenticated ? [] : [AUTHENTICATION_OK]),
        greeting,
        backendKeyData(processId, cancelKey),
        ready,
      ]);
    // The target repeats some settings: application_name, and with it a pass that stands in the wrong place.
    await relayed.start(hello(secret), overwritePasses(hello(Buffer.alloc(secret.length))));
  } catch (error) {
    relayed.fail(error);
  }
}

/** What a session that we ended still runs there is cancelled: PostgreSQL sees a closed connection only when it next writes. */
async function stopAtTarget(
  connection: PostgresConnection,
  key: CancelTarget,
  deps: PostgresListenerDeps,
): Promise<void> {
  try {
    await cancelAtTarget(connection, key, AbortSignal.timeout(CANCEL_TIMEOUT_MS));
  } catch (error) {
    deps.logger.warn({ err: error, session: key.session }, "what a session ran could not be cancelled at its target");
  }
}

async function cancel(
  processId: number,
  secret: Buffer,
  client: string,
  deps: PostgresListenerDeps,
  signal: AbortSignal,
): Promise<void> {
  const target = await deps.cancelKeys.find(processId, secret);
  const connection = target && deps.connections().get(target.connection);
  if (target === undefined || connection?.protocol !== "postgres") {
    deps.logger.warn({ client }, "a cancel request bears no key that is known");
    return;
  }
  const session = deps.live.get(target.session);
  session?.record({ type: "cancel-requested", from: client });
  if (session?.cancel()) return;
  try {
    await cancelAtTarget(connection, target, signal);
  } catch (error) {
    deps.logger.warn({ err: error, client }, "a cancel request could not be passed on");
  }
}
