import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createSecureContext } from "node:tls";
import { pino } from "pino";
import { auditTo } from "../../core/audit/audit.ts";
import { approvalDesk } from "../../core/approval/desk.ts";
import { parseConnections } from "../../core/config/connections.ts";
import { parseMasking } from "../../core/masking/config.ts";
import { mintPass } from "../../core/identity/pass.ts";
import type { PrincipalId } from "../../core/identity/principal.ts";
import { UNGUARDED } from "../../core/policy/unguarded.ts";
import type { Policies } from "../../core/policy/verdict.ts";
import type { ApprovalDesk } from "../../core/ports/approval-desk.ts";
import type { PassId } from "../../core/ports/pass-store.ts";
import type { Secrets } from "../../core/ports/secrets.ts";
import type { TargetTokens } from "../../core/ports/target-tokens.ts";
import type { SessionId, SessionRow } from "../../core/ports/session-store.ts";
import { decodeChunk } from "../../core/recording/chunk.ts";
import type { SessionEvent, StatementEvent } from "../../core/recording/events.ts";
import { readEvents } from "../../core/recording/reader.ts";
import { verifySession } from "../../core/recording/verify.ts";
import { startGateway, type Gateway, type GatewayDeps } from "../../gateway-task/gateway.ts";
import { newHostKey } from "../../gateway-task/ssh/host-key.ts";
import { openLocalState, type LocalState } from "../../local/state.ts";
import { testAuthority } from "./certificates.ts";

/** The connection that a test gateway has. */
export const TEST_CONNECTION = "shop";
/** And its name by SSH, where it has one. */
export const TEST_SSH_CONNECTION = "web";
const CLOSED_WITHIN_MS = 20_000;

export interface TestTarget {
  readonly host: string;
  readonly port: number;
  readonly database?: string;
  readonly user: string;
  readonly password?: string;
  /** It logs in by the account's identities instead. */
  readonly iam?: true;
  readonly otherDatabases?: boolean;
  /** None: plain text. */
  readonly tls?: { readonly ca?: string; readonly serverName?: string };
}

export interface TestSshTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Public keys, as lines. */
  readonly hostKeys: readonly string[];
  /** Who certifies its key, as lines; and for which name. */
  readonly hostCertificateAuthorities?: readonly string[];
  readonly hostPrincipal?: string;
  /** The private key that the gateway logs in with. */
  readonly key: string;
  /** It is an authority's. */
  readonly certifies?: boolean;
  /** Who certifies the keys of people. */
  readonly userCertificateAuthorities?: readonly string[];
  /** What its shells are: `open` by default. */
  readonly shell?: "open" | "guarded";
}

export interface TestGatewayOptions {
  readonly target: TestTarget;
  /** Whether it offers TLS to clients: yes by default. */
  readonly tls?: boolean;
  /** Whether it has a port for TLS from the first byte: no by default. */
  readonly tlsPort?: boolean;
  /** Whether it takes plain text from loopback: no by default. */
  readonly plaintextOnLoopback?: boolean;
  readonly durability?: "intent" | "strict";
  /** Groups that may connect: `engineers` by default. */
  readonly access?: readonly string[];
  /** None by default. */
  readonly policies?: () => Policies;
  readonly approvals?: ApprovalDesk;
  /** `masking.yaml`, parsed: nothing is masked by default. */
  readonly masking?: unknown;
  /** In place of one that gives the target's password. */
  readonly secrets?: Secrets;
  readonly targetTokens?: TargetTokens;
  /** A connection `web`, by SSH, and a port for it. */
  readonly ssh?: TestSshTarget;
  readonly greetingTimeoutMs?: number;
  /** More connections to the same target by SSH: by name, the groups that may use them. */
  readonly alsoSsh?: Readonly<Record<string, readonly string[]>>;
  /** Another gateway, whose stores this one shares, as two tasks do. Close this one first. */
  readonly beside?: TestGateway;
}

export interface PassOptions {
  readonly connection?: string;
  readonly groups?: readonly string[];
  readonly name?: string;
  /** Milliseconds; negative for a pass that has expired. */
  readonly lifetime?: number;
}

