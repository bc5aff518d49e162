import type { Principal } from "../identity/principal.ts";

type Identity = Pick<Principal, "id" | "name">;

/**
 * Are these two identities of one person? By id, or by name: that is the verified e-mail address where there is one. Written
 * differently (case, Unicode forms, blanks around it) it is the same name. Wrong towards yes only denies a consent.
 */
export function samePerson(one: Identity, other: Identity): boolean {
  return one.id === other.id || foldName(one.name) === foldName(other.name);
}

/** Whether a request is one's own. Whoever acts for somebody else asks as much as they do, by whichever of their identities. */
export function isOwnRequest(requester: Identity & Pick<Principal, "actors" | "actorNames">, one: Identity): boolean {
  const { actors = [], actorNames = [] } = requester;
  const name = foldName(one.name);
  return samePerson(one, requester) || actors.includes(one.id) || actorNames.some((actor) => foldName(actor) === name);
}

/** A name or an e-mail address as it is compared. */
export function foldName(name: string): string {
  return name.normalize("NFKC").trim().toLowerCase();
}
