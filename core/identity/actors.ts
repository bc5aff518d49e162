import { z } from "zod";
import { SallyportError } from "../errors.ts";
import type { PrincipalId } from "./principal.ts";

/** An agent that acts for an agent that acts for a person has two; longer chains tell nobody who is responsible. */
export const MAX_ACTORS = 5;
const MAX_TEXT = 512;

const oneActor = z.object({
  sub: z.string().min(1).max(MAX_TEXT),
  iss: z.string().min(1).max(MAX_TEXT).optional(),
  act: z.unknown().optional(),
});

/**
 * The chain of actors of a token (RFC 8693 §4.1): whoever acts now first, who acted before after them.
 * @param issuer of an actor whose own is not told
 * Throws `sign-in-failed` for a chain that cannot be read, or is too long: never is only a part of it kept.
 */
export function actorsFromClaims(issuer: string, claims: Readonly<Record<string, unknown>>): PrincipalId[] {
  const actors: PrincipalId[] = [];
  for (let act = Object.hasOwn(claims, "act") ? claims["act"] : undefined; act !== undefined;) {
    const known = oneActor.safeParse(act);
    if (!known.success) throw refusal("the token's `act` claim names no actor");
    if (actors.length === MAX_ACTORS) throw tooMany();
    actors.push(`${known.data.iss ?? issuer}|${known.data.sub}` as PrincipalId);
    act = known.data.act;
  }
  return actors;
}

/**
 * The chain when somebody shows a token of their own beside the subject's: they act now, through whoever acts for them.
 * Throws `sign-in-failed` where it is too long.
 */
export function withActor(
  subject: readonly PrincipalId[],
  { id, actors = [] }: { readonly id: PrincipalId; readonly actors?: readonly PrincipalId[] },
): PrincipalId[] {
  const chain = [...actors, id, ...subject];
  if (chain.length > MAX_ACTORS) throw tooMany();
  return chain;
}

const mayAct = z.object({ sub: z.string().optional(), iss: z.string().optional() });

/** Whom the subject's token lets act (`may_act`, RFC 8693 §4.4): throws `access-denied` for anybody else. */
export function demandMayAct(
  subject: { readonly issuer: string; readonly claims: Readonly<Record<string, unknown>> },
  actor: { readonly issuer: string; readonly sub: string },
): void {
  if (!Object.hasOwn(subject.claims, "may_act")) return;
  const allowed = mayAct.safeParse(subject.claims["may_act"]);
  const { sub, iss } = allowed.success ? allowed.data : {};
  if (sub === actor.sub && (iss ?? subject.issuer) === actor.issuer) return;
  throw new SallyportError("access-denied", "the subject token's `may_act` names another actor");
}

function tooMany(): SallyportError {
  return refusal(`the chain of actors is longer than ${MAX_ACTORS}`);
}

function refusal(message: string): SallyportError {
  return new SallyportError("sign-in-failed", message);
}
