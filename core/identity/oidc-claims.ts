import { z } from "zod";
import { SallyportError } from "../errors.ts";
import type { Principal, PrincipalId } from "./principal.ts";

/** OpenID Connect Core §2: a subject has at most 255 ASCII characters; we are as strict about the rest. */
const MAX_CLAIM_LENGTH = 255;
/** More than any session could carry (session-token.ts). */
const MAX_GROUPS = 1000;

const text = z.string().min(1).max(MAX_CLAIM_LENGTH);
const who = z.object({
  sub: text,
  email: text.optional().catch(undefined),
  email_verified: z.union([z.boolean(), z.enum(["true", "false"])]).optional(),
  preferred_username: text.optional().catch(undefined),
});
const groupList = z.union([text.transform((one) => [one]), z.array(text).max(MAX_GROUPS)]);

/**
 * The person of a validated ID token.
 * @param issuer the configured issuer, which the token was checked against
 * @param claims the token's payload
 * @param groupsClaim the claim that lists groups: an array of strings, or one string; where it is missing there are none
 * @returns id `issuer|sub`; named by the e-mail address (unless the provider says it is unverified) or user name, for
 *   people to read. Throws `sign-in-failed` where the claims are not what they should be.
 */
export function principalFromClaims(
  issuer: string,
  claims: Readonly<Record<string, unknown>>,
  groupsClaim: string,
): Principal {
  const known = who.safeParse(claims);
  if (!known.success) throw refusal("the identity provider did not say who you are");
  const groups = groupList.safeParse(Object.hasOwn(claims, groupsClaim) ? claims[groupsClaim] : []);
  if (!groups.success) throw refusal(`the claim "${groupsClaim}" of the identity provider is not a list of groups`);
  const { sub, preferred_username } = known.data;
  const name = emailFromClaims(claims) ?? preferred_username ?? sub;
  return { kind: "user", id: `${issuer}|${sub}` as PrincipalId, name, groups: [...new Set(groups.data)] };
}

/** The person's e-mail address, where the token has one and does not say that it is unverified. */
export function emailFromClaims(claims: Readonly<Record<string, unknown>>): string | undefined {
  const known = who.safeParse(claims);
  if (!known.success) return undefined;
  const { email, email_verified } = known.data;
  return email_verified === false || email_verified === "false" ? undefined : email;
}

function refusal(message: string): SallyportError {
  return new SallyportError("sign-in-failed", message, { hint: "ask the administrator of your identity provider" });
}
