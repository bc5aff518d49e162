import type { Instant } from "../../core/brand.ts";
import { SallyportError } from "../../core/errors.ts";
import { PASS_LIFETIME_MS, type PassText, hashPass } from "../../core/identity/pass.ts";
import { demandAccessSince } from "../../core/identity/access-end.ts";
import type { Principal } from "../../core/identity/principal.ts";
import { SSH_KEY_SIGN_IN_MS, sshFingerprint, sshKeyPassLabel } from "../../core/identity/ssh-key.ts";
import { boundedMap } from "../../core/policy/bounded-map.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { PassStore } from "../../core/ports/pass-store.ts";
import type { PeopleStore } from "../../core/ports/people-store.ts";
import type { SignInStore } from "../../core/ports/sign-in-store.ts";
import type { SshFingerprint, SshKeyStore } from "../../core/ports/ssh-key-store.ts";
import { passFor } from "./sign-in.ts";

const HOUR_MS = 60 * 60 * 1000;

export interface KeySignInDeps {
  readonly sshKeys: Pick<SshKeyStore, "find">;
  readonly people: Pick<PeopleStore, "find">;
  readonly passes: Pick<PassStore, "issue" | "find" | "revoke">;
  readonly signIns: Pick<SignInStore, "notBefore">;
  readonly clock: Clock;
}

/**
 * Who has registered this key, in the groups of their last sign-in by a browser. That the client holds the private key is for
 * the caller to verify.
 * @param blob the public key as the client sent it; any bytes
 * @returns undefined for a key that nobody has registered. Throws `sign-in-required` for a known one whose owner's last
 *   sign-in is too old for their groups to be believed, or from before their access was ended: a sign-in by a browser makes it
 *   good again; and `store-unavailable`.
 */
export async function principalOfKey(
  { sshKeys, people, signIns, clock }: Omit<KeySignInDeps, "passes">,
  blob: Uint8Array,
): Promise<Principal | undefined> {
  const key = await sshKeys.find(sshFingerprint(blob));
  if (key === undefined) return undefined;
  const person = await people.find(key.owner);
  if (person !== undefined) await demandAccessSince(signIns, person.id, person.seenAt);
  if (person !== undefined && clock() - person.seenAt < SSH_KEY_SIGN_IN_MS)
    return { kind: "user", id: person.id, name: person.name, groups: person.groups };
  throw new SallyportError(
    "sign-in-required",
    `keys are good for ${SSH_KEY_SIGN_IN_MS / HOUR_MS} hours after a sign-in by a browser, and yours is longer ago`,
    { hint: "Sign in with the link; from then on your key is good again." },
  );
}

/** A pass of a key is used by later sign-ins until half of its time is over: each session then has as much left, and more. */
const REUSED_MS = PASS_LIFETIME_MS / 2;
/** One for each key and connection of those who come again within that time; others get a new one. */
const MAX_REUSED = 2_000;

/** As `passFor`, for who came by this key. Throws `access-denied` where it was removed meanwhile. */
export type PassForKey = (
  principal: Principal,
  blob: Uint8Array,
  wish: { readonly connection: string; readonly since: Instant },
) => Promise<PassText>;

/**
 * Passes for sign-ins by key. Programs that connect again and again are given one pass time after time, so that they do not
 * fill their owner's list; whoever removes the key revokes it.
 */
export function passesForKeys({ sshKeys, passes, signIns, clock }: Omit<KeySignInDeps, "people">): PassForKey {
  const issued = boundedMap<string, { readonly text: PassText; readonly until: Instant }>(MAX_REUSED);

  const isGood = async (text: PassText): Promise<boolean> => {
    const pass = await passes.find(hashPass(text));
    return pass !== undefined && pass.revokedAt === undefined;
  };
  const demandKey = async (fingerprint: SshFingerprint, { id }: Principal, text: PassText): Promise<void> => {
    if ((await sshKeys.find(fingerprint))?.owner === id) return;
    const pass = await passes.find(hashPass(text));
    if (pass !== undefined) await passes.revoke(pass.id, clock());
    throw new SallyportError("access-denied", "this key was removed");
  };

  return async (principal, blob, { connection, since }) => {
    const fingerprint = sshFingerprint(blob);
    const { id, name, groups } = principal;
    const key = JSON.stringify([fingerprint, connection, id, name, groups]);
    const before = issued.get(key);
    const again = before !== undefined && clock() < before.until && (await isGood(before.text));
    const text = again
      ? before.text
      : await passFor({ passes, signIns, clock }, principal, {
          connection,
          since,
          label: sshKeyPassLabel(fingerprint),
        });
    if (!again) issued.set(key, { text, until: clock() + REUSED_MS });
    // Whoever removes a key revokes its passes after that: this one either is among them, or the key is seen to be gone.
    await demandKey(fingerprint, principal, text);
    return text;
  };
}