export interface TestGateway {
  readonly host: "127.0.0.1";
  readonly port: number;
  readonly tlsPort: number | undefined;
  /** Where it listens for SSH, and the public key that it shows. */
  readonly ssh: { readonly port: number; readonly hostKey: string } | undefined;
  readonly caFile: string;
  readonly state: LocalState;
  readonly gateway: Gateway;
  /** Folder of everything that it stores. */
  readonly directory: string;
  /** Lines of its log so far, as JSON text. */
  readonly logs: readonly string[];
  /** Text of a new pass of a member of `engineers`, unless it is said otherwise. */
  pass(options?: PassOptions): Promise<string>;
  revoke(pass: string): Promise<void>;
  /** Newest first. */
  sessions(): Promise<SessionRow[]>;
  /** The newest session, when it has been closed, its manifest stored, and its recording verified. */
  lastClosed(): Promise<ClosedSession>;
  /** The same of any session. */
  closed(session: SessionId): Promise<ClosedSession>;
  /** Every byte that it keeps or has logged, chunks decompressed: where to look for what must not be there. */
  everythingKept(): Promise<Buffer>;
  close(): Promise<void>;
}

export interface ClosedSession {
  readonly row: SessionRow & { readonly closing: NonNullable<SessionRow["closing"]> };
  readonly events: readonly SessionEvent[];
  readonly statements: readonly StatementEvent[];
}

