import { beforeEach, describe, expect, it } from "vitest";
import type { Digest } from "../../core/brand.ts";
import type { PrincipalId } from "../../core/identity/principal.ts";
import type { PassId } from "../../core/ports/pass-store.ts";
import type {
  SessionClosing,
  SessionId,
  SessionOpening,
  SessionQuery,
  SessionStore,
} from "../../core/ports/session-store.ts";
import { sessionIdAt } from "../setup/session-ids.ts";

const T0 = 1_800_000_000_000;

const opening = (n: number, over: Partial<SessionOpening> = {}): SessionOpening => ({
  id: sessionIdAt(T0 + n, n),
  protocol: "postgres",
  connection: "shop",
  principalId: "https://issuer.example|ana" as PrincipalId,
  principalName: "Ana O'Neil; DROP TABLE sessions",
  passId: "pass-1" as PassId,
  client: "203.0.113.7:50123",
  task: "task-1",
  startedAt: T0 + n,
  ...over,
});

const closing = (over: Partial<SessionClosing> = {}): SessionClosing => ({
  endedAt: T0 + 60_000,
  reason: "client-closed",
  statements: 3,
  bytesFromClient: 2 ** 40,
  bytesFromTarget: 2 ** 52,
  chunks: 2,
  head: "ab".repeat(32) as Digest,
  ...over,
});

