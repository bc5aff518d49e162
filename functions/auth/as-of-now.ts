import { setTimeout as sleep } from "node:timers/promises";
import { SallyportError } from "../../core/errors.ts";
import type { Principal, PrincipalId } from "../../core/identity/principal.ts";
import { signInRequired } from "../../core/identity/session-token.ts";
import type { KnownPerson } from "../../core/ports/people-store.ts";
import type { AuthDeps } from "./deps.ts";
import { renewed, tellAgain } from "./renewed.ts";
import type { WaysToSignIn } from "./sign-in-ways.ts";

/**
 * A provider has 10 s for each of three questions (its description, the tokens, its keys), and a second use of a refresh token
 * must not overtake the first; whoever asks and is gone does not keep others from asking for much longer.
 */
const TAKEN_MS = 35_000;
/** While another asks: how long one waits, and how often one looks whether it has an answer. */
const WAIT_MS = 15_000;
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
  for (const giveUpAt = clock() + WAIT_MS; clock() < giveUpAt; await sleep(LOOK_MS)) {
    const taken = await signIns.takeRenewal(id, clock(), clock() + TAKEN_MS);
    const known = await people.find(id);
    if (known !== undefined && isFresh(known, deps)) {
      if (taken !== undefined && taken !== "taken") await signIns.putBackRenewal(id, taken, taken);
      return known;
    }
    if (taken === undefined || known === undefined) throw tellAgain();
    if (taken !== "taken") return renewed(deps, ways, known, taken);
  }
  throw new SallyportError("identity-provider-unavailable", "the identity provider has not answered in time", {
    hint: "try again in a minute",
  });
}