/** A gateway in this process, on 127.0.0.1 and a free port, with one connection, `shop`, and stores in a folder of its own. */
export async function startTestGateway(options: TestGatewayOptions): Promise<TestGateway> {
  const { beside } = options;
  const directory = beside?.directory ?? (await mkdtemp(join(tmpdir(), "sallyport-test-gateway-")));
  const state = beside?.state ?? (await openLocalState(join(directory, "state")));
  const authority = await testAuthority(await mkdtemp(join(directory, "tls-")));
  const logs: string[] = [];
  const { password } = options.target;
  const hostKey = newHostKey();
  const desk = approvalDesk({
    store: state.approvalStore,
    clock: Date.now,
    random: randomBytes,
    link: (id) => `https://sallyport.test/approvals/${id}`,
    tell: () => {},
    audit: auditTo(state.auditLog, randomUUID),
  });
  const gateway = await startGateway({
    ...state,
    secrets: options.secrets ?? { get: async (name) => (name === SSH_KEY ? options.ssh?.key : password) ?? "" },
    targetTokens: options.targetTokens,
    task: `test-${randomBytes(6).toString("hex")}`,
    connections: () => connectionsOf(options),
    policies: options.policies ?? (() => UNGUARDED),
    approvals: options.approvals ?? desk,
    masking: maskingOf(options),
    clock: Date.now,
    logger: pino({ level: "debug" }, { write: (line: string) => void logs.push(line) }),
    postgres: {
      listen: { host: "127.0.0.1", port: 0 },
      tls: options.tls === false ? undefined : createSecureContext(await authority.issue("127.0.0.1", "localhost")),
      plaintextOnLoopback: options.plaintextOnLoopback ?? false,
    },
    tlsListen: options.tlsPort ? { host: "127.0.0.1", port: 0 } : undefined,
    ssh: options.ssh && {
      ...state,
      listen: { host: "127.0.0.1", port: 0 },
      hostKey: hostKey.privateKey,
      ...(options.greetingTimeoutMs !== undefined && { greetingTimeoutMs: options.greetingTimeoutMs }),
      deviceLink: (userCode) => `https://sallyport.test/device?user_code=${userCode}`,
    },
  });
  return {
    host: "127.0.0.1",
    port: gateway.postgresPort,
    tlsPort: gateway.tlsPort,
    ssh: gateway.sshPort === undefined ? undefined : { port: gateway.sshPort, hostKey: hostKey.publicKey },
    caFile: authority.caFile,
    state,
    gateway,
    directory,
    logs,
    ...passesOf(state),
    ...recordingsOf(state),
    everythingKept: async () => Buffer.concat([...(await keptIn(directory)), Buffer.from(logs.join(""))]),
    async close() {
      await gateway.close(10_000);
      desk.close();
      if (beside) return;
      state.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

const SSH_KEY = "ssh-key";

function connectionsOf(options: TestGatewayOptions) {
  const { target, ssh, alsoSsh = {}, access = ["engineers"], durability = "intent" } = options;
  const { host, port, database = "postgres", otherDatabases = false, user, password, iam, tls } = target;
  const shop = {
    protocol: "postgres",
    target: { host, port, database, otherDatabases, tls: tls ? { mode: "verify-full", ...tls } : { mode: "disable" } },
    credentials: { user, iam, ...(password === undefined ? {} : { password: { secret: "target" } }) },
    access,
    durability,
  };
  const web = ssh && {
    protocol: "ssh",
    target: {
      host: ssh.host,
      port: ssh.port,
      hostKeys: ssh.hostKeys,
      hostCertificateAuthorities: ssh.hostCertificateAuthorities,
      hostPrincipal: ssh.hostPrincipal,
    },
    credentials: { user: ssh.user, [ssh.certifies ? "certificateAuthority" : "key"]: { secret: SSH_KEY } },
    userCertificateAuthorities: ssh.userCertificateAuthorities,
    shell: ssh.shell,
    access,
    durability,
  };
  const more = Object.entries(alsoSsh).map(([name, groups]) => [name, { ...web, access: groups }]);
  const bySsh = web && { [TEST_SSH_CONNECTION]: web, ...Object.fromEntries(more) };
  return parseConnections({ connections: { [TEST_CONNECTION]: shop, ...bySsh } });
}

function maskingOf({ masking }: TestGatewayOptions): GatewayDeps["masking"] {
  if (masking === undefined) return undefined;
  const config = parseMasking(masking, Buffer.alloc(32, 7));
  return ({ name, environment }) => config.forConnection(name, environment);
}

function passesOf({ passes }: LocalState): Pick<TestGateway, "pass" | "revoke"> {
  const ids = new Map<string, PassId>();
  return {
    async pass({ connection, groups = ["engineers"], name = "Ana", lifetime = 3_600_000 } = {}) {
      const { text, hash } = mintPass(randomBytes);
      const principal = { kind: "user" as const, id: `test|${name}` as PrincipalId, name, groups: [...groups] };
      const now = Date.now();
      const times = { issuedAt: Math.min(now, now + lifetime), expiresAt: now + lifetime };
      const { id } = await passes.issue({ principal, connection, label: "test", ...times, hash });
      ids.set(text, id);
      return text;
    },
    async revoke(pass) {
      const id = ids.get(pass);
      if (id === undefined) throw new Error("this pass was not issued here");
      await passes.revoke(id, Date.now());
    },
  };
}

function recordingsOf(state: LocalState): Pick<TestGateway, "sessions" | "closed" | "lastClosed"> {
  const sessions = async (): Promise<SessionRow[]> => state.sessions.list({ limit: 1_000 });
  const closed = async (session: SessionId): Promise<ClosedSession> => {
    for (const until = Date.now() + CLOSED_WITHIN_MS; Date.now() < until; await delay(10)) {
      const row = await state.sessions.get(session);
      if (row?.closing) return readClosed(state, { ...row, closing: row.closing });
    }
    throw new Error(`session ${session} was not closed within ${CLOSED_WITHIN_MS} ms`);
  };
  return {
    sessions,
    closed,
    async lastClosed() {
      const [newest] = await sessions();
      if (newest === undefined) throw new Error("there is no session");
      return closed(newest.id);
    },
  };
}

async function readClosed(state: LocalState, row: ClosedSession["row"]): Promise<ClosedSession> {
  const report = await verifySession(state.chunks, row.id, [state.signer.publicKey]);
  if (!report.ok) throw new Error(`the recording of ${row.id} is not sound: ${JSON.stringify(report)}`);
  const events: SessionEvent[] = [];
  for await (const { event } of readEvents(state.chunks, row.id, { seal: row.closing })) events.push(event);
  return { row, events, statements: events.filter((event) => event.type === "statement") };
}

async function keptIn(directory: string): Promise<Buffer[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const contents = await Promise.all(files.map(async (file) => readFile(file)));
  return contents.flatMap((bytes) => {
    try {
      return [bytes, decodeChunk(bytes).body];
    } catch {
      return [bytes];
    }
  });
}
