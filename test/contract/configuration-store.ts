import { describe, expect, it } from "vitest";
import type { Digest } from "../../core/brand.ts";
import { versionOf } from "../../core/config/bundle-files.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { ConfigurationStore } from "../../core/ports/configuration-store.ts";
import { bundle } from "../setup/bundles.ts";

const named = (id: string) => bundle({ "policies/a.cedar": `@id("${id}") permit (principal, action, resource);` });
const NOBODY = "0".repeat(64) as Digest;

/** What every ConfigurationStore promises. @param make an empty store, and another view of the same */
export function configurationStoreContract(
  name: string,
  make: (clock: Clock) => Promise<readonly [ConfigurationStore, ConfigurationStore]>,
): void {
  describe(`a store of configurations (${name})`, () => {
    let now = 1_000;
    const clock = (): number => now++;

    it("has nothing in force before anything was published", async () => {
      const [store] = await make(clock);
      expect(await store.current()).toBeUndefined();
      expect(await store.versions(10)).toEqual([]);
      await expect(store.get(NOBODY)).rejects.toMatchObject({ code: "not-found" });
    });

    it("puts in force what was published, for everybody, and gives it back to the byte", async () => {
      const [store, other] = await make(clock);
      const files = bundle({
        "services.yaml": "",
        "directory.yaml": "people: [] # ünï ✓ 🙂\r\n\u0000\n".replace("\0", ""),
      });
      const published = await store.publish(files, "ana");
      expect(published).toMatchObject({ version: versionOf(files), by: "ana" });
      for (const view of [store, other]) {
        expect(await view.current()).toEqual(published);
        expect(new Map(await view.get(published.version))).toEqual(new Map(files));
      }
    });

    it("keeps who published what, the newest first, and what went before can be put in force again", async () => {
      const [store, other] = await make(clock);
      const first = await store.publish(named("one"), "ana");
      const second = await other.publish(named("two"), "bob");
      const again = await store.publish(named("one"), "eve");
      expect(again.version).toBe(first.version);
      expect(await other.versions(10)).toEqual([again, second, first]);
      expect(await other.versions(2)).toEqual([again, second]);
      expect(await store.current()).toEqual(again);
      expect(versionOf(await store.get(second.version))).toBe(second.version);
    });

    it("lets one of many who publish at once win, and tells the others", async () => {
      const [store, other] = await make(clock);
      await store.publish(named("before"), "ana");
      const results = await Promise.allSettled(
        Array.from({ length: 8 }, (_, n) => (n % 2 ? store : other).publish(named(`of-${n}`), `person ${n}`)),
      );
      for (const result of results)
        if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "conflict" });
      const won = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
      expect(won.length).toBeGreaterThan(0);
      // Nobody who was told that it is in force was written over by somebody who had not seen it.
      expect(new Set((await store.versions(20)).slice(0, -1))).toEqual(new Set(won));
    });

    it("does not replace what the publisher has not seen", async () => {
      const [store, other] = await make(clock);
      const first = await store.publish(named("one"), "ana");
      const second = await other.publish(named("two"), "bob", first.version);
      for (const stale of [first.version, NOBODY])
        await expect(store.publish(named("three"), "ana", stale)).rejects.toMatchObject({ code: "conflict" });
      expect(await store.current()).toEqual(second);
    });

    it("takes nothing that is not valid", async () => {
      const [store] = await make(clock);
      await expect(store.publish(bundle({ "policies/a.cedar": "permit all;" }), "ana")).rejects.toMatchObject({
        code: "configuration-invalid",
        message: expect.stringContaining("a.cedar:1:8"),
      });
      expect(await store.current()).toBeUndefined();
    });

    it("takes no name for a version's that is none", async () => {
      const [store] = await make(clock);
      for (const version of [
        "",
        "..",
        "../current",
        `${NOBODY}/`,
        `${NOBODY}\n`,
        NOBODY.replaceAll("0", "A"),
      ] as Digest[])
        await expect(store.get(version)).rejects.toMatchObject({ code: "not-found" });
    });
  });
}
