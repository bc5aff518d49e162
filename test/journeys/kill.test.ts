import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FRAME_KIND, readFrames } from "../../core/recording/frame.ts";
import { readSession } from "../../core/recording/reader.ts";
import { verifySession } from "../../core/recording/verify.ts";
import { openLocalState } from "../../local/state.ts";
import type { RunningPostgres } from "../../local/embedded-postgres.ts";
import type { SessionId } from "../../core/ports/session-store.ts";
import { postgresServers } from "../setup/postgres.ts";

const ROUNDS = 20;
const CLIENTS = 6;

let target: RunningPostgres;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "sallyport-kill-"));
  const [server] = postgresServers();
  if (server === undefined) throw new Error("no PostgreSQL to test with");
  target = await server.start({ auth: "trust", settings: { log_statement: "all" } });
});
afterAll(async () => {
  await target.stop();
  await rm(directory, { recursive: true, force: true });
});

interface Process {
  readonly child: ChildProcess;
  readonly port: number;
  readonly pass: string;
}

async function start(): Promise<Process> {
  const options = JSON.stringify({
    target: { host: target.host, port: target.port, database: "postgres", user: target.superuser },
  });
  const program = path.resolve("bench/gateway-process.ts");
  const child = spawn(process.execPath, [program, directory, options], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return { child, ...(JSON.parse(line.toString()) as { port: number; pass: string }) };
}

/** Asks for one numbered statement after another until the gateway is gone. */
async function load({ port, pass }: Process, name: string): Promise<void> {
  const client = new pg.Client({ host: "127.0.0.1", port, user: "load", password: pass, database: "bench" });
  client.on("error", () => {});
  try {
    await client.connect();
    for (let count = 0; ; count++)
      await (count % 2 === 0
        ? client.query(`select 'asked-${name}-${count}'`)
        : client.query({ text: `select 'asked-${name}-${count}' where $1::int > 0`, values: [count] }));
  } catch {
    client.end().catch(() => {});
  }
}

async function killedRound(round: number): Promise<void> {
  const gateway = await start();
  const loads = Array.from({ length: CLIENTS }, (_, client) => load(gateway, `${round}-${client}`));
  await new Promise((done) => setTimeout(done, 150 + Math.random() * 900));
  gateway.child.kill("SIGKILL");
  await once(gateway.child, "exit");
  await Promise.all(loads);
}

describe("a gateway that is killed", () => {
  it(`loses no statement that the target received, in ${ROUNDS} deaths under load, and the next start seals what was left`, async () => {
    for (let round = 0; round < ROUNDS; round++) await killedRound(round);
    const last = await start();
    await expect.poll(() => readdir(path.join(directory, "spool")), { timeout: 30_000 }).toHaveLength(1);
    last.child.kill("SIGTERM");
    await once(last.child, "exit");

    const state = await openLocalState(directory);
    const rows = await state.sessions.list({ limit: 1_000 });
    const recorded = new Set<string>();
    for (const row of rows) {
      expect(row.closing?.reason, `session ${row.id}`).toBeDefined();
      const report = await verifySession(state.chunks, row.id, [state.signer.publicKey]);
      expect(report.ok, JSON.stringify(report)).toBe(true);
      for (const text of await inputOf(row.id)) recorded.add(text);
    }
    async function inputOf(session: SessionId): Promise<string[]> {
      const input: Buffer[] = [];
      for await (const { body } of readSession(state.chunks, session))
        for (const frame of readFrames(body))
          if (frame.kind === FRAME_KIND.input) input.push(Buffer.from(frame.payload));
      return Buffer.concat(input).toString("latin1").match(ASKED) ?? [];
    }
    state.close();

    const received = new Set((await readFile(target.logFile, "latin1")).match(ASKED));
    expect(received.size).toBeGreaterThan(ROUNDS * CLIENTS);
    expect([...received].filter((text) => !recorded.has(text))).toEqual([]);
    expect(rows.filter((row) => row.closing?.reason === "interrupted").length).toBeGreaterThanOrEqual(ROUNDS);
  }, 240_000);
});

const ASKED = /asked-\d+-\d+-\d+/g;