/** What every SessionStore promises. @param make an empty store */
export function sessionStoreContract(name: string, make: () => Promise<SessionStore>): void {
  describe(`a session store (${name})`, () => {
    let store: SessionStore;
    const ids = async (query: Partial<SessionQuery>): Promise<SessionId[]> =>
      (await store.list({ limit: 100, ...query })).map((row) => row.id);
    const open = async (...rows: SessionOpening[]): Promise<void> => {
      for (const row of rows) await store.open(row);
    };
    beforeEach(async () => {
      store = await make();
    });

    it("gives back a session as it was opened, and live", async () => {
      await store.open(opening(1));
      expect(await store.get(opening(1).id)).toEqual({ ...opening(1), closing: undefined });
    });

    it("gives back who acted for the principal, in their order, live, closed and in a list", async () => {
      const actors = ["https://issuer.example|agent", "service|o'robot; DROP"] as PrincipalId[];
      await open(opening(1, { actors }), opening(2));
      await store.close(opening(1).id, closing());
      const row = { ...opening(1), actors, closing: closing() };
      expect(await store.get(opening(1).id)).toEqual(row);
      expect(await store.list({ limit: 2 })).toEqual([{ ...opening(2), closing: undefined }, row]);
    });

    it("gives back a session as it was closed, large byte counts included", async () => {
      await store.open(opening(1));
      await store.close(opening(1).id, closing());
      expect(await store.get(opening(1).id)).toEqual({ ...opening(1), closing: closing() });
    });

    it("refuses an id that is there already, and keeps the first row", async () => {
      await store.open(opening(1));
      const again = store.open(opening(1, { principalName: "Mallory" }));
      await expect(again).rejects.toMatchObject({ code: "conflict" });
      expect((await store.get(opening(1).id))?.principalName).toBe(opening(1).principalName);
    });

    it("opens a session once when two tasks open it at once", async () => {
      const results = await Promise.allSettled([store.open(opening(1)), store.open(opening(1, { task: "task-2" }))]);
      expect(results.map((result) => result.status).toSorted()).toEqual(["fulfilled", "rejected"]);
    });

    it("keeps the first closing when a session is closed twice", async () => {
      await store.open(opening(1));
      await store.close(opening(1).id, closing());
      await store.close(opening(1).id, closing({ reason: "interrupted", chunks: 0 }));
      expect((await store.get(opening(1).id))?.closing).toEqual(closing());
    });

    it("refuses to close a session that was never opened", async () => {
      await expect(store.close(opening(1).id, closing())).rejects.toMatchObject({ code: "not-found" });
      expect(await store.get(opening(1).id)).toBeUndefined();
    });

    it("knows no session by an id that is no id", async () => {
      await store.open(opening(1));
      for (const id of [
        "",
        "../" + opening(1).id,
        "%",
        "' OR 1=1 --",
        opening(1).id + "\0",
        "\ud800",
        "a".repeat(10_000),
      ])
        expect(await store.get(id as SessionId)).toBeUndefined();
    });

    it("lists the newest first, also those that started in the same millisecond", async () => {
      const rows = [opening(2), opening(1), opening(3, { startedAt: T0 + 1 }), opening(4)];
      await open(...rows);
      const expected = rows.toSorted((a, b) => b.startedAt - a.startedAt || (a.id < b.id ? 1 : -1));
      expect(await ids({})).toEqual(expected.map((row) => row.id));
    });

    it("filters by person, by connection, by both, and by neither half of a name", async () => {
      const bob = "https://issuer.example|bob" as PrincipalId;
      await open(opening(1), opening(2, { principalId: bob }), opening(3, { connection: "ledger" }));
      await open(opening(4, { principalId: bob, connection: "ledger" }));
      expect(await ids({ principalId: bob })).toEqual([opening(4).id, opening(2).id]);
      expect(await ids({ connection: "ledger" })).toEqual([opening(4).id, opening(3).id]);
      expect(await ids({ principalId: bob, connection: "ledger" })).toEqual([opening(4).id]);
      for (const hostile of ["%", "led", "LEDGER", "", "ledger' OR '1'='1"])
        expect(await ids({ connection: hostile })).toEqual([]);
    });

    it("filters by time: from is inclusive, to is exclusive", async () => {
      await open(opening(1), opening(2), opening(3));
      expect(await ids({ from: T0 + 2 })).toEqual([opening(3).id, opening(2).id]);
      expect(await ids({ to: T0 + 2 })).toEqual([opening(1).id]);
      expect(await ids({ from: T0 + 2, to: T0 + 3 })).toEqual([opening(2).id]);
      expect(await ids({ from: T0 + 3, to: T0 + 2 })).toEqual([]);
    });

    it("tells live sessions from closed ones", async () => {
      await open(opening(1), opening(2));
      await store.close(opening(1).id, closing());
      expect(await ids({ live: true })).toEqual([opening(2).id]);
      expect(await ids({ live: false })).toEqual([opening(1).id]);
      expect(await ids({ live: true, principalId: opening(1).principalId, connection: "shop" })).toEqual([
        opening(2).id,
      ]);
    });

    it("pages through every session once, whatever the page, while new sessions open", async () => {
      const rows = Array.from({ length: 23 }, (_, n) => opening(n, { startedAt: T0 + Math.floor(n / 5) }));
      await open(...rows);
      for (const limit of [1, 2, 7, 22, 23, 50]) {
        const seen: SessionId[] = [];
        for (let after: SessionId | undefined; ;) {
          const page = await ids({ to: T0 + 100, limit, ...(after && { after }) });
          if (page.length === 0) break;
          expect(page.length).toBeLessThanOrEqual(limit);
          seen.push(...page);
          after = page.at(-1);
          await store.open(opening(1000 + limit * 100 + seen.length));
        }
        expect(new Set(seen)).toEqual(new Set(rows.map((row) => row.id)));
        expect(seen).toHaveLength(rows.length);
      }
    });

    it("never goes past the end of the time that was asked for, wherever it continues", async () => {
      await open(opening(1), opening(2), opening(3));
      expect(await ids({ to: T0 + 2, after: opening(3).id })).toEqual([opening(1).id]);
      expect(await ids({ to: T0 + 3, after: opening(2).id })).toEqual([opening(1).id]);
    });

    it("says so when the session to continue after is not there", async () => {
      await store.open(opening(1));
      await expect(ids({ after: opening(9).id })).rejects.toMatchObject({ code: "not-found" });
    });

    it("tells which sessions ended before a time, those that began longest ago first, and none that lives", async () => {
      await open(opening(1), opening(2), opening(3), opening(4), opening(5));
      for (const [n, endedAt] of [
        [4, T0 + 100],
        [1, T0 + 300],
        [2, T0 + 200],
        [5, T0 + 400],
      ] as const)
        await store.close(opening(n).id, closing({ endedAt }));
      const old = async (at: number, limit = 9): Promise<SessionId[]> =>
        (await store.closedBefore(at, limit)).map(({ id }) => id);
      expect(await old(T0 + 301)).toEqual([opening(1).id, opening(2).id, opening(4).id]);
      expect(await old(T0 + 300)).toEqual([opening(2).id, opening(4).id]);
      expect(await old(T0 + 301, 2)).toEqual([opening(1).id, opening(2).id]);
      expect(await old(T0 + 100)).toEqual([]);
      expect(await store.closedBefore(T0 + 101, 9)).toEqual([
        { ...opening(4), closing: closing({ endedAt: T0 + 100 }) },
      ]);
    });

    it("tells of old sessions over many days, however many there are of one", async () => {
      const day = 86_400_000;
      const rows = [0, 1, 40].flatMap((days) =>
        Array.from({ length: days === 1 ? 230 : 2 }, (_, n) => ({
          ...opening(n + 1),
          id: sessionIdAt(T0 + days * day, days * 1_000 + n),
          startedAt: T0 + days * day + n,
        })),
      );
      for (const row of rows) {
        await store.open(row);
        await store.close(row.id, closing({ endedAt: row.startedAt + 5 }));
      }
      expect((await store.closedBefore(T0 + 30 * day, 1_000)).map(({ id }) => id)).toEqual(
        rows.slice(0, 232).map(({ id }) => id),
      );
      expect((await store.closedBefore(T0 + 90 * day, 1_000)).length).toBe(234);
    });

    it("forgets a session that has ended, in every list, and no other; one that lives stays", async () => {
      const other = { principalId: "https://issuer.example|bob" as PrincipalId, connection: "billing" };
      await open(opening(1), opening(2, other), opening(3));
      await store.close(opening(1).id, closing());
      await store.close(opening(2).id, closing());
      for (const id of [opening(1).id, opening(1).id, opening(3).id, sessionIdAt(T0, 99)]) await store.forget(id);
      expect(await store.get(opening(1).id)).toBeUndefined();
      const { principalId, connection } = opening(1);
      for (const query of [{ principalId }, { connection }, { principalId, connection }])
        expect(await ids(query)).toEqual([opening(3).id]);
      expect(await ids({})).toEqual([opening(3).id, opening(2).id]);
      expect(await ids({ live: true })).toEqual([opening(3).id]);
      await store.forget(opening(2).id);
      expect(await ids({})).toEqual([opening(3).id]);
      expect(await store.closedBefore(T0 + 1e9, 9)).toEqual([]);
    });
  });
}
