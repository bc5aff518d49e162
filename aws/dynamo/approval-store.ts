import { createHash } from "node:crypto";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { SallyportError } from "../../core/errors.ts";
import type { ApprovalId } from "../../core/ports/approval-desk.ts";
import type { Approval, ApprovalQuery, ApprovalStore, GrantKey } from "../../core/ports/approval-store.ts";
import { approvalItem, approvalKey, MAX_NEW_APPROVAL_BYTES, toApproval } from "./approval-item.ts";
import { ABSENT, type Item, type Write } from "./expressions.ts";
import { order, orderFrom, ORDER_END, partition, ttlAt } from "./keys.ts";
import { asking, type Table } from "./table.ts";
import { allByTime, dayMark, dayPartition, mainItems, merged, pageOf, type View, view } from "./views.ts";

/** A transaction has room for 100 items, of which each group takes two. */
const MAX_GROUPS = 45;
/** What was decided is asked for within seconds; a day is for the clocks. */
const DECIDED_MEMORY_MS = 24 * 60 * 60 * 1000;
/** What waits or is granted is of no use once it has expired; the same. */
const OPEN_MEMORY_MS = 24 * 60 * 60 * 1000;

/**
 * Decisions are people's, and what waits is for people: some in a second at the most, where a partition takes hundreds of
 * transactions. So one partition keeps each, and every task gets the new ones by one strongly consistent query.
 */
const DECIDED = "decided";
const WAITING = "waiting";

/**
 * The port on the table `approvals`. An approval is one item, with one more in each view that it is listed by: for good by time, by
 * requester and by group; while it waits, in the same three; while it can be used, by the key of its grant. Each method that
 * changes it is one transaction.
 */
export function dynamoApprovalStore(client: DynamoDBClient, tableName: string, deadlineMs?: number): ApprovalStore {
  const ask = asking(client, tableName, deadlineMs);
  const marked = new Set<string>();
  return {
    put: (approval) => ask("keep a request", (table) => put(table, approval, marked)),
    get: (id) => ask("find an approval", (table) => find(table, id)),
    replace: (next) => ask("change an approval", (table) => replace(table, next)),
    list: (query) => ask("list approvals", (table) => list(table, query)),
    decidedSince: (since) =>
      ask("list what was decided", async (table) => {
        const found = await table.query({ pk: DECIDED, from: orderFrom(since) });
        return found.map(({ id }) => id as ApprovalId);
      }),
    matching: ({ requester, ...key }, status, now) =>
      ask("find a grant", async (table) => {
        const entries = await table.query({ pk: grantPartition(requester, key) });
        const approvals = await load(table, entries);
        return approvals.filter((one) => one.status === status && one.expiresAt > now);
      }),
    countWaiting: (requester, now) =>
      ask("count what waits", (table) =>
        table.count({ pk: partition("waiting-of", requester), filter: "#expiresAt > :now", values: { now } }),
      ),
  };
}

function placeOf({ requestedAt, id }: Pick<Approval, "requestedAt" | "id">): string {
  return order(requestedAt, id);
}

function groupsOf({ consents }: Approval): string[] {
  return [...new Set(consents.map(({ group }) => group))];
}

function historyOf(approval: Approval, place: string): string[] {
  const groups = groupsOf(approval).map((group) => partition("group", group));
  return [dayPartition(place), partition("requester", approval.requester.id), ...groups];
}

function waitingOf(approval: Approval): string[] {
  const groups = groupsOf(approval).map((group) => partition("waiting-for", group));
  return [WAITING, partition("waiting-of", approval.requester.id), ...groups];
}

function grantPartition(
  requester: string,
  { kind, connection, digest, policyVersion }: Omit<GrantKey, "requester">,
): string {
  const text = JSON.stringify([requester, kind, connection, digest, policyVersion]);
  return `grant#${createHash("sha256").update(text, "utf16le").digest("hex")}`;
}

