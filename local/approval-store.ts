import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { Digest } from "../core/brand.ts";
import { SallyportError } from "../core/errors.ts";
import type { PrincipalId } from "../core/identity/principal.ts";
import type { ApprovalId } from "../core/ports/approval-desk.ts";
import {
  type Approval,
  APPROVAL_STATUSES,
  type ApprovalQuery,
  type ApprovalStore,
} from "../core/ports/approval-store.ts";
import type { SessionId } from "../core/ports/session-store.ts";
import { inTransaction, stored } from "./database.ts";

/** What is asked for by a column has one, and an index; the rest is JSON. */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS approvals (
    id TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,
    status TEXT NOT NULL,
    requester_id TEXT NOT NULL,
    grant_key TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    decided_at INTEGER,
    body TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS approval_groups (
    group_name TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    id TEXT NOT NULL REFERENCES approvals (id),
    PRIMARY KEY (group_name, requested_at, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS approvals_by_time ON approvals (requested_at, id);
  CREATE INDEX IF NOT EXISTS approvals_by_requester ON approvals (requester_id, requested_at, id);
  CREATE INDEX IF NOT EXISTS approvals_waiting ON approvals (expires_at) WHERE status = 'requested';
  CREATE INDEX IF NOT EXISTS approvals_decided ON approvals (decided_at) WHERE decided_at IS NOT NULL;
  CREATE INDEX IF NOT EXISTS approvals_open ON approvals (grant_key, expires_at) WHERE status IN ('requested', 'granted');
`;

/** Below that place, newest first. */
const PAGE = "(requested_at, id) < (?, ?) ORDER BY requested_at DESC, id DESC LIMIT ?";
const WAITING = "status = 'requested' AND expires_at > ?";

type Place = readonly [number, string];
const NEWEST: Place = [Number.MAX_SAFE_INTEGER, ""];

/** The port on SQLite. Makes its tables where there are none. Each method runs without a pause. */
export function sqliteApprovalStore(db: DatabaseSync): ApprovalStore {
  db.exec(SCHEMA);
  const writes = writing(db);
  const lists = listing(db);
  const byId = db.prepare("SELECT body FROM approvals WHERE id = ?");
  const decided = db.prepare("SELECT id FROM approvals WHERE decided_at >= ?");
  const matching = db.prepare(`
    SELECT body FROM approvals INDEXED BY approvals_open
    WHERE grant_key = ? AND status IN ('requested', 'granted') AND status = ? AND expires_at > ?
    ORDER BY requested_at, id`);
  const waiting = db.prepare(`SELECT count(*) AS n FROM approvals WHERE requester_id = ? AND ${WAITING}`);
  const get = (id: ApprovalId): Approval | undefined => {
    const row = byId.get(id);
    return row && toApproval(row);
  };
  const placeOf = (id: ApprovalId): Place => {
    const found = get(id);
    if (!found) throw new SallyportError("not-found", "the approval to continue after is not there");
    return [found.requestedAt, found.id];
  };
  return {
    ...writes,
    get: (id) => stored("find an approval", () => get(id)),
    list: (query) =>
      stored("list approvals", () => {
        const after = query.after === undefined ? NEWEST : placeOf(query.after);
        return (query.waitingAt === undefined ? lists.history : lists.waiting)(query, after);
      }),
    decidedSince: (since) =>
      stored("list what was decided", () => decided.all(since).map(({ id }) => z.string().parse(id) as ApprovalId)),
    matching: ({ requester, ...key }, status, now) =>
      stored("find a grant", () => matching.all(keyText(requester, key), status, now).map(toApproval)),
    countWaiting: (requester, now) => stored("count what waits", () => count.parse(waiting.get(requester, now)).n),
  };
}

const count = z.object({ n: z.number() });

function writing(db: DatabaseSync): Pick<ApprovalStore, "put" | "replace"> {
  const insert = db.prepare(`
    INSERT INTO approvals (id, revision, status, requester_id, grant_key, requested_at, expires_at, decided_at, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`);
  const addGroup = db.prepare("INSERT INTO approval_groups (group_name, requested_at, id) VALUES (?, ?, ?)");
  const replace = db.prepare(`
    UPDATE approvals SET revision = ?, status = ?, decided_at = ?, body = ? WHERE id = ? AND revision = ?`);
  const insertAll = (approval: Approval): void => {
    const { id, revision, status, requester, requestedAt, expiresAt, decidedAt, consents } = approval;
    const key = keyText(requester.id, approval);
    const body = JSON.stringify(approval);
    const times = [requestedAt, expiresAt, decidedAt ?? null] as const;
    if (insert.run(id, revision, status, requester.id, key, ...times, body).changes === 0)
      throw new SallyportError("conflict", "an approval of this id is there already");
    for (const group of new Set(consents.map((consent) => consent.group))) addGroup.run(group, requestedAt, id);
  };
  return {
    put: (approval) => stored("keep a request", () => inTransaction(db, () => insertAll(approval))),
    replace: (next) =>
      stored("change an approval", () => {
        const { id, revision, status, decidedAt } = next;
        const body = JSON.stringify(next);
        return replace.run(revision, status, decidedAt ?? null, body, id, revision - 1).changes > 0;
      }),
  };
}

type Listing = (query: ApprovalQuery, after: Place) => Approval[];

function listing(db: DatabaseSync): Readonly<Record<"history" | "waiting", Listing>> {
  const all = db.prepare(`SELECT body FROM approvals WHERE ${PAGE}`);
  const mine = db.prepare(`SELECT body FROM approvals WHERE requester_id = ? AND ${PAGE}`);
  const ofGroup = db.prepare(`
    SELECT body FROM approvals WHERE id IN (SELECT id FROM approval_groups WHERE group_name = ? AND ${PAGE})`);
  // Few wait at a time, whoever they ask: they are read from the index of what waits.
  const waiting = db.prepare(`SELECT body FROM approvals INDEXED BY approvals_waiting WHERE ${WAITING} AND ${PAGE}`);
  const waitingFor = db.prepare(`
    SELECT body FROM approvals INDEXED BY approvals_waiting
    WHERE (requester_id = ? OR EXISTS (
        SELECT 1 FROM approval_groups AS g WHERE g.id = approvals.id AND g.requested_at = approvals.requested_at
          AND g.group_name IN (SELECT value FROM json_each(?))))
      AND ${WAITING} AND ${PAGE}`);
  return {
    // A page of each group's, merged: it costs pages, however long the history is.
    history: ({ seenBy, limit }, after) => {
      if (seenBy === undefined) return all.all(...after, limit).map(toApproval);
      const rows = mine.all(seenBy.id, ...after, limit);
      for (const group of new Set(seenBy.groups)) rows.push(...ofGroup.all(group, ...after, limit));
      const byId = new Map(rows.map(toApproval).map((approval) => [approval.id, approval]));
      return [...byId.values()].toSorted(newestFirst).slice(0, limit);
    },
    waiting: ({ seenBy, waitingAt = 0, limit }, after) => {
      if (seenBy === undefined) return waiting.all(waitingAt, ...after, limit).map(toApproval);
      return waitingFor.all(seenBy.id, JSON.stringify(seenBy.groups), waitingAt, ...after, limit).map(toApproval);
    },
  };
}

/** SQLite compares text by its UTF-8 bytes; ids are ASCII. */
function newestFirst(one: Approval, other: Approval): number {
  return other.requestedAt - one.requestedAt || (one.id < other.id ? 1 : -1);
}

function keyText(
  requester: string,
  { kind, connection, digest, policyVersion }: Omit<GrantParts, "requester">,
): string {
  return JSON.stringify([requester, kind, connection, digest, policyVersion]);
}

type GrantParts = Parameters<ApprovalStore["matching"]>[0];

const branded = <T extends string>() => z.string().transform((text) => text as T);
const person = z.object({ id: branded<PrincipalId>(), name: z.string() });
const body = z.object({
  id: branded<ApprovalId>(),
  kind: z.enum(["statement", "connect", "command"]),
  session: branded<SessionId>().optional(),
  requester: person.extend({
    kind: z.enum(["user", "service"]),
    groups: z.array(z.string()),
    actors: z.array(branded<PrincipalId>()).optional(),
    actorNames: z.array(z.string()).optional(),
  }),
  connection: z.string(),
  environment: z.string(),
  client: z.string(),
  shown: z.string(),
  digest: branded<Digest>(),
  policyVersion: z.string(),
  policies: z.array(z.string()),
  reason: z.string(),
  consents: z.array(z.object({ group: z.string(), count: z.number() })),
  requestedAt: z.number(),
  expiresAt: z.number(),
  status: z.enum(APPROVAL_STATUSES),
  answers: z.array(
    z.object({
      by: person,
      groups: z.array(z.string()),
      consents: z.boolean(),
      words: z.string(),
      at: z.number(),
    }),
  ),
  decidedAt: z.number().optional(),
  closed: z.object({ at: z.number(), by: person.optional() }).optional(),
  revision: z.number(),
});

/** JSON leaves undefined out; who compares two approvals shall not see the difference. */
function toApproval(row: Record<string, unknown>): Approval {
  const read = body.parse(JSON.parse(z.string().parse(row["body"])));
  const { session, decidedAt, closed } = read;
  const { actors, actorNames, ...alone } = read.requester;
  const through = { ...(actors !== undefined && { actors }), ...(actorNames !== undefined && { actorNames }) };
  const requester = { ...alone, ...through };
  return { ...read, requester, session, decidedAt, closed: closed && { at: closed.at, by: closed.by } };
}
