import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { PrincipalId } from "../../core/identity/principal.ts";
import {
  MAX_REMEMBERED_SSH_KEYS,
  MAX_SSH_KEYS,
  SSH_KEY_RESERVED_MS,
  sshFingerprint,
} from "../../core/identity/ssh-key.ts";
import type { SshFingerprint, SshKey, SshKeyStore } from "../../core/ports/ssh-key-store.ts";

const NOW = 1_800_000_000_000;
const ALICE = "https://idp.example|alice" as PrincipalId;
const BOB = "https://idp.example|bob" as PrincipalId;

function newKey(over: Partial<SshKey> = {}): SshKey {
  const fingerprint = sshFingerprint(randomBytes(51));
  return { fingerprint, type: "ssh-ed25519", owner: ALICE, label: "o'laptop ✓", registeredAt: NOW, ...over };
}

async function registered(store: SshKeyStore, over: Partial<SshKey> = {}): Promise<SshKey> {
  const key = newKey(over);
  await store.register(key);
  return key;
}

/** What every SshKeyStore promises. An adapter's test is one line: `sshKeyStoreContract("name", async () => make())`. */
export function sshKeyStoreContract(adapter: string, make: () => Promise<SshKeyStore>): void {
  describe(`SshKeyStore on ${adapter}`, () => {
    registering(make);
    removing(make);
    bounds(make);
  });
}

function registering(make: () => Promise<SshKeyStore>): void {
  test("finds a key by its fingerprint, with all that was kept", async () => {
    const store = await make();
    const key = await registered(store);
    await registered(store, { owner: BOB });
    expect(await store.find(key.fingerprint)).toEqual(key);
  });

  test("lists the keys of a person, newest first, and nobody else's", async () => {
    const store = await make();
    const first = await registered(store);
    await registered(store, { owner: BOB });
    const [second, third] = [await registered(store), await registered(store, { registeredAt: NOW + 1 })];
    expect(await store.listFor(ALICE)).toEqual([third, second, first]);
    expect(await store.listFor("' OR 1=1 --" as PrincipalId)).toEqual([]);
  });

  test("knows nothing of keys that were never registered", async () => {
    const store = await make();
    await registered(store);
    for (const fingerprint of [sshFingerprint(randomBytes(9)), "", "%", "' OR 1=1 --"] as SshFingerprint[]) {
      expect(await store.find(fingerprint)).toBeUndefined();
      expect(await store.remove(ALICE, fingerprint, NOW)).toBe(false);
    }
  });

  test("refuses a key that is somebody else's, and leaves it theirs", async () => {
    const store = await make();
    const key = await registered(store);
    await expect(store.register({ ...key, owner: BOB, label: "mine" })).rejects.toMatchObject({ code: "conflict" });
    expect(await store.find(key.fingerprint)).toEqual(key);
    expect(await store.listFor(BOB)).toEqual([]);
  });

  test("gives one's own key a new label when it is registered again, and changes nothing else of it", async () => {
    const store = await make();
    const key = await registered(store);
    await store.register({ ...key, label: "desktop", registeredAt: NOW + 5 });
    expect(await store.listFor(ALICE)).toEqual([{ ...key, label: "desktop" }]);
  });

  test("gives a key that two people register at once to one of them", async () => {
    const store = await make();
    const key = newKey();
    const tries = [ALICE, BOB, ALICE, BOB].map((owner) => store.register({ ...key, owner }));
    const outcomes = (await Promise.allSettled(tries)).map(({ status }) => status);
    expect(outcomes.filter((status) => status === "fulfilled")).toHaveLength(2);
    expect(await store.find(key.fingerprint)).toBeDefined();
  });
}

function removing(make: () => Promise<SshKeyStore>): void {
  test("does not find or list a key that was removed, and removes it once", async () => {
    const store = await make();
    const [gone, kept] = [await registered(store), await registered(store)];
    expect(await store.remove(ALICE, gone.fingerprint, NOW)).toBe(true);
    expect(await store.remove(ALICE, gone.fingerprint, NOW)).toBe(false);
    expect(await store.find(gone.fingerprint)).toBeUndefined();
    expect(await store.listFor(ALICE)).toEqual([kept]);
  });

  test("removes nobody else's key", async () => {
    const store = await make();
    const key = await registered(store);
    expect(await store.remove(BOB, key.fingerprint, NOW)).toBe(false);
    expect(await store.find(key.fingerprint)).toEqual(key);
  });

  test("keeps a key that was removed from everybody else for as long as it is reserved", async () => {
    const store = await make();
    const key = await registered(store);
    await store.remove(ALICE, key.fingerprint, NOW);
    const theirs = { ...key, owner: BOB, registeredAt: NOW + SSH_KEY_RESERVED_MS - 1 };
    await expect(store.register(theirs)).rejects.toMatchObject({ code: "conflict" });
    const later = { ...theirs, registeredAt: NOW + SSH_KEY_RESERVED_MS };
    await store.register(later);
    expect(await store.find(key.fingerprint)).toEqual(later);
  });

  test("gives a key back to who removed it at any time", async () => {
    const store = await make();
    const key = await registered(store);
    await store.remove(ALICE, key.fingerprint, NOW);
    const again = { ...key, label: "again", registeredAt: NOW + 1 };
    await store.register(again);
    expect(await store.listFor(ALICE)).toEqual([again]);
  });
}

function bounds(make: () => Promise<SshKeyStore>): void {
  test(`keeps ${MAX_SSH_KEYS} keys of a person, and as many of the next`, async () => {
    const store = await make();
    const [first] = await Promise.all(Array.from({ length: MAX_SSH_KEYS }, () => registered(store)));
    await expect(store.register(newKey())).rejects.toMatchObject({ code: "limit-exceeded" });
    await store.register({ ...newKey(), owner: BOB });
    if (first !== undefined) await store.register({ ...first, label: "one's own again needs no room" });
    if (first !== undefined) await store.remove(ALICE, first.fingerprint, NOW);
    await store.register(newKey());
    await expect(store.register(newKey())).rejects.toMatchObject({ code: "limit-exceeded" });
  });

  test("does not remember more for a person who registers and removes without end, until the oldest are forgotten", async () => {
    const store = await make();
    const first = newKey();
    for (let times = 0; times < MAX_REMEMBERED_SSH_KEYS; times++) {
      const key = times === 0 ? first : newKey();
      await store.register(key);
      await store.remove(ALICE, key.fingerprint, NOW);
    }
    await expect(store.register(newKey())).rejects.toMatchObject({ code: "limit-exceeded" });
    await store.register(first);
    await store.register(newKey({ registeredAt: NOW + SSH_KEY_RESERVED_MS }));
  });
}
