import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { Client, DatabaseError } from "pg";
import type { StatementEvent } from "../core/recording/events.ts";
import { SallyportError } from "../core/errors.ts";
import { type Api, apiOf } from "./api-client.ts";
import { newPassView, sessionsView, sessionView, statementsView } from "./api-views.ts";
import { signInOverHttp } from "./browserless-sign-in.ts";
import { APPLICATION_QUERY, APPLICATION_VALUES, type Scripted } from "./demo-script.ts";
import { DEMO_CONNECTION, type DemoStage } from "./demo-stage.ts";
import { libpqEnvironment } from "./psql.ts";

/** The gateway stores a closed session's recording within a second or two. */
const CLOSED_WITHIN_MS = 20_000;
const POLL_MS = 100;
/** psql has a few statements to run, one of which waits for somebody. */
const PSQL_TIMEOUT_MS = 30_000;

/** Signs a person of the demo in, as their browser would; what the API answers them. */
export async function signedIn(stage: DemoStage, user: string): Promise<Api> {
  const { running, password } = stage;
  return apiOf(running.url, await signInOverHttp(running.url, { user, password }));
}

export async function newPass(api: Api, connection: string): Promise<string> {
  const body = { connection, label: "demo" };
  return (await api.json({ method: "POST", path: "/api/passes", body }, newPassView)).pass;
}

/** What a client saw. */
export interface Seen {
  readonly rows: number;
  readonly errors: readonly string[];
  /** All of it, as it was shown. */
  readonly text: string;
}

/** Runs a script as the engineer. Throws where it does not end as it should. */
export type Worker = (stage: DemoStage, pass: string, script: readonly Scripted[]) => Promise<Seen>;

/** The engineer at psql. */
export const workWithPsql =
  (psql: string): Worker =>
  async (stage, pass, script) => {
    const { host, port } = stage.running.gateway;
    const login = { host, port, database: DEMO_CONNECTION, user: "alice", pass, caFile: stage.caFile };
    const env = { ...libpqEnvironment(login), PSQLRC: "/dev/null", PGCLIENTENCODING: "UTF8" };
    const child = spawn(psql, ["-X", "-q", "-A", "-t"], { env, timeout: PSQL_TIMEOUT_MS });
    const [out, err] = [collect(child.stdout), collect(child.stderr)];
    child.stdin.on("error", () => {}); // it has ended then, and its status tells
    child.stdin.end(script.map(({ sql }) => `${sql};\n`).join(""));
    const [status] = (await once(child, "close")) as [number | null];
    if (status !== 0)
      throw new SallyportError("internal", `psql ended with status ${status}: ${lines(await err).join(" ")}`);
    const errors = lines(await err).filter((line) => !/^(?:NOTICE|DETAIL|HINT):/.test(line));
    return { rows: lines(await out).length, errors, text: `${await out}${await err}` };
  };

async function collect(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces).toString("utf8");
}

function lines(text: string): string[] {
  return text.split("\n").filter(Boolean);
}

/** The same without psql. */
export const workWithDriver: Worker = (stage, pass, script) =>
  withClient(stage, pass, "sallyport demo", async (client) => {
    let rows = 0;
    const errors: string[] = [];
    const shown: unknown[] = [];
    for (const { sql } of script) {
      try {
        const result = await client.query(sql);
        rows += result.command === "PREPARE" ? 0 : (result.rowCount ?? 0);
        shown.push(result.rows);
      } catch (thrown) {
        if (!(thrown instanceof DatabaseError)) throw thrown;
        errors.push(`ERROR:  ${thrown.message}`);
      }
    }
    return { rows, errors, text: `${JSON.stringify(shown)}\n${errors.join("\n")}` };
  });

/** An application with node-postgres: one prepared statement, bound parameters. */
export async function workAsApplication(stage: DemoStage, pass: string): Promise<Seen> {
  return withClient(stage, pass, "webshop", async (client) => {
    let rows = 0;
    for (const values of APPLICATION_VALUES)
      rows += (await client.query({ ...APPLICATION_QUERY, values: [...values] })).rows.length;
    return { rows, errors: [], text: "" };
  });
}

async function withClient(
  stage: DemoStage,
  pass: string,
  application: string,
  work: (client: Client) => Promise<Seen>,
): Promise<Seen> {
  const { host, port, caPem } = stage.running.gateway;
  const client = new Client({
    host,
    port,
    user: "alice",
    password: pass,
    database: DEMO_CONNECTION,
    application_name: application,
    ssl: { ca: caPem },
  });
  client.on("error", () => {}); // a query under way rejects
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** The newest session of a connection, once there are `count` and it is closed. Throws where that takes too long. */
export async function closedSession(api: Api, count: number, connection = DEMO_CONNECTION): Promise<string> {
  const path = `/api/sessions?connection=${connection}`;
  for (const deadline = performance.now() + CLOSED_WITHIN_MS; performance.now() < deadline; await delay(POLL_MS)) {
    const { sessions } = await api.json({ path }, sessionsView);
    const [newest] = sessions;
    if (newest && sessions.length === count && !newest.live) return newest.id;
  }
  throw new SallyportError("internal", "the recording was not closed in time");
}

/** What was recorded, in the order in which it was asked. */
export async function recordedStatements(api: Api, session: string): Promise<StatementEvent[]> {
  const { statements } = await api.json({ path: `/api/sessions/${session}/statements?limit=1000` }, statementsView);
  return (statements as unknown as StatementEvent[]).toSorted((one, other) => one.number - other.number);
}

/** May they see it? */
export async function sees(api: Api, session: string): Promise<boolean> {
  try {
    return (await api.json({ path: `/api/sessions/${session}` }, sessionView)).id === session;
  } catch (thrown) {
    if (thrown instanceof SallyportError && thrown.code === "not-found") return false;
    throw thrown;
  }
}
