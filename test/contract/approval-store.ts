import { beforeEach, describe, expect, it } from "vitest";
import { answer, cancel, type Outcome, use } from "../../core/approval/state.ts";
import { transition } from "../../core/approval/transition.ts";
import type { ApprovalId, HeldRequest } from "../../core/ports/approval-desk.ts";
import type { Approval, ApprovalStore } from "../../core/ports/approval-store.ts";
import type { SessionId } from "../../core/ports/session-store.ts";
import { ALICE, BOB, digestOf, ERIN, LIFETIME_MS, NOW, person, requested } from "../setup/approvals.ts";

const consent = (by = BOB) => ({ by, consents: true, words: "fine" });
const refusal = (by = BOB) => ({ by, consents: false, words: "not today" });
const HOSTILE = ["", "%", "' OR 1=1 --", "\u0000", '"]'];

/** What every ApprovalStore promises. @param make an empty store */
export function approvalStoreContract(name: string, make: () => Promise<ApprovalStore>): void {
  describe(`an approval store (${name})`, () => {
    let store: ApprovalStore;
    beforeEach(async () => void (store = await make()));
    const put = async (over: Partial<HeldRequest> = {}): Promise<Approval> => {
      const approval = requested(over);
      await store.put(approval);
      return approval;
    };
    const taken = async (id: ApprovalId, step: (approval: Approval) => Outcome): Promise<Approval> =>
      transition(store, id, step);

    it("gives back what was put, to the last character, and every later state of it", async () => {
      const shown = `it's "quoted" \u0000 \u202e ✓ \ud83d\ude00`;
      const approval = await put({ shown, session: "019a0000-0000-7000-8000-000000000000" as SessionId });
      expect(await store.get(approval.id)).toEqual(approval);
      const granted = await taken(approval.id, (found) => answer(found, consent(), NOW + 1));
      expect(await store.get(approval.id)).toEqual(granted);
      const used = await taken(approval.id, (found) => use(found, approval, NOW + 2));
      expect(await store.get(approval.id)).toEqual(used);
      expect(used).toMatchObject({ status: "used", revision: 3, answers: [{ by: { id: BOB.id }, words: "fine" }] });
    });

    it("keeps who acts in the requester's place, so that they cannot consent to it themselves", async () => {
      const requester = { ...ALICE, actors: [BOB.id, ERIN.id], actorNames: ["erin@shop.example"] };
      const { id } = await put({ requester });
      expect((await store.get(id))?.requester).toEqual(requester);
      await expect(taken(id, (found) => answer(found, consent(), NOW + 1))).rejects.toMatchObject({
        code: "access-denied",
      });
    });

    it("knows nothing of ids that were never given out, and continues no list after them", async () => {
      await put();
      for (const id of HOSTILE as ApprovalId[]) {
        expect(await store.get(id)).toBeUndefined();
        expect(await store.replace({ ...requested(), id, revision: 2 })).toBe(false);
        await expect(store.list({ limit: 5, after: id })).rejects.toMatchObject({ code: "not-found" });
      }
    });

    it("refuses an id that is there, and leaves that one as it was", async () => {
      const first = await put();
      const second = { ...requested({ requester: person("eve") }), id: first.id };
      await expect(store.put(second)).rejects.toMatchObject({ code: "conflict" });
      expect(await store.get(first.id)).toEqual(first);
      expect(await store.list({ seenBy: { id: person("eve").id, groups: [] }, limit: 5 })).toEqual([]);
    });

    it("writes over the revision that was read, and over no other", async () => {
      const approval = await put();
      for (const revision of [1, 3, 0, -1]) expect(await store.replace({ ...approval, revision })).toBe(false);
      expect(await store.replace({ ...approval, revision: 2 })).toBe(true);
      expect(await store.replace({ ...approval, revision: 2, status: "denied" })).toBe(false);
      expect((await store.get(approval.id))?.status).toBe("requested");
    });

    races(() => store, put);
    lists(() => store, put);
    questions(() => store, put);
  });
}

