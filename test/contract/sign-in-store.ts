import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  DEVICE_LIFETIME_MS,
  DEVICE_MEMORY_MS,
  mintDeviceCode,
  mintUserCode,
} from "../../core/identity/device-sign-in.ts";
import type { Principal, PrincipalId } from "../../core/identity/principal.ts";
import type {
  DeviceCodeHash,
  DeviceRequest,
  OnceId,
  Renewal,
  SignInStore,
  TokenId,
  UserCode,
} from "../../core/ports/sign-in-store.ts";

const NOW = 1_800_000_000_000;
const alice: Principal = {
  kind: "user",
  id: "https://idp.example|alice" as PrincipalId,
  name: "alice@shop.example",
  groups: ["engineers", "ünï 'quoted'"],
};
const bob: Principal = { ...alice, id: "https://idp.example|bob" as PrincipalId };

function request(over: Partial<DeviceRequest> = {}): DeviceRequest {
  return {
    deviceCode: mintDeviceCode(randomBytes).hash,
    userCode: mintUserCode(randomBytes),
    label: "sallyport on o'laptop ✓",
    address: "192.0.2.7",
    connection: undefined,
    requestedAt: NOW,
    expiresAt: NOW + DEVICE_LIFETIME_MS,
    ...over,
  };
}

async function pending(store: SignInStore, over: Partial<DeviceRequest> = {}): Promise<DeviceRequest> {
  const asked = request(over);
  await store.putDevice(asked);
  return asked;
}

const approval = { kind: "approved", principal: alice } as const;

/** What every SignInStore promises. An adapter's test is one line: `signInStoreContract("name", async () => make())`. */
export function signInStoreContract(adapter: string, make: () => Promise<SignInStore>): void {
  describe(`SignInStore on ${adapter}`, () => {
    deviceRequests(make);
    decisions(make);
    wrongCodes(make);
    signOuts(make);
    usedOnce(make);
    accessEnds(make);
    renewals(make);
  });
}

function deviceRequests(make: () => Promise<SignInStore>): void {
  test("finds a device's request by either of its codes", async () => {
    const store = await make();
    const asked = await pending(store, { connection: "web-1 ünï" });
    expect((await store.findDevice((await pending(store)).deviceCode))?.connection).toBeUndefined();
    const row = { ...asked, decision: { kind: "pending" }, lastPolledAt: undefined };
    expect(await store.findDevice(asked.deviceCode)).toEqual(row);
    expect(await store.findUserCode(asked.userCode)).toEqual(row);
  });

  test("knows nothing of codes that were never given out", async () => {
    const store = await make();
    await pending(store);
    for (const code of ["", "%", "' OR 1=1 --"]) {
      expect(await store.findDevice(code as DeviceCodeHash)).toBeUndefined();
      expect(await store.findUserCode(code as UserCode)).toBeUndefined();
      expect(await store.decideDevice(code as UserCode, approval, NOW)).toBe(false);
      expect(await store.useDevice(code as DeviceCodeHash, NOW)).toBeUndefined();
      expect(await store.notePoll(code as DeviceCodeHash, NOW)).toBeUndefined();
    }
  });

  test("refuses a code that another request has, and leaves that one as it was", async () => {
    const store = await make();
    const first = await pending(store);
    for (const same of [{ userCode: first.userCode }, { deviceCode: first.deviceCode }])
      await expect(store.putDevice(request({ ...same, label: "eve" }))).rejects.toMatchObject({ code: "conflict" });
    expect((await store.findUserCode(first.userCode))?.label).toBe(first.label);
  });

  test("counts what waits, in all and for an address: neither the decided nor the expired", async () => {
    const store = await make();
    const decided = await pending(store);
    await store.decideDevice(decided.userCode, { kind: "denied" }, NOW);
    await pending(store);
    await pending(store, { address: "192.0.2.8" });
    await pending(store, { expiresAt: NOW + 5 });
    expect(await store.countPending("192.0.2.7", NOW)).toEqual({ total: 3, fromAddress: 2 });
    expect(await store.countPending("192.0.2.7", NOW + 5)).toEqual({ total: 2, fromAddress: 1 });
    expect(await store.countPending("192.0.2.9", NOW)).toEqual({ total: 2 + 1, fromAddress: 0 });
  });

  test("forgets what expired long ago, and only that", async () => {
    const store = await make();
    const old = await pending(store, { expiresAt: NOW });
    await pending(store, { requestedAt: NOW + DEVICE_MEMORY_MS });
    expect(await store.findDevice(old.deviceCode)).toBeDefined();
    await pending(store, { requestedAt: NOW + DEVICE_MEMORY_MS + 1 });
    expect(await store.findDevice(old.deviceCode)).toBeUndefined();
  });

  test("tells each poll when the one before it was", async () => {
    const store = await make();
    const { deviceCode } = await pending(store);
    expect(await store.notePoll(deviceCode, NOW)).toBeUndefined();
    expect(await store.notePoll(deviceCode, NOW + 7)).toBe(NOW);
    expect(await store.notePoll(deviceCode, NOW + 9)).toBe(NOW + 7);
    expect((await store.findDevice(deviceCode))?.lastPolledAt).toBe(NOW + 9);
  });
}

