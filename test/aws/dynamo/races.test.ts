import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { type TableId, TABLES } from "../../../aws/tables.ts";
import { MAX_SSH_KEYS } from "../../../core/identity/ssh-key.ts";
import type { CloseReason } from "../../../core/ports/session-store.ts";
import type { OnceId } from "../../../core/ports/sign-in-store.ts";
import type { SshFingerprint } from "../../../core/ports/ssh-key-store.ts";
import { ALICE, BOB, NOW, requested } from "../../setup/approvals.ts";
import { CLOSING, DEVICE, dynamoStores, KEY, OPENING, PASS, TARGET } from "../../setup/dynamo-stores.ts";
import { type LocalDynamo, PATIENCE_MS, startDynamo } from "../../setup/dynamodb.ts";

const MANY = 25;
const CLIENT_SECRET = Buffer.from("the client's canary");

vi.setConfig({ testTimeout: 2 * PATIENCE_MS });
let dynamo: LocalDynamo;
let names: ReadonlyMap<TableId, string>;
beforeAll(async () => void (dynamo = await startDynamo()), 90_000);
afterAll(() => dynamo?.stop());
beforeEach(async () => {
  const ids = Object.keys(TABLES) as TableId[];
  names = new Map(await Promise.all(ids.map(async (id) => [id, await dynamo.table(id)] as const)));
});

const storesOf = (client: DynamoDBClient) => dynamoStores(client, (id) => names.get(id) ?? "", PATIENCE_MS);
const many = <T>(make: (n: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: MANY }, (_, n) => make(n)));

describe("of many who do it at once, on DynamoDB", () => {
  it("one revocation's time stays, everybody is told that time, and it is listed once", async () => {
    const { passes } = storesOf(dynamo.client);
    const { id } = await passes.issue(PASS);
    const times = new Set((await many((n) => passes.revoke(id, NOW + n))).map((pass) => pass?.revokedAt));
    expect(times.size).toBe(1);
    expect(await passes.revokedSince(NOW)).toEqual([id]);
    expect(await passes.find(PASS.hash)).toMatchObject({ revokedAt: [...times][0] });
  });

  it("one pass of a hash is issued", async () => {
    const { passes } = storesOf(dynamo.client);
    const results = await Promise.allSettled(Array.from({ length: MANY }, () => passes.issue(PASS)));
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const result of results)
      if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "conflict" });
    expect(await passes.listFor(ALICE.id, 9)).toHaveLength(1);
  });

  it("one decision on a device stays, and one caller gets its principal", async () => {
    const { signIns } = storesOf(dynamo.client);
    await signIns.putDevice(DEVICE);
    const answers = [{ kind: "approved", principal: ALICE }, { kind: "approved", principal: BOB }, { kind: "denied" }] as const; // prettier-ignore
    const won = await many((n) => signIns.decideDevice(DEVICE.userCode, answers[n % 2] ?? answers[2], NOW));
    expect(won.filter(Boolean)).toHaveLength(1);
    const principals = (await many(() => signIns.useDevice(DEVICE.deviceCode, NOW))).filter(Boolean);
    expect(principals).toHaveLength(1);
    expect(await signIns.countPending(DEVICE.address, NOW)).toEqual({ total: 0, fromAddress: 0 });
  });

  it("one closing of a session stays, and it is live no more", async () => {
    const { sessions } = storesOf(dynamo.client);
    await sessions.open(OPENING);
    expect(await sessions.liveOf(OPENING.task, 9)).toHaveLength(1);
    expect(await sessions.liveOf("task-2", 9)).toEqual([]);
    const reasons: CloseReason[] = ["client-closed", "interrupted", "pass-revoked"];
    const closers = Array.from({ length: MANY }, (_, n) =>
      sessions.close(OPENING.id, { ...CLOSING, reason: reasons[n % 3] ?? "refused", statements: n }),
    );
    await Promise.race(closers);
    const first = await sessions.get(OPENING.id);
    await Promise.all(closers);
    await sessions.close(OPENING.id, { ...CLOSING, reason: "limit-exceeded" });
    expect(await sessions.get(OPENING.id)).toEqual(first);
    for (const live of [await sessions.list({ live: true, limit: 9 }), await sessions.liveOf(OPENING.task, 9)])
      expect(live).toEqual([]);
  });

  it("one writes over a revision of an approval, and only its entries are there afterwards", async () => {
    const { approvals } = storesOf(dynamo.client);
    const approval = requested();
    await approvals.put(approval);
    const next = (n: number) => ({ ...approval, revision: 2, status: n % 2 === 0 ? "granted" : "denied", decidedAt: NOW + n } as const); // prettier-ignore
    expect((await many((n) => approvals.replace(next(n)))).filter(Boolean)).toHaveLength(1);
    const stored = await approvals.get(approval.id);
    expect(await approvals.decidedSince(NOW)).toEqual([approval.id]);
    expect(await approvals.decidedSince((stored?.decidedAt ?? 0) + 1)).toEqual([]);
    expect(await approvals.countWaiting(ALICE.id, NOW)).toBe(0);
  });

  it(`no more than ${MAX_SSH_KEYS} SSH keys of a person are kept`, async () => {
    const { sshKeys } = storesOf(dynamo.client);
    const key = (n: number) => ({ ...KEY, fingerprint: `SHA256:${n}` as SshFingerprint });
    for (let n = 0; n < MAX_SSH_KEYS - 2; n++) await sshKeys.register(key(n));
    const late = Array.from({ length: 6 }, (_, n) => sshKeys.register(key(100 + n)));
    const results = await Promise.allSettled(late);
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
    for (const result of results)
      if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "limit-exceeded" });
    expect(await sshKeys.listFor(ALICE.id)).toHaveLength(MAX_SSH_KEYS);
  });
});