type Put = (over?: Partial<HeldRequest>) => Promise<Approval>;

function races(store: () => ApprovalStore, put: Put): void {
  const race = (id: ApprovalId, steps: readonly ((approval: Approval) => Outcome)[]) =>
    Promise.allSettled(steps.map((step) => transition(store(), id, step)));
  const won = (results: readonly PromiseSettledResult<Approval>[]) =>
    results.flatMap((result) => (result.status === "fulfilled" ? [result.value.status] : []));

  it("of two who decide at once, the first decides and the second is refused", async () => {
    for (const [first, second] of [
      [consent(BOB), refusal(ERIN)],
      [refusal(BOB), consent(ERIN)],
      [consent(BOB), consent(ERIN)],
    ] as const) {
      const { id } = await put();
      const results = await race(id, [
        (found) => answer(found, first, NOW + 1),
        (found) => answer(found, second, NOW + 1),
      ]);
      expect(won(results)).toHaveLength(1);
      expect((await store().get(id))?.answers).toHaveLength(1);
    }
  });

  it("loses no consent of two that are given at once", async () => {
    const { id } = await put({ consents: [{ group: "approvers", count: 2 }] });
    const results = await race(
      id,
      [BOB, ERIN].map((by) => (found) => answer(found, consent(by), NOW + 1)),
    );
    expect(won(results)).toHaveLength(2);
    expect(await store().get(id)).toMatchObject({ status: "granted", answers: [{}, {}] });
  });

  it("lets a grant be used by one of many who try at once", async () => {
    const approval = await put();
    await transition(store(), approval.id, (found) => answer(found, consent(), NOW + 1));
    const uses = Array.from({ length: 8 }, () => (found: Approval) => use(found, approval, NOW + 2));
    const results = await race(approval.id, uses);
    expect(won(results)).toEqual(["used"]);
    for (const result of results)
      if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "conflict" });
  });

  it("never leaves a grant open that raced with the requester's giving up", async () => {
    for (const order of [0, 1]) {
      const { id } = await put();
      const steps = [
        (found: Approval) => answer(found, consent(), NOW + 1),
        (found: Approval) => cancel(found, undefined, NOW + 1),
      ];
      await race(id, order === 0 ? steps : steps.toReversed());
      expect(["cancelled", "revoked"]).toContain((await store().get(id))?.status);
    }
  });
}

function lists(store: () => ApprovalStore, put: Put): void {
  const ids = (approvals: readonly Approval[]): ApprovalId[] => approvals.map(({ id }) => id);

  it("lists newest first, page by page, each once, also those of one millisecond", async () => {
    const made = [];
    for (const at of [0, 1, 1, 1, 2, 3, 3]) made.push(await put({ requestedAt: NOW + at }));
    const whole = await store().list({ limit: 100 });
    expect(new Set(ids(whole))).toEqual(new Set(ids(made)));
    expect(whole.map(({ requestedAt }) => requestedAt - NOW)).toEqual([3, 3, 2, 1, 1, 1, 0]);
    const bob = { id: BOB.id, groups: ["approvers"] };
    for (const over of [{}, { waitingAt: NOW + 5 }, { seenBy: bob }, { seenBy: bob, waitingAt: NOW + 5 }]) {
      const paged = [];
      for (let page = await store().list({ ...over, limit: 2 }); page.length > 0;) {
        paged.push(...page);
        const after = page.at(-1)?.id ?? ("" as ApprovalId);
        page = await store().list({ ...over, limit: 2, after });
      }
      expect(ids(paged)).toEqual(ids(whole));
    }
  });

  it("shows a person what they asked for and what asks their groups, and nothing else", async () => {
    const mine = await put();
    const ours = await put({
      requester: person("carl"),
      consents: [
        { group: "dba", count: 1 },
        { group: 'o\'Brien "x" [%]', count: 1 },
      ],
    });
    const others = await put({ requester: person("carl"), consents: [{ group: "approvers", count: 1 }] });
    const seen = async (groups: string[]) =>
      new Set(ids(await store().list({ seenBy: { id: ALICE.id, groups }, limit: 9 })));
    expect(await seen([])).toEqual(new Set([mine.id]));
    expect(await seen(["dba", 'o\'Brien "x" [%]'])).toEqual(new Set([mine.id, ours.id]));
    expect(await seen(["%", "DBA", "approver"])).toEqual(new Set([mine.id]));
    expect(await seen(["approvers", "dba"])).toEqual(new Set([mine.id, ours.id, others.id]));
    expect(new Set(ids(await store().list({ limit: 9 })))).toEqual(new Set([mine.id, ours.id, others.id]));
  });

  it("lists as waiting neither the decided nor the expired", async () => {
    const waiting = await put();
    await put({ expiresAt: NOW + 5 });
    const denied = await put();
    await transition(store(), denied.id, (found) => answer(found, refusal(), NOW + 1));
    for (const over of [
      {},
      { seenBy: { id: BOB.id, groups: ["approvers"] } },
      { seenBy: { id: ALICE.id, groups: [] } },
    ])
      expect(ids(await store().list({ ...over, waitingAt: NOW + 5, limit: 9 }))).toEqual([waiting.id]);
  });
}

