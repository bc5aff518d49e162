import { beforeEach, describe, expect, it } from "vitest";
import type { LeaseStore } from "../../core/ports/lease-store.ts";

const NOW = 1_800_000_000_000;
const TTL = 10_000;

/** What every LeaseStore promises. @param make an empty store */
export function leaseStoreContract(name: string, make: () => Promise<LeaseStore>): void {
  describe(`a lease store (${name})`, () => {
    let store: LeaseStore;
    beforeEach(async () => {
      store = await make();
    });

    it("gives a free lease, renews it for its holder, and refuses everybody else", async () => {
      expect(await store.acquire("spool-a", "task-1", NOW, TTL)).toBe(true);
      expect(await store.acquire("spool-a", "task-2", NOW, TTL)).toBe(false);
      expect(await store.acquire("spool-a", "task-1", NOW + 5_000, TTL)).toBe(true);
      expect(await store.acquire("spool-a", "task-2", NOW + TTL, TTL)).toBe(false);
    });

    it("lets another claim a lease from the millisecond at which it expires, not before", async () => {
      await store.acquire("spool-a", "task-1", NOW, TTL);
      expect(await store.acquire("spool-a", "task-2", NOW + TTL - 1, TTL)).toBe(false);
      expect(await store.acquire("spool-a", "task-2", NOW + TTL, TTL)).toBe(true);
      expect(await store.acquire("spool-a", "task-1", NOW + TTL, TTL)).toBe(false);
    });

    it("gives an expired lease back to a holder that was slow, if nobody claimed it", async () => {
      await store.acquire("spool-a", "task-1", NOW, TTL);
      expect(await store.acquire("spool-a", "task-1", NOW + 3 * TTL, TTL)).toBe(true);
    });

    it("lets exactly one of many win a free lease, and an expired one", async () => {
      for (const now of [NOW, NOW + TTL]) {
        const claims = Array.from({ length: 50 }, (_, n) => store.acquire("spool-a", `task-${now}-${n}`, now, TTL));
        expect((await Promise.all(claims)).filter(Boolean)).toHaveLength(1);
      }
    });

    it("frees a lease only for its holder", async () => {
      await store.acquire("spool-a", "task-1", NOW, TTL);
      await store.release("spool-a", "task-2");
      expect(await store.acquire("spool-a", "task-2", NOW, TTL)).toBe(false);
      await store.release("spool-a", "task-1");
      await store.release("spool-a", "task-1");
      expect(await store.acquire("spool-a", "task-2", NOW, TTL)).toBe(true);
    });

    it("takes leases and holders as they are", async () => {
      const strange = ["", "../x", "a'b", "%", "A", "a", "ä", "a\n", "x".repeat(1_000)];
      for (const lease of strange) expect(await store.acquire(lease, `holder of ${lease}`, NOW, TTL)).toBe(true);
      for (const lease of strange) expect(await store.acquire(lease, "another", NOW, TTL)).toBe(false);
      await store.acquire("spool-a", "Task", NOW, TTL);
      expect(await store.acquire("spool-a", "task", NOW, TTL)).toBe(false);
    });
  });
}