async function put(table: Table, approval: Approval, marked: Set<string>): Promise<void> {
  const { id, status, expiresAt } = approval;
  const place = placeOf(approval);
  demandRoom(approval);
  const day = dayPartition(place);
  if (!marked.has(day)) await table.write(dayMark(place));
  marked.add(day);
  const entry = (pk: string): Write => ({ put: { pk, sk: place, id } });
  const ttl = ttlAt(expiresAt + OPEN_MEMORY_MS);
  const open = (pk: string): Write => ({ put: { pk, sk: place, id, expiresAt, ttl } });
  const kept = await table.transact([
    { put: { ...approvalKey(id), ...approvalItem(approval) }, when: ABSENT },
    ...historyOf(approval, place).map(entry),
    ...(status === "requested" ? waitingOf(approval).map(open) : []),
    ...(isOpen(approval) ? [open(grantPartition(approval.requester.id, approval))] : []),
    ...decidedEntry(approval),
  ]);
  if (!kept) throw new SallyportError("conflict", "an approval of this id is there already");
}

function isOpen({ status }: Approval): boolean {
  return status === "requested" || status === "granted";
}

function decidedEntry({ id, decidedAt }: Approval): Write[] {
  if (decidedAt === undefined) return [];
  return [{ put: { pk: DECIDED, sk: order(decidedAt, id), id, ttl: ttlAt(decidedAt + DECIDED_MEMORY_MS) } }];
}

/** The answers that are to come have their room: no grant fails because the request was too long. */
function demandRoom(approval: Approval): void {
  if (Buffer.byteLength(JSON.stringify(approval)) > MAX_NEW_APPROVAL_BYTES)
    throw new SallyportError("too-large", "the request is too long to be kept for anybody's answer");
  if (groupsOf(approval).length > MAX_GROUPS)
    throw new SallyportError("configuration-invalid", `a rule asks more than ${MAX_GROUPS} groups at once`);
}

/** Who asked, for what, and whom does not change; the entries of an approval follow from that and its state. */
async function replace(table: Table, next: Approval): Promise<boolean> {
  const { id, revision, status } = next;
  const place = placeOf(next);
  const gone = (pk: string): Write => ({ delete: { pk, sk: place } });
  return table.transact([
    {
      put: { ...approvalKey(id), ...approvalItem(next) },
      when: "#revision = :before",
      values: { before: revision - 1 },
    },
    ...(status === "requested" ? [] : waitingOf(next).map(gone)),
    ...(isOpen(next) ? [] : [gone(grantPartition(next.requester.id, next))]),
    ...decidedEntry(next),
  ]);
}

async function find(table: Table, id: ApprovalId): Promise<Approval | undefined> {
  const found = await table.get(approvalKey(id));
  return found && toApproval(found);
}

async function list(table: Table, query: ApprovalQuery): Promise<Approval[]> {
  const { after, waitingAt, limit } = query;
  const last = after === undefined ? undefined : await find(table, after);
  if (after !== undefined && last === undefined)
    throw new SallyportError("not-found", "the approval to continue after is not there");
  const below = last === undefined ? ORDER_END : placeOf(last);
  const waits = ({ status, expiresAt }: Approval): boolean =>
    waitingAt === undefined || (status === "requested" && expiresAt > waitingAt);
  // An entry is read before what it points to, which may have been decided meanwhile.
  return pageOf(viewOf(table, query), { from: "0", below, limit }, async (entries) =>
    (await load(table, entries)).filter(waits),
  );
}

function viewOf(table: Table, { seenBy, waitingAt }: ApprovalQuery): View {
  if (waitingAt === undefined) {
    if (seenBy === undefined) return allByTime(table);
    const groups = [...new Set(seenBy.groups)].map((group) => partition("group", group));
    return merged([partition("requester", seenBy.id), ...groups].map((pk) => view(table, { pk })));
  }
  const unexpired = { filter: "#expiresAt > :now", values: { now: waitingAt } };
  if (seenBy === undefined) return view(table, { pk: WAITING, ...unexpired });
  const groups = [...new Set(seenBy.groups)].map((group) => partition("waiting-for", group));
  return merged([partition("waiting-of", seenBy.id), ...groups].map((pk) => view(table, { pk, ...unexpired })));
}

async function load(table: Table, entries: readonly Item[]): Promise<Approval[]> {
  return (await mainItems(table, entries.map(({ id }) => approvalKey(String(id))))).map(toApproval); // prettier-ignore
}
