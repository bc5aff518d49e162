import { randomBytes, randomUUID } from "node:crypto";
import { pino } from "pino";
import type { Principal, PrincipalId } from "../../../core/identity/principal.ts";
import { issueSessionToken } from "../../../core/identity/session-token.ts";
import type { SessionOpening } from "../../../core/ports/session-store.ts";
import type { TokenId } from "../../../core/ports/sign-in-store.ts";
import { replayApp } from "../../../functions/replay/app.ts";
import { openDatabase } from "../../../local/database.ts";
import { sqliteSessionStore } from "../../../local/session-store.ts";
import {
  event,
  type FrameSpec,
  input,
  type MadeRecording,
  opening,
  openedEvent,
  output,
  statement,
  storeRecording,
} from "../../setup/make-recording.ts";
import { commandComplete, dataRow, readyForQuery, rowDescription } from "../../setup/backend-bytes.ts";
import { memoryChunks } from "../../setup/memory-chunks.ts";
import { sessionIdAt } from "../../setup/session-ids.ts";
import { memorySigner } from "../../setup/signing.ts";

export const T0 = 1_800_000_000_000;
const BASE = "http://127.0.0.1:8080";

const person = (name: string, ...groups: string[]): Principal => ({
  kind: "user",
  id: `https://issuer.example|${name}` as PrincipalId,
  name,
  groups,
});
export const ANA = person("ana", "engineers");
export const BOB = person("bob", "engineers", "auditors-of-something-else");
export const AUDITOR = person("olga", "auditors");

/** The replay API over stores in memory, and ways to fill them and to ask it. */
export function installation() {
  const sessions = sqliteSessionStore(openDatabase(":memory:"));
  const chunks = memoryChunks();
  const signer = memorySigner();
  const tokenKey = randomBytes(32);
  const log: string[] = [];
  const app = replayApp({
    baseUrl: BASE,
    tokenKey,
    signIns: { isSignedOut: async () => false, notBefore: async () => undefined },
    clock: () => T0,
    sessions,
    chunks,
    publicKeys: [signer.publicKey],
    auditors: ["auditors"],
    logger: pino({ base: null }, { write: (line: string) => void log.push(line) }),
  });

  const token = (who: Principal): Promise<string> =>
    issueSessionToken({ issuer: BASE, key: tokenKey }, "cli", who, randomUUID() as TokenId, T0);
  const ask = async (who: Principal, path: string, accept = "*/*"): Promise<Response> =>
    app.request(path, { headers: { authorization: `Bearer ${await token(who)}`, accept } });
  return {
    app,
    sessions,
    chunks,
    signer,
    log,
    ask,
    /** The answer's JSON; its shape is what the test expects. */
    async json<T>(who: Principal, path: string, status = 200): Promise<T> {
      const response = await ask(who, path);
      const text = await response.text();
      if (response.status !== status) throw new Error(`${path}: ${response.status} ${text}`);
      return JSON.parse(text) as T;
    },
    async text(who: Principal, path: string): Promise<string> {
      return (await ask(who, path)).text();
    },
    async page(who: Principal, path: string): Promise<string> {
      return (await ask(who, path, "text/html")).text();
    },
    /** A session that has closed, or with `live` one that goes on. */
    async record(row: SessionOpening, frames: readonly (readonly FrameSpec[])[], live = false): Promise<MadeRecording> {
      await sessions.open(row);
      const made = await storeRecording(chunks, row, frames, live ? undefined : signer);
      if (!live) await sessions.close(row.id, made.closing);
      return made;
    },
  };
}

/** How every page of a listing ends. */
export interface Paged {
  readonly next: number | null;
  readonly cursor: number;
  readonly live: boolean;
  readonly fault?: string;
}

export interface Problem {
  readonly code: string;
  readonly detail: string;
}

export const rowOf = (n: number, who = ANA, over: Partial<SessionOpening> = {}): SessionOpening =>
  opening(sessionIdAt(T0 + n, n), { principalId: who.id, principalName: who.name, startedAt: T0 + n, ...over });

/** Chunks of two statements each, whose replies are `rows` rows. */
export function shopping(row: SessionOpening, chunks: number, rows = 2): FrameSpec[][] {
  let offset = 0;
  let number = 0;
  const one = (): FrameSpec[] => {
    number++;
    const told = Array.from({ length: rows }, (_, n) => dataRow(`${number}.${n}`, null));
    const tag = `SELECT ${rows}`;
    const columns = rowDescription({ name: "id", type: 25 }, { name: "email", type: 25 });
    const reply = Buffer.concat([columns, ...told, commandComplete(tag), readyForQuery()]);
    const replies: [number, number] = [offset, (offset += reply.length)];
    const text = `SELECT * FROM orders WHERE id = ${number}`;
    const [head, tail] = [reply.subarray(0, 20), reply.subarray(20)];
    return [
      input(`Q${number}`),
      output(head),
      output(tail),
      event(statement({ number, text, tag, rows, output: replies })),
    ];
  };
  const all = Array.from({ length: chunks }, () => [...one(), ...one()]);
  all[0]?.unshift(event(openedEvent(row)));
  all.at(-1)?.push(event({ type: "session-closed", reason: "client-closed" }));
  return all;
}