function decisions(make: () => Promise<SignInStore>): void {
  test("keeps the first decision: neither a second nor its opposite changes it", async () => {
    for (const [first, second] of [
      [approval, { kind: "denied" }],
      [{ kind: "denied" }, approval],
      [approval, { kind: "approved", principal: bob }],
    ] as const) {
      const store = await make();
      const { userCode } = await pending(store);
      expect(await store.decideDevice(userCode, first, NOW)).toBe(true);
      expect(await store.decideDevice(userCode, second, NOW)).toBe(false);
      expect((await store.findUserCode(userCode))?.decision).toEqual(first);
    }
  });

  test("takes no decision on an expired request", async () => {
    const store = await make();
    const { userCode, expiresAt } = await pending(store);
    expect(await store.decideDevice(userCode, approval, expiresAt)).toBe(false);
    expect((await store.findUserCode(userCode))?.decision).toEqual({ kind: "pending" });
  });

  test("gives the principal of an approved request to one caller only, however many ask at once", async () => {
    const store = await make();
    const { deviceCode, userCode } = await pending(store);
    await store.decideDevice(userCode, approval, NOW);
    const answers = await Promise.all(Array.from({ length: 8 }, () => store.useDevice(deviceCode, NOW)));
    expect(answers.filter((principal) => principal !== undefined)).toEqual([alice]);
    expect((await store.findDevice(deviceCode))?.decision).toEqual({ kind: "used" });
  });

  test("gives no principal for a pending, a denied or an expired request", async () => {
    const store = await make();
    const waiting = await pending(store);
    const denied = await pending(store);
    await store.decideDevice(denied.userCode, { kind: "denied" }, NOW);
    const late = await pending(store);
    await store.decideDevice(late.userCode, approval, NOW);
    expect(await store.useDevice(waiting.deviceCode, NOW)).toBeUndefined();
    expect(await store.useDevice(denied.deviceCode, NOW)).toBeUndefined();
    expect(await store.useDevice(late.deviceCode, late.expiresAt)).toBeUndefined();
  });
}

function wrongCodes(make: () => Promise<SignInStore>): void {
  test("counts the wrong codes of a person since a time, and nobody else's", async () => {
    const store = await make();
    expect(await store.wrongCodes(alice.id, 0)).toBe(0);
    expect(await store.noteWrongCode(alice.id, NOW, NOW - 10)).toBe(1);
    expect(await store.noteWrongCode(alice.id, NOW, NOW - 10)).toBe(2);
    expect(await store.noteWrongCode(bob.id, NOW, NOW - 10)).toBe(1);
    expect(await store.noteWrongCode(alice.id, NOW + 11, NOW + 1)).toBe(1);
    expect(await store.wrongCodes(alice.id, NOW + 11)).toBe(1);
    expect(await store.wrongCodes(alice.id, NOW + 12)).toBe(0);
  });
}

function signOuts(make: () => Promise<SignInStore>): void {
  test("remembers who signed out for as long as the session would have lived", async () => {
    const store = await make();
    const [first, second] = ["first" as TokenId, "second" as TokenId];
    await store.signOut(first, NOW + 1000, NOW);
    await store.signOut(first, NOW + 1000, NOW);
    await store.signOut("third" as TokenId, NOW + 5000, NOW + 999);
    expect(await store.isSignedOut(first)).toBe(true);
    expect(await store.isSignedOut(second)).toBe(false);
  });
}

function usedOnce(make: () => Promise<SignInStore>): void {
  const id = (name: string): OnceId => `saml:${name.padEnd(64, "0")}` as OnceId;

  test("lets an id be used by the first caller only, however many ask at once", async () => {
    const store = await make();
    const answers = await Promise.all(Array.from({ length: 8 }, () => store.useOnce(id("a"), NOW + 1000, NOW)));
    expect(answers.filter(Boolean)).toEqual([true]);
    expect(await store.useOnce(id("a"), NOW + 9000, NOW + 1)).toBe(false);
    expect(await store.useOnce(id("b"), NOW + 1000, NOW)).toBe(true);
  });

  test("remembers what was used until it expires, whatever else is used and forgotten meanwhile", async () => {
    const store = await make();
    await store.useOnce(id("a"), NOW + 1000, NOW);
    await store.useOnce(id("short"), NOW + 1, NOW);
    await store.useOnce(id("later"), NOW + 5000, NOW + 1000);
    expect(await store.useOnce(id("a"), NOW + 1000, NOW + 1000)).toBe(false);
  });

  test("takes what was signed out for nothing that was used", async () => {
    const store = await make();
    await store.signOut(id("a") as string as TokenId, NOW + 1000, NOW);
    expect(await store.useOnce(id("a"), NOW + 1000, NOW)).toBe(true);
    expect(await store.isSignedOut(id("b") as string as TokenId)).toBe(false);
  });
}

