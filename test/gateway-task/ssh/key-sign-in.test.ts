import { randomBytes } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import { hashPass, PASS_LIFETIME_MS, type PassText } from "../../../core/identity/pass.ts";
import { SSH_KEY_SIGN_IN_MS } from "../../../core/identity/ssh-key.ts";
import type { Pass, PassStore } from "../../../core/ports/pass-store.ts";
import type { PeopleStore } from "../../../core/ports/people-store.ts";
import type { SignInStore } from "../../../core/ports/sign-in-store.ts";
import type { SshKeyStore } from "../../../core/ports/ssh-key-store.ts";
import { type KeySignInDeps, passesForKeys, principalOfKey } from "../../../gateway-task/ssh/key-sign-in.ts";
import { openDatabase } from "../../../local/database.ts";
import { sqlitePassStore } from "../../../local/pass-store.ts";
import { sqlitePeopleStore } from "../../../local/people-store.ts";
import { sqliteSignInStore } from "../../../local/sign-in-store.ts";
import { sqliteSshKeyStore } from "../../../local/ssh-key-store.ts";
import { ALICE, NOW } from "../../setup/approvals.ts";
import { madeKey } from "../../setup/ssh-keygen.ts";

let now: number;
let deps: KeySignInDeps & { sshKeys: SshKeyStore; people: PeopleStore; passes: PassStore; signIns: SignInStore };
const { blob, fingerprint } = await madeKey();

beforeEach(async () => {
  now = NOW;
  const db = openDatabase(":memory:");
  const clock = (): number => now;
  deps = {
    sshKeys: sqliteSshKeyStore(db),
    people: sqlitePeopleStore(db),
    passes: sqlitePassStore(db),
    signIns: sqliteSignInStore(db),
    clock,
  };
  await deps.sshKeys.register({
    fingerprint,
    type: "ssh-ed25519",
    owner: ALICE.id,
    label: "laptop",
    registeredAt: NOW,
  });
});

const wish = (connection: string): { connection: string; since: number } => ({ connection, since: now });

const signsIn = (groups: readonly string[]): Promise<void> =>
  deps.people.signedIn({ id: ALICE.id, name: ALICE.name, email: ALICE.name, groups, seenAt: now, freshUntil: now });

describe("whose access was ended", () => {
  test("signs in by no key until they have signed in by a browser after it", async () => {
    await signsIn(["engineers"]);
    await deps.signIns.endAccess(ALICE.id, now);
    await expect(principalOfKey(deps, blob)).rejects.toMatchObject({ code: "sign-in-required" });
    now += 1;
    await expect(principalOfKey(deps, blob)).rejects.toMatchObject({ code: "sign-in-required" });
    await signsIn(["engineers"]);
    expect(await principalOfKey(deps, blob)).toMatchObject({ id: ALICE.id });
  });

  test("gets no pass where it was ended while they signed in, and none stays behind", async () => {
    const begun = wish("web-1");
    now += 5;
    await deps.signIns.endAccess(ALICE.id, now);
    now += 5;
    await expect(passesForKeys(deps)(ALICE, blob, begun)).rejects.toMatchObject({ code: "sign-in-required" });
    expect((await deps.passes.listFor(ALICE.id, 9)).map(({ revokedAt }) => revokedAt)).toEqual([now]);
  });

  test("is asked of the store each time: where it cannot tell, nobody signs in", async () => {
    await signsIn(["engineers"]);
    const signIns = { notBefore: () => Promise.reject(new Error("disk")) };
    await expect(principalOfKey({ ...deps, signIns }, blob)).rejects.toThrow("disk");
  });
});