/** A client that loses the first answer to each write after the engine has acted on it; and how many it has lost. */
function forgetful(): { readonly client: DynamoDBClient; readonly lost: () => number } {
  const client = dynamo.connect();
  let lost = 0;
  let losing = true;
  client.middlewareStack.add(
    (next, { commandName = "" }) =>
      async (args) => {
        const result = await next(args);
        losing = !losing;
        if (losing || /Get|Query/.test(commandName)) return result;
        lost++;
        throw Object.assign(new Error("the connection is gone"), { name: "TimeoutError" });
      },
    { step: "deserialize" },
  );
  client.middlewareStack.add((next) => (args) => ((losing = true), next(args)), { step: "initialize" });
  return { client, lost: () => lost };
}

describe("a write whose answer was lost, and which is sent again", () => {
  it("has happened, once, and is not refused for having happened", async () => {
    const { client, lost } = forgetful();
    const stores = storesOf(client);
    const steps: Readonly<Record<string, () => Promise<unknown>>> = {
      open: () => stores.sessions.open(OPENING),
      close: () => stores.sessions.close(OPENING.id, CLOSING),
      issue: () => stores.passes.issue(PASS),
      put: () => stores.approvals.put(requested()),
      "cancel key": () => stores.cancelKeys.put(1, CLIENT_SECRET, TARGET),
      register: () => stores.sshKeys.register(KEY),
      device: () => stores.signIns.putDevice(DEVICE),
    };
    for (const [name, step] of Object.entries(steps)) {
      const before = lost();
      await step();
      expect(lost(), name).toBeGreaterThan(before);
    }
    const approval = requested();
    await stores.approvals.put(approval);
    expect(await stores.approvals.replace({ ...approval, revision: 2 })).toBe(true);
    expect(await stores.signIns.decideDevice(DEVICE.userCode, { kind: "approved", principal: ALICE }, NOW)).toBe(true);
    expect(await stores.signIns.useDevice(DEVICE.deviceCode, NOW)).toEqual(ALICE);
    expect(await stores.signIns.useDevice(DEVICE.deviceCode, NOW)).toBeUndefined();
    expect(await stores.signIns.noteWrongCode(ALICE.id, NOW, NOW)).toBe(1);
    expect(await stores.signIns.useOnce("assertion" as OnceId, NOW, NOW)).toBe(true);
    expect(await stores.signIns.useOnce("assertion" as OnceId, NOW, NOW)).toBe(false);
    const renewal = { sealed: "a", expiresAt: NOW + 9 };
    await stores.signIns.keepRenewal(ALICE.id, renewal);
    expect(await stores.signIns.takeRenewal(ALICE.id, NOW, NOW + 1)).toEqual(renewal);
    expect(await stores.signIns.takeRenewal(ALICE.id, NOW, NOW + 1)).toBe("taken");
    expect(await stores.leases.acquire("a", "task-1")).toBe(true);
    const version = (await stores.leases.look("a"))?.version ?? "";
    expect(await stores.leases.takeOver("a", "task-2", version)).toBe(true);
    expect(await stores.leases.takeOver("a", "task-3", version)).toBe(false);
    expect(await stores.sshKeys.remove(KEY.owner, KEY.fingerprint, NOW)).toBe(true);
    client.destroy();
  });
});

describe("a session that is forgotten while the store fails", () => {
  it("is found by the next look, whichever request failed", async () => {
    const client = dynamo.connect();
    let failing = -1;
    client.middlewareStack.add(
      (next) => async (args) => {
        if (failing-- === 0) throw Object.assign(new Error("no"), { name: "ValidationException" });
        return next(args);
      },
      { step: "initialize" },
    );
    const broken = storesOf(client).sessions;
    let failed = 0;
    for (let nth = 0; nth < 8; nth++) {
      const { sessions } = storesOf(dynamo.client);
      await sessions.open(OPENING);
      await sessions.close(OPENING.id, CLOSING);
      failing = nth;
      if (await broken.forget(OPENING.id).then(() => true, () => false)) continue; // prettier-ignore
      failed++;
      const before = await sessions.get(OPENING.id);
      const listed = await sessions.closedBefore(CLOSING.endedAt + 1, 9);
      expect([nth, listed]).toEqual([nth, before === undefined ? [] : [before]]);
      for (const { id } of listed) await sessions.forget(id);
      expect(await sessions.list({ principalId: OPENING.principalId, limit: 9 })).toEqual([]);
    }
    expect(failed).toBeGreaterThan(1);
  });
});
