import type { Instant } from "../brand.ts";
import type { Directory } from "../config/directory.ts";
import { isMailAddress } from "../identity/mail-address.ts";
import type { PrincipalId } from "../identity/principal.ts";
import type { HeldRequest } from "../ports/approval-desk.ts";
import type { PeopleStore } from "../ports/people-store.ts";
import { foldName, isOwnRequest } from "./same-person.ts";

/** Whoever has not signed in for so long may have left: statements are not sent after them. */
const MEMBER_FOR_MS = 90 * 24 * 60 * 60 * 1000;
/** A mail to more people is nobody's business. */
const MAX_ADDRESSEES = 100;

/** Somebody who is asked by mail. */
export interface Addressee {
  /** Undefined where they have not signed in yet. */
  readonly id: PrincipalId | undefined;
  readonly email: string;
  readonly name: string;
}

/**
 * Whom to ask: the members of the asked groups, the requester never. Members are those whose last sign-in said so, and those of
 * the directory who have not signed in yet: what a sign-in says outranks the directory.
 */
export async function addresseesOf(
  people: Pick<PeopleStore, "inGroup" | "withEmail">,
  directory: Directory,
  { consents, requester }: Pick<HeldRequest, "consents" | "requester">,
  now: Instant,
): Promise<Addressee[]> {
  const found = new Map<string, Addressee>();
  const add = ({ id, email, name }: Addressee): void => {
    const known = id === undefined ? { id: email as PrincipalId, name: email } : { id, name };
    const own = isOwnRequest(requester, known) || foldName(email) === foldName(requester.name);
    const key = foldName(email);
    if (!own && isMailAddress(email) && !found.has(key) && found.size < MAX_ADDRESSEES)
      found.set(key, { id, email, name });
  };
  for (const group of new Set(consents.map((consent) => consent.group))) {
    for (const { id, email, name } of await people.inGroup(group, now - MEMBER_FOR_MS, MAX_ADDRESSEES + 1))
      if (email !== undefined) add({ id, email, name });
    for (const { email, name, groups } of directory)
      if (groups.includes(group) && (await people.withEmail(email)).length === 0) add({ id: undefined, email, name });
  }
  return [...found.values()];
}
