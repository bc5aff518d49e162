import { SallyportError } from "../../core/errors.ts";
import { vouched } from "../../core/identity/home-realm.ts";
import { signInRequired } from "../../core/identity/session-token.ts";
import type { KnownPerson } from "../../core/ports/people-store.ts";
import type { Renewal } from "../../core/ports/sign-in-store.ts";
import { causesOf } from "../shared/problem.ts";
import type { AuthDeps } from "./deps.ts";
import { FRESH_MS, freshAfterSignIn, openRenewal, sealRenewal } from "./renewal.ts";
import type { WaysToSignIn } from "./sign-in-ways.ts";

/**
 * A person as their provider tells of them now, which is kept in the place of what it told before; a provider that answers, but does not
 * tell as much as at the sign-in, is one that cannot be asked without the person.
 * @param taken what the provider is asked with. It is put back as it was only where the provider has not answered: a second use of it
 *   would be taken for theft
 * Throws `sign-in-required` and `identity-provider-unavailable`.
 */
export async function renewed(
  deps: AuthDeps,
  ways: WaysToSignIn,
  known: KnownPerson,
  taken: Renewal,
): Promise<KnownPerson> {
  const { signIns, people, clock, logger } = deps;
  let next: Renewal | undefined;
  const telling = toldNow(deps, ways, known, taken, (renewal) => (next = renewal));
  try {
    const person = await telling.catch((thrown: unknown) => {
      logger.warn({ principal: known.id, causes: causesOf(thrown) }, "a provider did not tell of somebody again");
      if (thrown instanceof SallyportError && thrown.code === "identity-provider-unavailable") throw thrown;
      next = undefined;
      throw signInRequired("your identity provider does not vouch for you any more", thrown);
    });
    if (!(await people.toldAgain(person))) throw signInRequired("you have signed in elsewhere meanwhile");
    if (clock() >= person.freshUntil) throw tellAgain();
    return person;
  } finally {
    // Behind what was told: whoever takes it next finds that.
    await signIns.putBackRenewal(known.id, taken, next);
  }
}

export function tellAgain(): SallyportError {
  return signInRequired("your identity provider has to tell again which groups you are in");
}

/** @param keep is told, before any error, what the provider may be asked with from then on */
async function toldNow(
  { providers, tokenKey, clock }: AuthDeps,
  ways: WaysToSignIn,
  known: KnownPerson,
  taken: Renewal,
  keep: (renewal: Renewal | undefined) => void,
): Promise<KnownPerson> {
  const askedAt = clock();
  const opened = await openRenewal(tokenKey, taken, askedAt);
  if (opened === undefined) throw refusal("this renewal was sealed by another key");
  const { provider, signIn } = ways.oidc(opened.provider);
  keep(taken);
  const answer = await signIn.renew(opened.refreshToken);
  // A provider that gives no new refresh token means the one that it gave (RFC 6749 §6).
  keep(await sealRenewal(tokenKey, provider.id, answer.refreshToken ?? opened.refreshToken, known.seenAt));
  const told = await answer.told();
  if (told !== undefined && told.principal.id !== known.id)
    throw refusal("the identity provider told of somebody else");
  const { principal, email } = told === undefined ? UNTOLD : vouched(providers, provider, told);
  if (principal === undefined || (email === undefined && known.email !== undefined)) {
    keep(undefined);
    return { ...known, freshUntil: freshAfterSignIn(provider, known.seenAt) };
  }
  return { ...known, name: principal.name, email, groups: principal.groups, freshUntil: askedAt + FRESH_MS };
}

const UNTOLD = { principal: undefined, email: undefined };

function refusal(message: string): SallyportError {
  return new SallyportError("sign-in-failed", message);
}
