import { ScanCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { dynamoApprovalStore } from "../../../aws/dynamo/approval-store.ts";
import { dynamoCancelKeys } from "../../../aws/dynamo/cancel-keys.ts";
import { dynamoPassStore } from "../../../aws/dynamo/pass-store.ts";
import { dynamoPeopleStore } from "../../../aws/dynamo/people-store.ts";
import { dynamoSessionStore } from "../../../aws/dynamo/session-store.ts";
import { dynamoSignInStore } from "../../../aws/dynamo/sign-in-store.ts";
import type { SessionId } from "../../../core/ports/session-store.ts";
import type { DeviceCodeHash, TokenId } from "../../../core/ports/sign-in-store.ts";
import { answer } from "../../../core/approval/state.ts";
import { transition } from "../../../core/approval/transition.ts";
import { BOB, NOW, requested } from "../../setup/approvals.ts";
import { DEVICE, EVE, OPENING, PASS, TARGET } from "../../setup/dynamo-stores.ts";
import { type LocalDynamo, PATIENCE_MS, startDynamo } from "../../setup/dynamodb.ts";
import { sessionIdAt } from "../../setup/session-ids.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const CLIENT_SECRET = Buffer.from("the client's canary");

vi.setConfig({ testTimeout: 2 * PATIENCE_MS });
let dynamo: LocalDynamo;
beforeAll(async () => void (dynamo = await startDynamo()), 90_000);
afterAll(() => dynamo?.stop());

describe("what has expired and is still in DynamoDB", () => {
  it("is no cancel key any more, and another session may have it", async () => {
    let now = NOW;
    const keys = dynamoCancelKeys(dynamo.client, await dynamo.table("coordination"), () => now, PATIENCE_MS);
    await keys.put(1, CLIENT_SECRET, TARGET);
    now += 30 * DAY_MS;
    expect(await keys.find(1, CLIENT_SECRET)).toBeUndefined();
    const other = { ...TARGET, session: sessionIdAt(now) };
    await keys.put(1, CLIENT_SECRET, other);
    await keys.remove(TARGET.session);
    expect((await keys.find(1, CLIENT_SECRET))?.session).toBe(other.session);
  });

  it("counts neither as a waiting request, nor as a wrong code of now, and cannot be decided", async () => {
    const signIns = dynamoSignInStore(dynamo.client, await dynamo.table("signIns"), PATIENCE_MS);
    await signIns.putDevice(DEVICE);
    await signIns.noteWrongCode(EVE, NOW, NOW);
    expect(await signIns.countPending(DEVICE.address, DEVICE.expiresAt)).toEqual({ total: 0, fromAddress: 0 });
    expect(await signIns.decideDevice(DEVICE.userCode, { kind: "denied" }, DEVICE.expiresAt)).toBe(false);
    expect(await signIns.wrongCodes(EVE, NOW + 1)).toBe(0);
  });

  it("is a token that stays signed out, and a pass that is found, so that the caller says why", async () => {
    const signIns = dynamoSignInStore(dynamo.client, await dynamo.table("signIns"), PATIENCE_MS);
    await signIns.signOut("token" as TokenId, 1, 0);
    expect(await signIns.isSignedOut("token" as TokenId)).toBe(true);
    const passes = dynamoPassStore(dynamo.client, await dynamo.table("passes"), PATIENCE_MS);
    await passes.issue({ ...PASS, expiresAt: 1 });
    expect(await passes.find(PASS.hash)).toMatchObject({ expiresAt: 1 });
  });

  it("has a time to live after the last moment at which anybody may ask, in seconds", async () => {
    const name = await dynamo.table("passes");
    const { id } = await dynamoPassStore(dynamo.client, name, PATIENCE_MS).issue(PASS);
    await dynamoPassStore(dynamo.client, name, PATIENCE_MS).revoke(id, NOW);
    const { Items = [] } = await dynamo.client.send(new ScanCommand({ TableName: name }));
    expect(Items).toHaveLength(4);
    for (const { ttl } of Items) expect(Number(ttl?.N)).toBe(Math.ceil((PASS.expiresAt + 30 * DAY_MS) / 1000));
  });
});

describe("a long history in DynamoDB", () => {
  it("is walked day by day, over days of which there is nothing, each session once", async () => {
    const sessions = dynamoSessionStore(dynamo.client, await dynamo.table("sessions"), PATIENCE_MS);
    const days = Array.from({ length: 36 }, (_, n) => NOW - n * n * DAY_MS);
    for (const [n, startedAt] of days.entries())
      await sessions.open({ ...OPENING, id: sessionIdAt(startedAt, n), startedAt });
    for (const limit of [1_000, 33, 9]) {
      const seen: number[] = [];
      for (let after: SessionId | undefined; ;) {
        const page = await sessions.list({ limit, ...(after && { after }) });
        if (page.length === 0) break;
        seen.push(...page.map(({ startedAt }) => startedAt));
        after = page.at(-1)?.id;
      }
      expect(seen).toEqual(days);
    }
    const [from = 0, to = 0] = [days[30], days[5]];
    expect((await sessions.list({ from, to, limit: 99 })).map(({ startedAt }) => startedAt)).toEqual(days.slice(6, 31));
  });

  it("gives more than a batch of approvals in one page", async () => {
    const approvals = dynamoApprovalStore(dynamo.client, await dynamo.table("approvals"), PATIENCE_MS);
    const all = Array.from({ length: 105 }, (_, n) => requested({ requestedAt: NOW + n, shown: "x".repeat(170_000) }));
    for (const approval of all) await approvals.put(approval);
    const listed = await approvals.list({ limit: 103 });
    expect(listed.map(({ id }) => id)).toEqual(all.map(({ id }) => id).toReversed().slice(0, 103)); // prettier-ignore
  });

  it("of requests that were decided leaves no empty page before those that wait", async () => {
    const approvals = dynamoApprovalStore(dynamo.client, await dynamo.table("approvals"), PATIENCE_MS);
    const all = Array.from({ length: 45 }, (_, n) => requested({ requestedAt: NOW - n }));
    for (const approval of all) await approvals.put(approval);
    for (const { id } of all.slice(0, 44))
      await transition(approvals, id, (found) => answer(found, { by: BOB, consents: true, words: "" }, NOW + 1));
    const seenBy = { id: BOB.id, groups: ["approvers"] };
    expect(await approvals.list({ seenBy, waitingAt: NOW + 2, limit: 1 })).toEqual([all[44]]);
  });
});

describe("what is too large for DynamoDB", () => {
  it("is refused as too large, and what the desk lets through in ASCII fits with all its answers", async () => {
    const approvals = dynamoApprovalStore(dynamo.client, await dynamo.table("approvals"), PATIENCE_MS);
    const fits = requested({ shown: "x".repeat(256 * 1024) });
    await approvals.put(fits);
    const by = { id: BOB.id, name: "b".repeat(200) };
    const answers = Array.from({ length: 50 }, () => ({ by, groups: ["approvers"], consents: true, words: "€".repeat(500), at: NOW })); // prettier-ignore
    expect(await approvals.replace({ ...fits, answers, revision: 2 })).toBe(true);
    await expect(approvals.put(requested({ shown: "€".repeat(256 * 1024) }))).rejects.toMatchObject({
      code: "too-large",
    });
    const sessions = dynamoSessionStore(dynamo.client, await dynamo.table("sessions"), PATIENCE_MS);
    const huge = { ...OPENING, principalName: "n".repeat(500_000) };
    await expect(sessions.open(huge)).rejects.toMatchObject({ code: "too-large" });
    expect(await sessions.list({ limit: 1 })).toEqual([]);
  });

  it("is refused where a rule asks more groups than a transaction has room for", async () => {
    const approvals = dynamoApprovalStore(dynamo.client, await dynamo.table("approvals"), PATIENCE_MS);
    const asking = (count: number) => requested({ consents: Array.from({ length: count }, (_, n) => ({ group: `g${n}`, count: 1 })) }); // prettier-ignore
    const most = asking(45);
    await approvals.put(most);
    expect(await approvals.list({ seenBy: { id: EVE, groups: ["g44"] }, limit: 2 })).toEqual([most]);
    await expect(approvals.put(asking(46))).rejects.toMatchObject({ code: "configuration-invalid" });
  });

  it("is not a person of many more groups than a transaction has room for, whose next sign-in leaves no entry of the last", async () => {
    const name = await dynamo.table("people");
    const people = dynamoPeopleStore(dynamo.client, name, PATIENCE_MS);
    const groups = Array.from({ length: 300 }, (_, n) => `group-${n}`);
    const eve = { id: EVE, name: "eve", email: "eve@shop.example", groups, seenAt: NOW, freshUntil: NOW };
    await people.signedIn(eve);
    expect(await people.inGroup("group-299", NOW, 9)).toEqual([eve]);
    const less = { ...eve, groups: ["group-1"], seenAt: NOW + 1 };
    await people.signedIn(less);
    expect(await people.inGroup("group-299", 0, 9)).toEqual([]);
    expect(await people.inGroup("group-1", 0, 9)).toEqual([less]);
    expect((await dynamo.client.send(new ScanCommand({ TableName: name }))).Count).toBe(3);
  });
});

describe("what rests in DynamoDB", () => {
  it("is not what the client holds: neither its cancel secret nor a code of a device", async () => {
    const name = await dynamo.table("coordination");
    await dynamoCancelKeys(dynamo.client, name, () => NOW, PATIENCE_MS).put(1, CLIENT_SECRET, TARGET);
    const { Items } = await dynamo.client.send(new ScanCommand({ TableName: name }));
    const text = JSON.stringify(Items, (_, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value,
    );
    expect(text).toContain(Buffer.from(TARGET.secret).toString("latin1"));
    for (const encoding of ["latin1", "base64", "hex"] as const)
      expect(text).not.toContain(CLIENT_SECRET.toString(encoding));
  });

  it("keeps keys apart that are long, not well-formed, or look like another's", async () => {
    const signIns = dynamoSignInStore(dynamo.client, await dynamo.table("signIns"), PATIENCE_MS);
    const codes = [
      "a".repeat(3_000),
      "a".repeat(3_001),
      "\ud800",
      "\ud801",
      "\ufffd",
      "#",
      "~",
      "",
    ] as DeviceCodeHash[];
    for (const [n, deviceCode] of codes.entries())
      await signIns.putDevice({ ...DEVICE, deviceCode, userCode: `code-${n}` as never, label: String(n) });
    for (const [n, deviceCode] of codes.entries())
      expect((await signIns.findDevice(deviceCode))?.label).toBe(String(n));
    expect(await signIns.countPending(DEVICE.address, NOW)).toMatchObject({ total: codes.length });
  });
});