function accessEnds(make: () => Promise<SignInStore>): void {
  test("remembers when somebody's access was ended last, and knows of nobody else's", async () => {
    const store = await make();
    expect(await store.notBefore(alice.id)).toBeUndefined();
    await store.endAccess(alice.id, NOW);
    expect(await store.notBefore(alice.id)).toBe(NOW);
    await store.endAccess(alice.id, NOW + 5);
    expect(await store.notBefore(alice.id)).toBe(NOW + 5);
    for (const other of [bob.id, "", "%", `${alice.id} `] as PrincipalId[])
      expect(await store.notBefore(other)).toBeUndefined();
  });

  test("never lets an earlier end replace a later one, also of two at once", async () => {
    const store = await make();
    await Promise.all([NOW + 3, NOW + 9, NOW].map((at) => store.endAccess(alice.id, at)));
    expect(await store.notBefore(alice.id)).toBe(NOW + 9);
    await store.endAccess(alice.id, NOW - 1);
    expect(await store.notBefore(alice.id)).toBe(NOW + 9);
  });

  test("keeps who acts for the principal of an approved request", async () => {
    const store = await make();
    const acted: Principal = { ...alice, actors: ["https://idp.example|agent" as PrincipalId], actorNames: ["agent"] };
    const { userCode, deviceCode } = await pending(store);
    await store.decideDevice(userCode, { kind: "approved", principal: acted }, NOW);
    expect(await store.useDevice(deviceCode, NOW)).toEqual(acted);
  });
}

function renewals(make: () => Promise<SignInStore>): void {
  const renewal = (sealed: string, expiresAt = NOW + 1000): Renewal => ({ sealed, expiresAt });
  const take = (store: SignInStore, now = NOW) => store.takeRenewal(alice.id, now, now + 100);

  test("gives a person's renewal to one caller at a time, however many ask at once", async () => {
    const store = await make();
    await store.keepRenewal(alice.id, renewal("a"));
    const answers = await Promise.all(Array.from({ length: 8 }, () => take(store)));
    expect(answers.filter((one) => one !== "taken")).toEqual([renewal("a")]);
    await store.putBackRenewal(alice.id, renewal("a"), renewal("b"));
    expect([await take(store), await take(store)]).toEqual([renewal("b"), "taken"]);
  });

  test("gives it to the next one where whoever took it does not put it back in time", async () => {
    const store = await make();
    await store.keepRenewal(alice.id, renewal("a"));
    await take(store);
    expect(await take(store, NOW + 99)).toBe("taken");
    expect(await take(store, NOW + 100)).toEqual(renewal("a"));
    expect(await take(store, NOW + 101)).toBe("taken");
  });

  test("has no renewal of whom none was kept, of nobody else, and none that has expired, taken or not", async () => {
    const store = await make();
    await store.keepRenewal(alice.id, renewal("a", NOW + 50));
    for (const other of [bob.id, "", "%"] as PrincipalId[])
      expect(await store.takeRenewal(other, NOW, NOW + 1)).toBeUndefined();
    expect(await take(store, NOW + 50)).toBeUndefined();
    await take(store, NOW + 49);
    expect(await take(store, NOW + 50)).toBeUndefined();
  });

  test("forgets a renewal that is not to be used again", async () => {
    const store = await make();
    await store.keepRenewal(alice.id, renewal("a"));
    await store.keepRenewal(alice.id, undefined);
    expect(await take(store)).toBeUndefined();
    await store.keepRenewal(alice.id, undefined);
    await store.keepRenewal(alice.id, renewal("b"));
    await take(store);
    await store.putBackRenewal(alice.id, renewal("b"), undefined);
    expect(await take(store)).toBeUndefined();
  });

  test("keeps what a newer sign-in brought: whoever took the one before neither replaces nor forgets it", async () => {
    const store = await make();
    for (const next of [renewal("of the old one"), undefined]) {
      await store.keepRenewal(alice.id, renewal("old"));
      await take(store);
      await store.keepRenewal(alice.id, renewal("new"));
      await store.putBackRenewal(alice.id, renewal("old"), next);
      expect(await take(store)).toEqual(renewal("new"));
    }
  });

  test("puts nothing back where the person has no renewal any more", async () => {
    const store = await make();
    await store.keepRenewal(alice.id, renewal("a"));
    await take(store);
    await store.keepRenewal(alice.id, undefined);
    await store.putBackRenewal(alice.id, renewal("a"), renewal("b"));
    expect(await take(store)).toBeUndefined();
  });
}
