import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { mintPass } from "../../core/identity/pass.ts";
import type { Principal, PrincipalId } from "../../core/identity/principal.ts";
import type { NewPass, PassHash, PassId, PassStore } from "../../core/ports/pass-store.ts";

const NOW = 1_800_000_000_000;

const person = (name: string): Principal => ({
  kind: "user",
  id: `https://idp.example|${name}` as PrincipalId,
  name: `${name}@shop.example`,
  groups: ["engineers", `o'Brien "x" ünïcode`],
});
const alice = person("alice");

function newPass(over: Partial<NewPass> = {}): NewPass {
  return {
    hash: mintPass(randomBytes).hash,
    principal: alice,
    connection: undefined,
    label: "laptop",
    issuedAt: NOW,
    expiresAt: NOW + 1000,
    ...over,
  };
}

/** What every PassStore promises. An adapter's test is one line: `passStoreContract("name", async () => make())`. */
export function passStoreContract(adapter: string, make: () => Promise<PassStore>): void {
  describe(`PassStore on ${adapter}`, () => {
    test("finds a pass by its hash, with all that was kept and without the hash", async () => {
      const store = await make();
      const wanted = newPass({ connection: "shop", label: 'it\'s a "label" \u0000 ✓' });
      const issued = await store.issue(wanted);
      const { hash, ...kept } = wanted;
      expect(issued).toEqual({ ...kept, id: issued.id, revokedAt: undefined });
      expect(await store.find(hash)).toEqual(issued);
      expect(await store.get(issued.id)).toEqual(issued);
      expect(JSON.stringify(issued)).not.toContain(hash);
    });

    test("keeps a service, and who acts for a principal in their order, and nobody where nobody does", async () => {
      const store = await make();
      const actors = ["https://idp.example|agent", 'service|o\'robot "x" ü'] as PrincipalId[];
      for (const principal of [
        { ...alice, actors, actorNames: ['o\'robot "x" ü'] },
        { ...alice, kind: "service" as const, actors: actors.slice(1) },
        { ...alice, kind: "service" as const },
      ]) {
        const wanted = newPass({ principal });
        const issued = await store.issue(wanted);
        expect(issued.principal).toEqual(principal);
        expect((await store.find(wanted.hash))?.principal).toEqual(principal);
        expect((await store.revoke(issued.id, NOW))?.principal).toEqual(principal);
      }
      // All of one millisecond: their order is nobody's promise.
      const listed = (await store.listFor(alice.id, 9)).map(({ principal }) => Object.keys(principal));
      expect(listed).toHaveLength(3);
      expect(listed.filter((keys) => keys.includes("actors"))).toHaveLength(2);
    });

    test("tells a pass for every connection from one for a connection without a name", async () => {
      const store = await make();
      expect((await store.issue(newPass())).connection).toBeUndefined();
      expect((await store.issue(newPass({ connection: "" }))).connection).toBe("");
    });

    test("knows nothing of what was never issued", async () => {
      const store = await make();
      await store.issue(newPass());
      expect(await store.find(mintPass(randomBytes).hash)).toBeUndefined();
      for (const id of ["", "nothing", "' OR 1=1 --", "%"]) {
        expect(await store.get(id as PassId)).toBeUndefined();
        expect(await store.find(id as PassHash)).toBeUndefined();
        expect(await store.revoke(id as PassId, NOW)).toBeUndefined();
      }
    });

    test("gives every pass an id of its own, and refuses a hash that it has", async () => {
      const store = await make();
      const pass = newPass();
      const first = await store.issue(pass);
      await expect(store.issue({ ...pass, principal: person("eve") })).rejects.toMatchObject({ code: "conflict" });
      expect(await store.find(pass.hash)).toEqual(first);
      expect((await store.issue(newPass())).id).not.toBe(first.id);
    });

    test("still finds an expired pass, so that the caller can say what is wrong with it", async () => {
      const store = await make();
      const pass = newPass({ expiresAt: 1 });
      await store.issue(pass);
      expect((await store.find(pass.hash))?.expiresAt).toBe(1);
    });

    test("keeps the time of the first revocation, by whatever way it is looked up", async () => {
      const store = await make();
      const pass = newPass();
      const { id } = await store.issue(pass);
      expect((await store.revoke(id, NOW + 5))?.revokedAt).toBe(NOW + 5);
      expect((await store.revoke(id, NOW + 9))?.revokedAt).toBe(NOW + 5);
      expect((await store.find(pass.hash))?.revokedAt).toBe(NOW + 5);
      expect((await store.get(id))?.revokedAt).toBe(NOW + 5);
    });

    test("lists a person's passes, newest first, no more than asked for, and nobody else's", async () => {
      const store = await make();
      const times = [3, 1, 2, 2];
      const issued = [];
      for (const at of times) issued.push(await store.issue(newPass({ issuedAt: NOW + at })));
      await store.issue(newPass({ principal: person("alice2") }));
      await store.revoke(issued[1]?.id ?? ("" as PassId), NOW + 5);
      const listed = await store.listFor(alice.id, 10);
      expect(listed.map((pass) => pass.issuedAt - NOW)).toEqual([3, 2, 2, 1]);
      expect(listed.map((pass) => pass.revokedAt)).toEqual([undefined, undefined, undefined, NOW + 5]);
      expect(await store.listFor(alice.id, 2)).toEqual(listed.slice(0, 2));
      expect(await store.listFor(person("bob").id, 10)).toEqual([]);
    });

    test("names what was revoked at or after a time, and only that", async () => {
      const store = await make();
      const passes = [];
      for (let at = 0; at < 4; at++) passes.push(await store.issue(newPass()));
      const ids = passes.map((pass) => pass.id);
      for (const [index, id] of ids.slice(0, 3).entries()) await store.revoke(id, NOW + index);
      expect(new Set(await store.revokedSince(NOW))).toEqual(new Set(ids.slice(0, 3)));
      expect(new Set(await store.revokedSince(NOW + 1))).toEqual(new Set(ids.slice(1, 3)));
      expect(await store.revokedSince(NOW + 3)).toEqual([]);
    });
  });
}
