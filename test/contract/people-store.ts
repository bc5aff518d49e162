import { beforeEach, describe, expect, it } from "vitest";
import type { PrincipalId } from "../../core/identity/principal.ts";
import type { KnownPerson, PeopleStore } from "../../core/ports/people-store.ts";

const NOW = 1_800_000_000_000;
const known = (name: string, over: Partial<KnownPerson> = {}): KnownPerson => ({
  id: `https://idp.example|${name}` as PrincipalId,
  name,
  email: `${name}@shop.example`,
  groups: ["approvers", `o'Brien "x" ünïcode`],
  seenAt: NOW,
  freshUntil: NOW + 60_000,
  ...over,
});

/** What every PeopleStore promises. @param make an empty store */
export function peopleStoreContract(name: string, make: () => Promise<PeopleStore>): void {
  describe(`a people store (${name})`, () => {
    let store: PeopleStore;
    beforeEach(async () => void (store = await make()));

    it("gives back who signed in, with or without an address", async () => {
      for (const one of [known("bob"), known("carl", { email: undefined, groups: [] })]) {
        await store.signedIn(one);
        expect(await store.find(one.id)).toEqual(one);
      }
      for (const id of ["", "%", "' OR 1=1 --"]) {
        expect(await store.find(id as PrincipalId)).toBeUndefined();
        expect(await store.withEmail(id)).toEqual([]);
        expect(await store.inGroup(id, 0, 9)).toEqual([]);
      }
    });

    it("lists a group by what the last sign-in said: lost groups are lost, new ones count", async () => {
      await store.signedIn(known("bob"));
      await store.signedIn(known("bob", { groups: ["dba", "dba"], seenAt: NOW + 1 }));
      expect(await store.inGroup("approvers", 0, 9)).toEqual([]);
      expect((await store.inGroup("dba", 0, 9)).map(({ name: one }) => one)).toEqual(["bob"]);
      await store.signedIn(known("bob", { groups: [], seenAt: NOW + 2 }));
      expect(await store.inGroup("dba", 0, 9)).toEqual([]);
    });

    it("lists a group's members, last seen first, no more than asked for and none from before a time", async () => {
      for (const [n, one] of ["a", "b", "c", "d"].entries()) await store.signedIn(known(one, { seenAt: NOW + n }));
      const names = async (since: number, limit: number) =>
        (await store.inGroup("approvers", since, limit)).map((one) => one.name);
      expect(await names(NOW + 1, 9)).toEqual(["d", "c", "b"]);
      expect(await names(0, 2)).toEqual(["d", "c"]);
      expect((await store.inGroup(`o'Brien "x" ünïcode`, 0, 9)).length).toBe(4);
      expect(await store.inGroup("APPROVERS", 0, 9)).toEqual([]);
    });

    it("takes what was told since the last sign-in: groups, name and address", async () => {
      await store.signedIn(known("bob"));
      const told = known("bob", { name: "robert", email: "r@shop.example", groups: ["dba"], freshUntil: NOW + 99 });
      expect(await store.toldAgain(told)).toBe(true);
      expect(await store.find(told.id)).toEqual(told);
      expect(await store.inGroup("dba", NOW, 9)).toEqual([told]);
      expect(await store.withEmail("R@shop.example")).toEqual([told]);
      expect(await store.inGroup("approvers", 0, 9)).toEqual([]);
      expect(await store.withEmail("bob@shop.example")).toEqual([]);
      expect(await store.toldAgain(told)).toBe(true);
    });

    it("leaves what a newer sign-in told as it is, and knows nobody who never signed in", async () => {
      const newer = known("bob", { groups: ["dba"], seenAt: NOW + 1 });
      await store.signedIn(newer);
      expect(await store.toldAgain(known("bob", { groups: ["dba", "old"], email: "b@shop.example" }))).toBe(false);
      expect(await store.toldAgain(known("eve"))).toBe(false);
      expect(await store.find(newer.id)).toEqual(newer);
      expect(await store.inGroup("dba", 0, 9)).toEqual([newer]);
      expect(await store.withEmail("bob@shop.example")).toEqual([newer]);
      for (const group of ["old", "approvers"]) expect(await store.inGroup(group, 0, 9)).toEqual([]);
      expect(await store.withEmail("b@shop.example")).toEqual([]);
      expect(await store.find(known("eve").id)).toBeUndefined();
    });

    it("finds whoever has an address, however it is written", async () => {
      await store.signedIn(known("bob"));
      await store.signedIn(known("robert", { email: "BOB@shop.example", seenAt: NOW + 1 }));
      expect((await store.withEmail(" Bob@Shop.example")).map((one) => one.name)).toEqual(["robert", "bob"]);
      expect(await store.withEmail("bo@shop.example")).toEqual([]);
    });
  });
}