function questions(store: () => ApprovalStore, put: Put): void {
  it("tells what left `requested` at or after a time, whatever became of it since", async () => {
    const made: Approval[] = [];
    for (let n = 0; n < 4; n++) made.push(await put());
    for (const [n, { id }] of made.slice(0, 3).entries())
      await transition(store(), id, (found) => answer(found, n === 1 ? refusal() : consent(), NOW + n));
    const [first, second, third] = made.map(({ id }) => id);
    await transition(store(), first as ApprovalId, (found) => use(found, found, NOW + 9));
    expect(new Set(await store().decidedSince(NOW))).toEqual(new Set([first, second, third]));
    expect(new Set(await store().decidedSince(NOW + 1))).toEqual(new Set([second, third]));
    expect(await store().decidedSince(NOW + 3)).toEqual([]);
  });

  it("finds a grant, or a request, of exactly this key, until it is used or has expired", async () => {
    const approval = await put({ kind: "connect" });
    const key = {
      kind: "connect",
      requester: ALICE.id,
      connection: "shop",
      digest: digestOf("a"),
      policyVersion: "v1",
    } as const;
    expect(await store().matching(key, "requested", NOW)).toEqual([approval]);
    expect(await store().matching(key, "granted", NOW)).toEqual([]);
    const granted = await transition(store(), approval.id, (found) => answer(found, consent(), NOW + 1));
    expect(await store().matching(key, "granted", NOW + 2)).toEqual([granted]);
    expect(await store().matching(key, "requested", NOW + 2)).toEqual([]);
    for (const other of [
      { kind: "statement" as const },
      { requester: BOB.id },
      { connection: "shop2" },
      { digest: digestOf("b") },
      { policyVersion: "v2" },
    ])
      expect(await store().matching({ ...key, ...other }, "granted", NOW + 2)).toEqual([]);
    expect(await store().matching(key, "granted", NOW + LIFETIME_MS)).toEqual([]);
    await transition(store(), approval.id, (found) => use(found, found, NOW + 3));
    expect(await store().matching(key, "granted", NOW + 4)).toEqual([]);
  });

  it("counts a person's requests that wait, and nobody else's", async () => {
    await put();
    await put({ expiresAt: NOW + 5 });
    await put({ requester: BOB });
    const denied = await put();
    await transition(store(), denied.id, (found) => answer(found, refusal(), NOW + 1));
    expect(await store().countWaiting(ALICE.id, NOW)).toBe(2);
    expect(await store().countWaiting(ALICE.id, NOW + 5)).toBe(1);
    expect(await store().countWaiting(person("eve").id, NOW)).toBe(0);
  });
}
