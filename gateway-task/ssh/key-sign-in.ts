import type { Instant } from "../../core/brand.ts";
import { SallyportError } from "../../core/errors.ts";
import { PASS_LIFETIME_MS, type PassText, hashPass } from "../../core/identity/pass.ts";
import { demandAccessSince } from "../../core/identity/access-end.ts";
import type { Principal } from "../../core/identity/principal.ts";
import { readSshCertificate } from "../../core/identity/ssh-certificate.ts";
import { SSH_KEY_SIGN_IN_MS, sshFingerprint, sshKeyPassLabel } from "../../core/identity/ssh-key.ts";
import { boundedMap } from "../../core/policy/bounded-map.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { PassStore } from "../../core/ports/pass-store.ts";
import type { KnownPerson, PeopleStore } from "../../core/ports/people-store.ts";
import type { SignInStore } from "../../core/ports/sign-in-store.ts";
import type { SshFingerprint, SshKeyStore } from "../../core/ports/ssh-key-store.ts";
import { passFor } from "./sign-in.ts";

const HOUR_MS = 60 * 60 * 1000;

export interface KeySignInDeps {
  readonly sshKeys: Pick<SshKeyStore, "find">;
  readonly people: Pick<PeopleStore, "find" | "withEmail">;
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
  return asSignedIn({ signIns, clock }, await people.find(key.owner));
}

/**
 * A person who shows a key, in the groups that they were told to be in last. Throws `sign-in-required` where their last sign-in by a
 * browser is too long ago, or from before their access was ended.
 */
export async function asSignedIn(
  { signIns, clock }: Pick<KeySignInDeps, "signIns" | "clock">,
  person: KnownPerson | undefined,
): Promise<Principal> {
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

/**
 * A pass that a program which signs in again and again is given time after time, so that it does not fill its owner's list.
 * @param of what the sign-in was by: another pass for another one
 */
type ReusedPass = (
  principal: Principal,
  of: string,
  wish: { readonly connection: string; readonly since: Instant; readonly label: string },
) => Promise<PassText>;

function reusedPasses({ passes, signIns, clock }: Pick<KeySignInDeps, "passes" | "signIns" | "clock">): ReusedPass {
  const issued = boundedMap<string, { readonly text: PassText; readonly until: Instant }>(MAX_REUSED);
  const isGood = async (text: PassText): Promise<boolean> => {
    const pass = await passes.find(hashPass(text));
    return pass !== undefined && pass.revokedAt === undefined;
  };
  return async (principal, of, wish) => {
    const { id, name, groups } = principal;
    const key = JSON.stringify([of, wish.connection, id, name, groups]);
    const before = issued.get(key);
    if (before !== undefined && clock() < before.until && (await isGood(before.text))) return before.text;
    const text = await passFor({ passes, signIns, clock }, principal, wish);
    issued.set(key, { text, until: clock() + REUSED_MS });
    return text;
  };
}

/** As `passFor`, for who came by this key or certificate. Throws `access-denied` where the key was removed meanwhile. */
export type PassForKey = (
  principal: Principal,
  blob: Uint8Array,
  wish: { readonly connection: string; readonly since: Instant },
) => Promise<PassText>;

/** Passes for sign-ins by key: whoever removes the key revokes them. */
export function passesForKeys(deps: Omit<KeySignInDeps, "people">): PassForKey {
  const { sshKeys, passes, clock } = deps;
  const passOf = reusedPasses(deps);

  const demandKey = async (fingerprint: SshFingerprint, { id }: Principal, text: PassText): Promise<void> => {
    if ((await sshKeys.find(fingerprint))?.owner === id) return;
    const pass = await passes.find(hashPass(text));
    if (pass !== undefined) await passes.revoke(pass.id, clock());
    throw new SallyportError("access-denied", "this key was removed");
  };

  return async (principal, blob, wish) => {
    const fingerprint = sshFingerprint(blob);
    const text = await passOf(principal, fingerprint, { ...wish, label: sshKeyPassLabel(fingerprint) });
    // Whoever removes a key revokes its passes after that: this one either is among them, or the key is seen to be gone.
    await demandKey(fingerprint, principal, text);
    return text;
  };
}

/** Passes for sign-ins by certificate: those of one certified key share one, whichever certificate it has by then. */
export function passesForCertificates(deps: Pick<KeySignInDeps, "passes" | "signIns" | "clock">): PassForKey {
  const passOf = reusedPasses(deps);
  return (principal, blob, wish) => {
    const { publicKey } = readSshCertificate(Buffer.from(blob));
    const fingerprint = sshFingerprint(publicKey);
    return passOf(principal, `certificate ${fingerprint}`, { ...wish, label: `ssh certificate ${fingerprint}` });
  };
}
