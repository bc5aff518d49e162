import { beforeEach, describe, expect, it } from "vitest";
import type { LeaseStore } from "../../core/ports/lease-store.ts";

/** What every LeaseStore promises. @param make an empty store */
export function leaseStoreContract(name: string, make: () => Promise<LeaseStore>): void {
  describe(`a lease store (${name})`, () => {
    let store: LeaseStore;
    beforeEach(async () => {
      store = await make();
    });
    const version = async (lease = "spool-a"): Promise<string> => (await store.look(lease))?.version ?? "none";

    it("gives a free lease, renews it for its holder, and refuses everybody else, however long it was not renewed", async () => {
      expect(await store.look("spool-a")).toBeUndefined();
      expect(await store.acquire("spool-a", "task-1")).toBe(true);
      expect(await store.acquire("spool-a", "task-2")).toBe(false);
      expect(await store.acquire("spool-a", "task-1")).toBe(true);
      expect(await store.look("spool-a")).toEqual({ holder: "task-1", version: expect.any(String) });
    });

    it("has another version after every renewal, and after every change of hands", async () => {
      const seen = new Set<string>();
      for (let round = 0; round < 20; round++) {
        await store.acquire("spool-a", "task-1");
        seen.add(await version());
        if (round % 5 === 4) await store.release("spool-a", "task-1");
      }
      expect(seen.size).toBe(20);
      await store.takeOver("spool-a", "task-2", await version());
      expect(seen.has(await version())).toBe(false);
    });

    it("is taken over from a holder of that version only, who then has lost it", async () => {
      await store.acquire("spool-a", "task-1");
      const seen = await version();
      await store.acquire("spool-a", "task-1");
      expect(await store.takeOver("spool-a", "task-2", seen)).toBe(false);
      expect(await store.takeOver("spool-a", "task-2", await version())).toBe(true);
      expect(await store.acquire("spool-a", "task-1")).toBe(false);
      expect(await store.takeOver("spool-b", "task-2", seen)).toBe(false);
    });

    it("lets exactly one of many win a free lease, and one that is taken over", async () => {
      const claims = Array.from({ length: 50 }, (_, n) => store.acquire("spool-a", `task-${n}`));
      expect((await Promise.all(claims)).filter(Boolean)).toHaveLength(1);
      const seen = await version();
      const takers = Array.from({ length: 50 }, (_, n) => store.takeOver("spool-a", `other-${n}`, seen));
      expect((await Promise.all(takers)).filter(Boolean)).toHaveLength(1);
    });

    it("frees a lease only for its holder", async () => {
      await store.acquire("spool-a", "task-1");
      await store.release("spool-a", "task-2");
      expect(await store.acquire("spool-a", "task-2")).toBe(false);
      await store.release("spool-a", "task-1");
      await store.release("spool-a", "task-1");
      expect(await store.acquire("spool-a", "task-2")).toBe(true);
    });

    it("takes leases and holders as they are", async () => {
      const strange = ["", "../x", "a'b", "%", "A", "a", "ä", "a\n", "x".repeat(1_000)];
      for (const lease of strange) expect(await store.acquire(lease, `holder of ${lease}`)).toBe(true);
      for (const lease of strange) expect(await store.acquire(lease, "another")).toBe(false);
      await store.acquire("spool-a", "Task");
      expect(await store.acquire("spool-a", "task")).toBe(false);
    });
  });
}
