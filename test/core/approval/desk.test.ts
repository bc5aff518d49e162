import { randomBytes, randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { auditTo } from "../../../core/audit/audit.ts";
import { approvalDesk } from "../../../core/approval/desk.ts";
import { answer, revoke } from "../../../core/approval/state.ts";
import { transition } from "../../../core/approval/transition.ts";
import { SallyportError } from "../../../core/errors.ts";
import type { PrincipalId } from "../../../core/identity/principal.ts";
import type { ApprovalId, Decision } from "../../../core/ports/approval-desk.ts";
import type { Approval, ApprovalStore } from "../../../core/ports/approval-store.ts";
import { sqliteApprovalStore } from "../../../local/approval-store.ts";
import { openDatabase } from "../../../local/database.ts";
import { faultsOf } from "../audit/ocsf-schema.ts";
import { memoryAudit, type MemoryAudit } from "../../setup/memory-audit.ts";
import { ALICE, BOB, digestOf, ERIN, held, LIFETIME_MS, NOW } from "../../setup/approvals.ts";

let store: ApprovalStore;
let told: Approval[];
let questions: number;
let audit: MemoryAudit;
let desk: ReturnType<typeof approvalDesk>;
const never = new AbortController().signal;

beforeEach(() => {
  vi.useFakeTimers({ now: NOW, toFake: ["setTimeout", "clearTimeout", "Date", "performance"] });
  const sqlite = sqliteApprovalStore(openDatabase(":memory:"));
  questions = 0;
  audit = memoryAudit();
  store = { ...sqlite, decidedSince: (since) => (questions++, sqlite.decidedSince(since)) };
  told = [];
  desk = approvalDesk({
    store: { ...store, decidedSince: (since) => store.decidedSince(since) },
    clock: Date.now,
    random: randomBytes,
    link: (id) => `https://sallyport.example/approvals/${id}`,
    tell: (approval) => void told.push(approval),
    audit: auditTo(audit, randomUUID),
  });
});
afterEach(() => {
  desk.close();
  vi.useRealTimers();
});

const decide = (id: ApprovalId, consents = true, by = BOB): Promise<Approval> =>
  transition(store, id, (found) => answer(found, { by, consents, words: "words" }, Date.now()));
const ask = async (over = {}): Promise<ApprovalId> => (await desk.request(held(over))).id;
/** What a promise has come to by now. */
const watched = <T>(promise: Promise<T>): { value?: T; error?: unknown } => {
  const seen: { value?: T; error?: unknown } = {};
  promise.then(
    (value) => (seen.value = value),
    (error: unknown) => (seen.error = error),
  );
  return seen;
};

describe("a request", () => {
  test("is written, told to its approvers, and answered with the page where they decide", async () => {
    const { id, link } = await desk.request(held());
    expect(id).toMatch(/^\w[\w-]{21}$/);
    expect(link).toBe(`https://sallyport.example/approvals/${id}`);
    expect(told).toEqual([await store.get(id)]);
  });

  test("to connect that waits already is not asked for again, but for something else it is", async () => {
    const first = await ask({ kind: "connect" });
    expect(await ask({ kind: "connect" })).toBe(first);
    const through = { requester: { ...ALICE, actors: ["bot"] } };
    for (const over of [
      { requester: ERIN },
      { connection: "x" },
      { digest: digestOf("b") },
      { policyVersion: "v2" },
      through,
    ])
      expect(await ask({ kind: "connect", ...over })).not.toBe(first);
    expect(told).toHaveLength(6);
    await decide(first, false);
    expect(await ask({ kind: "connect" })).not.toBe(first);
  });

  test("for a statement is always a new one", async () => {
    expect(await ask()).not.toBe(await ask());
  });

  test.each([
    [],
    [{ group: "x", count: 0 }],
    [{ group: "x", count: 51 }],
    [{ group: "x", count: 1.5 }],
    [{ group: "x", count: NaN }],
  ])("that asks nobody, or more than can be, is refused: %j", async (...consents) => {
    await expect(ask({ consents })).rejects.toMatchObject({ code: "configuration-invalid" });
    expect(await store.list({ limit: 9 })).toEqual([]);
  });
});

describe("a decision", () => {
  test.each([
    ["granted", true, { kind: "granted", by: [{ id: BOB.id, name: BOB.name, words: "words" }] }],
    ["denied", false, { kind: "denied", by: { id: BOB.id, name: BOB.name, words: "words" } }],
  ])("is known within a second: %s", async (_name, consents, decision) => {
    const id = await ask();
    const seen = watched(desk.decided(id, never));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(seen).toEqual({});
    await decide(id, consents);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(seen.value).toEqual(decision);
  });

  test("that was made before anybody waited is known at once, however long ago", async () => {
    const id = await ask();
    await decide(id);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await desk.decided(id, never)).toMatchObject({ kind: "granted" });
  });

  test("by a clock that is seconds behind ours is not missed", async () => {
    const id = await ask();
    const seen = watched(desk.decided(id, never));
    await vi.advanceTimersByTimeAsync(30_000);
    await transition(store, id, (found) => answer(found, { by: BOB, consents: true, words: "" }, Date.now() - 9_000));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(seen.value).toMatchObject({ kind: "granted" });
  });

  test("does not come: it expires by the clock, and a late answer meets the end", async () => {
    const id = await ask();
    const seen = watched(desk.decided(id, never));
    await vi.advanceTimersByTimeAsync(LIFETIME_MS - 1);
    expect(seen).toEqual({});
    await vi.advanceTimersByTimeAsync(1_000);
    expect(seen.value).toEqual({ kind: "expired" });
    expect(await store.get(id)).toMatchObject({ status: "expired" });
    await expect(decide(id)).rejects.toMatchObject({ code: "conflict" });
  });

  test("thousands wait on one question a tick, and nobody asks when nobody waits", async () => {
    const ids: ApprovalId[] = [];
    for (let n = 0; n < 2_000; n++) ids.push(await ask({ requester: { ...ALICE, id: `u${n % 10}` } }));
    const seen = ids.map((id) => watched(desk.decided(id, never)));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(questions).toBeLessThanOrEqual(4);
    for (const id of ids) await decide(id);
    await vi.advanceTimersByTimeAsync(1_000);
    // Between them others have their turn, so it takes real time.
    await vi.waitFor(() => expect(seen.every(({ value }) => value?.kind === "granted")).toBe(true), 20_000);
    await vi.advanceTimersByTimeAsync(1_000);
    const asked = questions;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(questions).toBe(asked);
    expect(vi.getTimerCount()).toBe(0);
  }, 30_000);

  test("is no longer waited for when the signal aborts, before or during the wait", async () => {
    const id = await ask();
    const reason = new SallyportError("pass-revoked", "gone");
    await expect(desk.decided(id, AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const waits = desk.decided(id, controller.signal);
    const other = watched(desk.decided(id, never));
    await vi.advanceTimersByTimeAsync(300);
    controller.abort(reason);
    await expect(waits).rejects.toBe(reason);
    await decide(id);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(other.value).toMatchObject({ kind: "granted" });
    expect(vi.getTimerCount()).toBe(0);
  });

  test("cannot be known: a store that fails once is asked again, one that is silent for seconds ends the wait", async () => {
    const healthy = store;
    const broken = vi.fn(async () => Promise.reject(new SallyportError("store-unavailable", "gone")));
    const id = await ask();
    const seen = watched<Decision>(desk.decided(id, never));
    store = { ...healthy, decidedSince: broken };
    await vi.advanceTimersByTimeAsync(2_000);
    expect(seen).toEqual({});
    store = healthy;
    await vi.advanceTimersByTimeAsync(2_000);
    store = { ...healthy, decidedSince: broken };
    await vi.advanceTimersByTimeAsync(6_000);
    expect(seen.error).toMatchObject({ code: "store-unavailable" });
  });

  test("is waited for by nobody when the process ends", async () => {
    const seen = watched(desk.decided(await ask(), never));
    await vi.advanceTimersByTimeAsync(0);
    desk.close();
    await vi.advanceTimersByTimeAsync(0);
    expect(seen.error).toMatchObject({ code: "shutting-down" });
    await expect(desk.decided(await ask(), never)).rejects.toMatchObject({ code: "shutting-down" });
  });

  test("on what is not there is refused", async () => {
    await expect(desk.decided("x" as ApprovalId, never)).rejects.toMatchObject({ code: "not-found" });
    await expect(desk.use("x" as ApprovalId, held())).rejects.toMatchObject({ code: "conflict" });
  });
});

describe("a grant", () => {
  test("is used once, for exactly what was held", async () => {
    const id = await ask();
    await expect(desk.use(id, held())).rejects.toMatchObject({ code: "conflict" });
    await decide(id);
    for (const over of [{ digest: digestOf("b") }, { connection: "x" }, { policyVersion: "v2" }, { requester: BOB }])
      await expect(desk.use(id, held(over))).rejects.toMatchObject({ code: "conflict" });
    await desk.use(id, held());
    await expect(desk.use(id, held())).rejects.toMatchObject({ code: "conflict" });
  });

  test("for a connect is found until it is used, revoked or over", async () => {
    const connect = held({ kind: "connect" });
    const id = await ask({ kind: "connect" });
    expect(await desk.granted(connect)).toBeUndefined();
    await decide(id);
    expect(await desk.granted(connect)).toBe(id);
    expect(await desk.granted(held())).toBeUndefined();
    await desk.use(id, connect);
    expect(await desk.granted(connect)).toBeUndefined();
    const second = await ask({ kind: "connect" });
    await decide(second);
    await transition(store, second, (found) => revoke(found, ERIN, Date.now()));
    expect(await desk.granted(connect)).toBeUndefined();
    const third = await ask({ kind: "connect" });
    await decide(third);
    await vi.advanceTimersByTimeAsync(LIFETIME_MS);
    expect(await desk.granted(connect)).toBeUndefined();
  });

  test("for somebody is not for an agent that acts for them, nor the agent's for them, nor another agent's", async () => {
    const through = (...actors: string[]) => ({ requester: { ...ALICE, actors: actors as PrincipalId[] } });
    const askers = [{}, through("bot"), through("other"), through("bot", "other")];
    for (const asker of askers) {
      const id = await ask({ kind: "connect", ...asker });
      await decide(id);
      for (const other of askers) {
        const own = other === asker;
        expect(await desk.granted(held({ kind: "connect", ...other }))).toBe(own ? id : undefined);
        if (!own)
          await expect(desk.use(id, held({ kind: "connect", ...other }))).rejects.toMatchObject({ code: "conflict" });
      }
      await desk.use(id, held({ kind: "connect", ...asker }));
    }
  });

  test("that nobody waits for any more is of no use: cancelling is idempotent and closes what was granted meanwhile", async () => {
    const [open, granted] = [await ask(), await ask()];
    await decide(granted);
    for (const id of [open, granted, open, granted]) await desk.cancel(id);
    await expect(decide(open)).rejects.toMatchObject({ code: "conflict" });
    await expect(desk.use(granted, held())).rejects.toMatchObject({ code: "conflict" });
  });
});

describe("the audit log", () => {
  const grant = async (): Promise<ApprovalId> => {
    const id = await ask();
    await decide(id);
    return id;
  };

  test("tells of what is held, and of what is let go, once each", async () => {
    const id = await grant();
    await desk.use(id, held());
    expect(audit.codes()).toEqual(["approval-requested", "approval-used"]);
    expect(audit.events[0]).toMatchObject({
      actor: { user: { uid: ALICE.id } },
      src_endpoint: { ip: "192.0.2.7" },
      resources: [{ uid: id }],
      unmapped: { digest: digestOf("a"), connection: "shop", asks: "1 of approvers" },
    });
    expect(JSON.stringify(audit.events)).not.toContain("DELETE FROM orders");
    expect(audit.events.flatMap((event) => faultsOf(JSON.parse(JSON.stringify(event))))).toEqual([]);
  });

  test("does not tell of a use that is refused as of a use", async () => {
    const id = await grant();
    await expect(desk.use(id, held({ digest: digestOf("b") }))).rejects.toMatchObject({ code: "conflict" });
    await expect(desk.use("nothing" as ApprovalId, held())).rejects.toMatchObject({ code: "conflict" });
    expect(audit.codes()).toEqual(["approval-requested"]);
  });

  test("that cannot be written lets nothing be asked for, and nothing go", async () => {
    const id = await grant();
    audit.down = true;
    await expect(ask()).rejects.toMatchObject({ code: "store-unavailable" });
    expect(await store.countWaiting(ALICE.id, NOW)).toBe(0);
    await expect(desk.use(id, held())).rejects.toMatchObject({ code: "store-unavailable" });
    expect((await store.get(id))?.status).toBe("granted");
  });
});
