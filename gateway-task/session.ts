import { randomBytes } from "node:crypto";
import type { Principal } from "../core/identity/principal.ts";
import type { Instant } from "../core/brand.ts";
import type { ConnectionConfig, ConnectionOf, Connections } from "../core/config/connections.ts";
import { asSallyportError, SallyportError } from "../core/errors.ts";
import { hashPass, judgePass, parsePass, redactPasses, unknownPass } from "../core/identity/pass.ts";
import type { Masking } from "../core/masking/masking.ts";
import type { SessionOpenedEvent } from "../core/recording/events.ts";
import type { Ask, Policies } from "../core/policy/verdict.ts";
import type { Pass, PassStore } from "../core/ports/pass-store.ts";
import type { Protocol, SessionId } from "../core/ports/session-store.ts";
import { admit, type Admittance, type Doorway } from "./admission.ts";
import type { ConsentDeps } from "./consent.ts";
import type { LiveSessions } from "./live-sessions.ts";
import type { Recorder } from "./recorder/recorder.ts";
import type { SessionRecorder } from "./recorder/session-recorder.ts";
import { namesSecret, SECRET_NAME } from "./secret-names.ts";
import { type SecretSource, secretSource, type TargetSecretDeps, withSecret } from "./target-secret.ts";
import { unlessAborted } from "./within.ts";

/** What a client said before anything was decided. The user name is not in it: it decides nothing. */
export interface Login<P extends Protocol = Protocol> {
  readonly protocol: P;
  readonly connection: string;
  /** Where the client of a database names another one than the connection's own. */
  readonly database?: string | undefined;
  readonly pass: string;
  readonly settings: ReadonlyMap<string, string>;
  /** `address:port`, from the socket. */
  readonly client: string;
}

export interface SessionDeps extends ConsentDeps, TargetSecretDeps {
  readonly connections: () => Connections;
  readonly policies: () => Policies;
  /** What is masked on a connection, now; nothing where it is not given. */
  readonly masking?: ((connection: ConnectionConfig) => Masking | undefined) | undefined;
  readonly passes: PassStore;
  readonly recorder: Recorder;
  readonly live: LiveSessions;
}

interface Identified<P extends Protocol> {
  readonly login: Login<P>;
  readonly pass: Pass;
}
interface Authorised<P extends Protocol> extends Identified<P> {
  readonly connection: ConnectionOf<P>;
  readonly database: P extends "postgres" ? string : undefined;
}
/** One of whichever protocol. */
interface AnyAuthorised extends Identified<Protocol> {
  readonly connection: ConnectionConfig;
  readonly database: string | undefined;
}
interface Recorded<P extends Protocol> extends Authorised<P> {
  readonly recorder: SessionRecorder;
  readonly masking: SessionMasking | undefined;
}

/** Rules that are in force for as long as a session lives. */
export interface SessionMasking {
  readonly rules: Masking;
  /** The policy that lets the client see everything, if there is one. */
  readonly unmaskedBy: string | undefined;
}
export interface OpenSession<P extends Protocol, Target> extends Recorded<P> {
  readonly target: Target;
}

/** The protocol's own part of the last step: reach the target and log in there. */
export type ConnectTarget<P extends Protocol, Target> = (
  session: Recorded<P>,
  credentials: TargetCredentials,
) => Promise<Target>;

/** What the gateway logs in with. `secret` is a password, a token or a private key, one's own or an authority's, as the connection says; some have none. */
export interface TargetCredentials {
  readonly user: string;
  readonly secret: string | undefined;
  /** The same, for log-ins to come. */
  readonly source: SecretSource;
}

/**
 * The way into a session, the same for every protocol: identify, authorise, admit, record, connect. Each step needs what the one
 * before it found out, so that none can be left out or done out of order; each rejects with a SallyportError.
 * @param doorway what the client is told while it waits for consent; its signal's reason is what this rejects with once it is
 *                aborted; a recording that was opened is closed then
 */
