import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type AwsState, awsState } from "../../aws/state.ts";
import { mintPass } from "../../core/identity/pass.ts";
import type { PrincipalId } from "../../core/identity/principal.ts";
import type { SessionId, SessionRow } from "../../core/ports/session-store.ts";
import type { SessionEvent } from "../../core/recording/events.ts";
import { readEvents } from "../../core/recording/reader.ts";
import { verifySession } from "../../core/recording/verify.ts";
import type { RunningPostgres } from "../../local/embedded-postgres.ts";
import type { AwsStage } from "./aws-stage.ts";
import { postgresServers } from "./postgres.ts";

/** What the target asks for; it must not be found where it does not belong. */
export const TARGET_PASSWORD = "superuser-secret";
/** A task that was stopped is waited for; what it has ended is stored within its own 30 s. */
const CLOSED_WITHIN_MS = 45_000;

export const OPEN_POLICY = `@id("open") permit (principal, action, resource);`;

export interface AwsShop {
  /** The same ports as a task has. */
  readonly state: AwsState;
  readonly target: RunningPostgres;
  pass(name: string, groups?: readonly string[]): Promise<string>;
  /** Newest first. */
  sessions(): Promise<SessionRow[]>;
  /** The newest session once it is closed: its row and its events, its recording verified. */
  lastClosed(): Promise<{ readonly row: SessionRow; readonly events: readonly SessionEvent[] }>;
  /** What a session asked, its recording verified. */
  statementsOf(session: SessionId): Promise<string[]>;
  close(): Promise<void>;
}

/** A database `shop` behind the account's gateway: the target, its secret, and the configuration that names it, published. */
export async function startAwsShop(stage: AwsStage, policy = OPEN_POLICY): Promise<AwsShop> {
  Object.assign(process.env, stage.environment);
  const [server] = postgresServers();
  if (server === undefined) throw new Error("no PostgreSQL to test with");
  const target = await server.start({ superuserPassword: TARGET_PASSWORD });
  await stage.secret("shop", TARGET_PASSWORD);
  const state = await awsState({ ...process.env, ...stage.environment });
  await state.configurations.publish(filesOf(target, policy), "test");
  const sessions = (): Promise<SessionRow[]> => state.sessions.list({ limit: 100 });
  const eventsOf = async ({ id, closing }: Pick<SessionRow, "id" | "closing">): Promise<SessionEvent[]> => {
    const report = await verifySession(state.chunks, id, [state.signer.publicKey]);
    if (!report.ok) throw new Error(`the recording is not sound: ${JSON.stringify(report)}`);
    const events: SessionEvent[] = [];
    for await (const { event } of readEvents(state.chunks, id, { seal: closing })) events.push(event);
    return events;
  };
  return {
    state,
    target,
    sessions,
    async pass(name, groups = ["engineers"]) {
      const { text, hash } = mintPass(randomBytes);
      const principal = { kind: "user" as const, id: `test|${name}` as PrincipalId, name, groups };
      const now = Date.now();
      const times = { issuedAt: now, expiresAt: now + 3_600_000 };
      await state.passes.issue({ principal, connection: undefined, label: "test", ...times, hash });
      return text;
    },
    async lastClosed() {
      for (const until = Date.now() + CLOSED_WITHIN_MS; Date.now() < until; await delay(50)) {
        const [row] = await sessions();
        if (row?.closing === undefined) continue;
        return { row, events: await eventsOf(row) };
      }
      throw new Error("the session was not closed");
    },
    async statementsOf(session) {
      const row = await state.sessions.get(session);
      if (row === undefined) throw new Error("there is no such session");
      return (await eventsOf(row)).flatMap((event) => (event.type === "statement" ? [event.text] : []));
    },
    async close() {
      state.close();
      await target.stop();
    },
  };
}

function filesOf({ host, port, superuser }: RunningPostgres, policy: string): ReadonlyMap<string, string> {
  const shop = {
    protocol: "postgres",
    target: { host, port, database: "postgres", tls: { mode: "disable" } },
    credentials: { user: superuser, password: { secret: "shop" } },
    access: ["engineers"],
  };
  // What is JSON is YAML.
  return new Map([
    ["connections.yaml", JSON.stringify({ connections: { shop } })],
    ["directory.yaml", "people: []"],
    ["masking.yaml", "columns: []"],
    ["policies/test.cedar", policy],
  ]);
}