describe("a public key", () => {
  test("is its owner, in the groups of their last sign-in by a browser", async () => {
    await signsIn(["engineers", "admins"]);
    now += 1000;
    await signsIn(["engineers"]);
    expect(await principalOfKey(deps, blob)).toEqual({ ...ALICE, groups: ["engineers"] });
  });

  test("is nobody where nobody has registered it, or its owner has removed it", async () => {
    await signsIn(["engineers"]);
    for (const other of [randomBytes(51), Buffer.alloc(0), Buffer.concat([blob, Buffer.of(0)]), blob.subarray(1)])
      expect(await principalOfKey(deps, other)).toBeUndefined();
    await deps.sshKeys.remove(ALICE.id, fingerprint, now);
    expect(await principalOfKey(deps, blob)).toBeUndefined();
  });

  test("is good for twelve hours after the sign-in, and again after the next", async () => {
    await signsIn(["engineers"]);
    now += SSH_KEY_SIGN_IN_MS - 1;
    expect(await principalOfKey(deps, blob)).toMatchObject({ id: ALICE.id });
    now += 1;
    await expect(principalOfKey(deps, blob)).rejects.toMatchObject({
      code: "sign-in-required",
      message: expect.stringContaining("12 hours"),
      hint: expect.stringContaining("Sign in with the link"),
    });
    await signsIn([]);
    expect(await principalOfKey(deps, blob)).toMatchObject({ id: ALICE.id, groups: [] });
  });

  test("lets nobody in whose sign-in nobody remembers, or while the stores do not answer", async () => {
    await expect(principalOfKey(deps, blob)).rejects.toMatchObject({ code: "sign-in-required" });
    const broken = { find: () => Promise.reject(new Error("disk")) };
    await expect(principalOfKey({ ...deps, people: { ...deps.people, ...broken } }, blob)).rejects.toThrow("disk");
    await expect(principalOfKey({ ...deps, sshKeys: broken }, blob)).rejects.toThrow("disk");
  });
});

describe("the passes of a key", () => {
  const passOf = async (text: PassText): Promise<Pass | undefined> => deps.passes.find(hashPass(text));

  test("are its owner's, for one connection, and named for the key", async () => {
    const text = await passesForKeys(deps)(ALICE, blob, wish("web-1"));
    expect(await passOf(text)).toMatchObject({
      principal: ALICE,
      connection: "web-1",
      label: `ssh key ${fingerprint}`,
      expiresAt: NOW + PASS_LIFETIME_MS,
    });
  });

  test("are few, however often a program connects: one serves until half of its time is over", async () => {
    const passFor = passesForKeys(deps);
    const first = await passFor(ALICE, blob, wish("web-1"));
    now += PASS_LIFETIME_MS / 2 - 1;
    for (let times = 0; times < 5; times++) expect(await passFor(ALICE, blob, wish("web-1"))).toBe(first);
    now += 1;
    expect(await passFor(ALICE, blob, wish("web-1"))).not.toBe(first);
    expect(await deps.passes.listFor(ALICE.id, 10)).toHaveLength(2);
  });

  test("are not shared by connections, by people whose groups have changed, or with one that was revoked", async () => {
    const passFor = passesForKeys(deps);
    const first = await passFor(ALICE, blob, wish("web-1"));
    expect(await passFor(ALICE, blob, wish("web-2"))).not.toBe(first);
    const changed = await passFor({ ...ALICE, groups: [] }, blob, wish("web-1"));
    expect((await passOf(changed))?.principal.groups).toEqual([]);
    const pass = await passOf(first);
    if (pass !== undefined) await deps.passes.revoke(pass.id, now);
    const next = await passFor(ALICE, blob, wish("web-1"));
    expect((await passOf(next))?.revokedAt).toBeUndefined();
  });

  test("are not given for a key that is removed at that moment, and none is left that would open anything", async () => {
    let issued: PassText | undefined;
    const removing: KeySignInDeps["passes"] = {
      ...deps.passes,
      issue: async (pass) => {
        const kept = await deps.passes.issue(pass);
        await deps.sshKeys.remove(ALICE.id, fingerprint, now); // after the key was found good
        return kept;
      },
    };
    await expect(
      passesForKeys({ ...deps, passes: removing })(ALICE, blob, wish("web-1")).then((text) => (issued = text)),
    ).rejects.toMatchObject({ code: "access-denied" });
    expect(issued).toBeUndefined();
    expect((await deps.passes.listFor(ALICE.id, 10)).map(({ revokedAt }) => revokedAt)).toEqual([now]);
  });
});