export async function openSession<P extends Protocol, Target>(
  deps: SessionDeps,
  login: Login<P>,
  connect: ConnectTarget<P, Target>,
  doorway: Doorway,
): Promise<OpenSession<P, Target>> {
  const { signal } = doorway;
  const pass = await unlessAborted(signal, identify(deps, login));
  const authorised = authorise(deps, { login, pass });
  const admitted = await unlessAborted(signal, admit(deps, admittanceOf(authorised, deps.clock()), doorway));
  // Whoever waited may have lost the pass meanwhile; revocations so long ago are not looked for among live sessions.
  if (admitted.length > 0) await unlessAborted(signal, identify(deps, login));
  const recorded = await openRecording(deps, authorised, signal);
  try {
    for (const event of admitted) await recorded.recorder.event(event);
    const { user } = recorded.connection.credentials;
    const source = secretSource(deps, recorded.connection);
    const target = await withSecret(
      (fresh) => unlessAborted(signal, source(fresh)),
      (secret) => connect(recorded, { user, secret, source }),
    );
    return { ...recorded, target };
  } catch (thrown) {
    const error = asSallyportError(thrown, "internal", "the session could not be opened");
    deps.recorder.seal(recorded.recorder, "refused", redactPasses(error.message));
    throw error;
  }
}

/** Pass → principal. What is wrong with a pass is said only to whoever holds it. */
export async function identify<P extends Protocol>(
  { passes, clock }: Pick<SessionDeps, "passes" | "clock">,
  login: Pick<Login<P>, "pass" | "connection">,
): Promise<Pass> {
  const text = parsePass(login.pass);
  const pass = text && (await passes.find(hashPass(text)));
  const fault = judgePass(pass, login.connection, clock());
  if (fault !== undefined || pass === undefined) throw fault ?? unknownPass();
  return pass;
}

/** Who may connect: members of one of the connection's groups. A connection that is not there is told from one that is closed. */
function authorise<P extends Protocol>({ connections }: SessionDeps, identified: Identified<P>): Authorised<P> {
  const { login, pass } = identified;
  const connection = connections().get(login.connection);
  if (connection === undefined || connection.protocol !== login.protocol)
    throw new SallyportError("connection-unknown", `there is no connection "${printable(login.connection)}"`, {
      hint: UNKNOWN_HINT[login.protocol],
    });
  if (!connection.access.some((group) => pass.principal.groups.includes(group)))
    throw new SallyportError("access-denied", `${pass.principal.name} may not connect to "${connection.name}"`, {
      hint: `It is open to members of ${connection.access.join(", ") || "no group"}.`,
    });
  const database = connection.protocol === "postgres" ? databaseOf(connection, login) : undefined;
  return { ...identified, connection, database } as Authorised<P>;
}

const UNKNOWN_HINT: Record<Protocol, string> = {
  postgres: "Give a connection's name as the database; `sallyport connections` lists yours.",
  ssh: "Give a connection's name as the user: ssh NAME@gateway; `sallyport connections` lists yours.",
};

function databaseOf({ name, target }: ConnectionOf<"postgres">, login: Login): string {
  const database = login.database ?? target.database;
  if (database !== target.database && !target.otherDatabases)
    throw new SallyportError("access-denied", `the connection "${name}" opens its own database only`);
  return database;
}

/** A recording that opens when nobody waits for it any more is closed again. */
async function openRecording<P extends Protocol>(
  deps: SessionDeps,
  authorised: Authorised<P>,
  signal: AbortSignal,
): Promise<Recorded<P>> {
  const opening = record(deps, authorised);
  try {
    return await unlessAborted(signal, opening);
  } catch (thrown) {
    const { message } = asSallyportError(thrown, "internal", "the session could not be opened");
    const tooLate = ({ recorder }: Recorded<P>): void => deps.recorder.seal(recorder, "refused", redactPasses(message));
    void opening.then(tooLate, () => {}); // where it failed, the recorder has closed it itself
    throw thrown;
  }
}

