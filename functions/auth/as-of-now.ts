import { setTimeout as sleep } from "node:timers/promises";
import { SallyportError } from "../../core/errors.ts";
import { vouched } from "../../core/identity/home-realm.ts";
import type { Principal, PrincipalId } from "../../core/identity/principal.ts";
import { signInRequired } from "../../core/identity/session-token.ts";
import type { KnownPerson } from "../../core/ports/people-store.ts";
import type { Renewal } from "../../core/ports/sign-in-store.ts";
import { causesOf } from "../shared/problem.ts";
import type { AuthDeps } from "./deps.ts";
import type { OidcSignedIn } from "./oidc-sign-in.ts";
import { FRESH_MS, openRenewal, sealRenewal } from "./renewal.ts";
import type { WaysToSignIn } from "./sign-in-ways.ts";

/** A provider has 10 s to answer; whoever asks it and is gone does not keep others from asking for much longer. */
const TAKEN_MS = 15_000;
/** While another asks: how often one looks whether it has an answer. */
const LOOK_MS = 200;

/**
 * A person as their identity provider tells of them now: what is issued rests on that, not on a session that may be hours old.
 * The provider is asked unless it has told within the last minute; where it cannot be asked without the person, they must have
 * signed in within its `groupsMaxAgeMinutes`.
 * Throws `sign-in-required` where they have not, and where the provider does not vouch for them any more;
 * `identity-provider-unavailable` where it does not answer.
 */
export type AsOfNow = (principal: Principal) => Promise<Principal>;

export interface IssuingDeps extends AuthDeps {
  readonly asOfNow: AsOfNow;
}

export function asOfNow(deps: AuthDeps, ways: WaysToSignIn): AsOfNow {
  return async (principal) => {
    if (principal.kind !== "user") return principal;
    const known = await deps.people.find(principal.id);
    if (known === undefined) throw signInRequired("nobody has told of you yet");
    const { name, groups } = isFresh(known, deps) ? known : await askedAgain(deps, ways, known.id);
    return { ...principal, name, groups };
  };
}

/** The person to show things to: as of now where that troubles nobody, else as they were told of last. */
export async function asFarAsKnown(deps: IssuingDeps, principal: Principal): Promise<Principal> {
  try {
    return await deps.asOfNow(principal);
  } catch (thrown) {
    if (!(thrown instanceof SallyportError && UNTOLD.has(thrown.code))) throw thrown;
    const { name, groups } = (await deps.people.find(principal.id)) ?? principal;
    return { ...principal, name, groups };
  }
}

const UNTOLD: ReadonlySet<string> = new Set(["sign-in-required", "identity-provider-unavailable"]);

function isFresh({ freshUntil }: KnownPerson, { clock }: AuthDeps): boolean {
  return clock() < freshUntil;
}

/** Asks, or waits for whoever asks already. */
async function askedAgain(deps: AuthDeps, ways: WaysToSignIn, id: PrincipalId): Promise<KnownPerson> {
  const { signIns, people, clock } = deps;
  for (const giveUpAt = clock() + TAKEN_MS; clock() < giveUpAt; await sleep(LOOK_MS)) {
    const taken = await signIns.takeRenewal(id, clock(), clock() + TAKEN_MS);
    const known = await people.find(id);
    if (taken === undefined || known === undefined)
      throw signInRequired("your identity provider has to tell again which groups you are in");
    const fresh = isFresh(known, deps);
    if (taken !== "taken" && !fresh) return renewed(deps, ways, known, taken);
    if (taken !== "taken") await signIns.putBackRenewal(id, taken, taken);
    if (fresh) return known;
  }
  throw new SallyportError("identity-provider-unavailable", "the identity provider has not answered in time", {
    hint: "try again in a minute",
  });
}

async function renewed(deps: AuthDeps, ways: WaysToSignIn, known: KnownPerson, taken: Renewal): Promise<KnownPerson> {
  const { signIns, people, clock, logger, tokenKey } = deps;
  const askedAt = clock();
  const told = await toldNow(deps, ways, known.id, taken).catch(async (thrown: unknown) => {
    logger.warn({ principal: known.id, causes: causesOf(thrown) }, "a provider did not tell of somebody again");
    const silent = thrown instanceof SallyportError && thrown.code === "identity-provider-unavailable";
    await signIns.putBackRenewal(known.id, taken, silent ? taken : undefined);
    throw silent ? thrown : signInRequired("your identity provider does not vouch for you any more", thrown);
  });
  const next = await sealRenewal(tokenKey, told.provider, told.refreshToken, known.seenAt);
  const { name, groups } = told.principal;
  const person = { ...known, name, email: told.email, groups, freshUntil: askedAt + FRESH_MS };
  try {
    if (await people.toldAgain(person)) return person;
  } finally {
    // Whoever takes it next finds what was told; and what was taken may be worth nothing by now.
    await signIns.putBackRenewal(known.id, taken, next);
  }
  throw signInRequired("you have signed in elsewhere meanwhile");
}

/** What the provider of a renewal says of this person, as far as it may. Throws as `renew` does, and `sign-in-failed` for another. */
async function toldNow(
  { providers, tokenKey, clock }: AuthDeps,
  ways: WaysToSignIn,
  id: PrincipalId,
  taken: Renewal,
): Promise<OidcSignedIn & { readonly provider: string }> {
  const opened = await openRenewal(tokenKey, taken, clock());
  if (opened === undefined) throw new SallyportError("sign-in-failed", "this renewal was sealed by another key");
  const { provider, signIn } = ways.oidc(opened.provider);
  const told = await signIn.renew(opened.refreshToken);
  if (told.principal.id !== id)
    throw new SallyportError("sign-in-failed", "the identity provider told of somebody else");
  // A provider that gives no new refresh token means the one that it gave (RFC 6749 §6).
  const refreshToken = told.refreshToken ?? opened.refreshToken;
  return { ...vouched(providers, provider, told), refreshToken, provider: provider.id };
}
