import type { Context } from "hono";
import { SallyportError } from "../../core/errors.ts";
import type { Principal } from "../../core/identity/principal.ts";
import { SESSION_LIFETIME_MS, signInRequired } from "../../core/identity/session-token.ts";
import type { AuthDeps } from "./deps.ts";

/**
 * A person as their newest sign-in told of them, in whichever browser that was: what an older session still says of their groups
 * is not handed on. Throws `sign-in-required` where that was longer ago than a session of the web lives, so that nothing that is
 * issued rests on groups that nobody has told of since.
 */
export async function asOfLastSignIn(
  { people, clock }: Pick<AuthDeps, "people" | "clock">,
  principal: Principal,
): Promise<Principal> {
  const known = principal.kind === "user" ? await people.find(principal.id) : undefined;
  if (known === undefined) return principal;
  if (clock() >= known.seenAt + SESSION_LIFETIME_MS) throw signInRequired("you signed in too long ago");
  return { ...principal, name: known.name, groups: known.groups };
}

/** Refuses (`access-denied`) a bearer token: a device that could let in another one would never have to sign in again. */
export function demandBrowser(c: Context): void {
  if (c.req.header("authorization") === undefined) return;
  throw new SallyportError("access-denied", "a device is let in by a person in a browser, not by another device", {
    hint: "open the link that it shows",
  });
}