async function record<P extends Protocol>(deps: SessionDeps, authorised: Authorised<P>): Promise<Recorded<P>> {
  const { recorder, clock } = deps;
  const { login, pass, connection } = authorised;
  const { principal } = pass;
  const startedAt = clock();
  const masking = maskingOf(deps, authorised, startedAt);
  const unrecordedBy = deps.policies().exempts(askOf(authorised, startedAt), "recording");
  const settings = [...login.settings].map(([name, value]) => [redactPasses(name), recordedSetting(name, value)]);
  const opened = await recorder.open({
    type: "session-opened",
    session: newSessionId(startedAt),
    protocol: login.protocol,
    principal: recordedPrincipal(principal),
    pass: pass.id,
    connection: connection.name,
    target: targetOf(authorised),
    client: login.client,
    settings: Object.fromEntries(settings),
    durability: connection.durability,
    startedAt,
    ...(unrecordedBy === undefined ? {} : { unrecordedBy }),
    ...(masking === undefined ? {} : { masking: maskingEvent(masking) }),
  });
  return { ...authorised, recorder: opened, masking };
}

function recordedPrincipal({ kind, id, name, groups, actors }: Principal): SessionOpenedEvent["principal"] {
  const who = { id, name, groups: [...groups] };
  // A person who acts alone is recorded as ever.
  return { ...who, ...(kind === "service" && { kind }), ...(actors !== undefined && { actors: [...actors] }) };
}

function maskingOf(
  { masking, policies }: SessionDeps,
  authorised: AnyAuthorised,
  now: Instant,
): SessionMasking | undefined {
  const { connection } = authorised;
  const rules = masking?.(connection);
  // Rules for columns mean nothing where there are none: a recording must not say that they mask something.
  const columnRules = connection.protocol === "postgres" && rules?.hasColumnRules === true;
  if (rules === undefined || (!columnRules && !rules.hasDetectors)) return undefined;
  const unmaskedBy = policies().exempts(askOf(authorised, now), "masking");
  return { rules, unmaskedBy };
}

function admittanceOf(authorised: AnyAuthorised, now: Instant): Admittance {
  const { login, connection, database, pass } = authorised;
  const { name, environment, credentials } = connection;
  const asker = { session: undefined, requester: pass.principal, connection: name, environment, client: login.client };
  const where = database === undefined ? name : `${name}, database ${redactPasses(database)}`;
  const shown = `connect to ${where}, as ${credentials.user}`;
  return { ask: askOf(authorised, now), asker, shown };
}

function askOf({ connection: { name, environment }, pass }: AnyAuthorised, now: Instant): Ask {
  return { principal: pass.principal, connection: { name, environment }, now };
}

function maskingEvent({ rules, unmaskedBy }: SessionMasking): NonNullable<SessionOpenedEvent["masking"]> {
  return { version: rules.version, ...(unmaskedBy === undefined ? {} : { unmaskedBy }) };
}

/** `name=value`, as in `options`, where a backslash keeps a space (§20.1.3). */
const SETS_SECRET = new RegExp(`(${SECRET_NAME}\\s*=\\s*)(?:\\\\.|\\S)+`, "gi");

/** Invariant 7: what calls itself a secret is recorded by its name alone. */
function recordedSetting(name: string, value: string): string {
  if (namesSecret(name)) return "[redacted]";
  return redactPasses(value).replace(SETS_SECRET, "$1[redacted]");
}

function targetOf({ connection, database }: AnyAuthorised): SessionOpenedEvent["target"] {
  const { target, credentials } = connection;
  const where = { host: target.host, port: target.port, user: credentials.user };
  return database === undefined ? where : { ...where, database: redactPasses(database) };
}

/** UUID version 7 (RFC 9562 §5.7): 48 bits of milliseconds, 74 random bits. */
function newSessionId(now: Instant): SessionId {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(now, 0, 6);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5") as SessionId;
}

/** Names from outside, in messages: short, and without control characters; a pass in the wrong field stays out of logs. */
function printable(text: string): string {
  return redactPasses(text)
    .replace(/[^\x20-\x7e]/g, "?")
    .slice(0, 64);
}
