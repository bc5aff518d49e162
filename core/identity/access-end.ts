import type { Instant } from "../brand.ts";
import { SallyportError } from "../errors.ts";
import type { SignInStore } from "../ports/sign-in-store.ts";
import type { PrincipalId } from "./principal.ts";

/**
 * Refuses (`sign-in-required`) whoever's access was ended at or after they were known. What is issued on the strength of a
 * proof is issued first and this asked after it: whoever ends an access notes that first and then looks for what was issued,
 * so that one of the two sees the other.
 * @param since when the principal was proven: a session's or a token's issue, a sign-in, the beginning of one
 */
export async function demandAccessSince(
  signIns: Pick<SignInStore, "notBefore">,
  principal: PrincipalId,
  since: Instant,
): Promise<void> {
  const endedAt = await signIns.notBefore(principal);
  if (endedAt === undefined || since > endedAt) return;
  throw new SallyportError("sign-in-required", "an administrator has ended your access", {
    hint: "sign in again, if you still may",
  });
}
