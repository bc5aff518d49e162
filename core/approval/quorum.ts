import type { Consent } from "../policy/verdict.ts";

/** What counts of a person who consented: the asked groups that they are a member of. */
interface Consenting {
  readonly groups: readonly string[];
}

/**
 * Are all the consents met by different people? Each person stands for one group at most, whichever serves best: a matching of
 * people and places to fill (Kuhn's algorithm). More people than needed do no harm.
 * @param people each of them once
 */
export function quorumMet(consents: readonly Consent[], people: readonly Consenting[]): boolean {
  const places = consents.flatMap(({ group, count }) => Array.from({ length: count }, () => group));
  if (places.length === 0) return false; // nothing asked is nothing granted
  const placeOf = new Map<Consenting, number>();
  const fill = (place: number, tried: Set<Consenting>): boolean =>
    people.some((person) => {
      if (tried.has(person) || !person.groups.includes(places[place] ?? "")) return false;
      tried.add(person);
      const other = placeOf.get(person);
      if (other !== undefined && !fill(other, tried)) return false;
      placeOf.set(person, place);
      return true;
    });
  return places.every((_, place) => fill(place, new Set()));
}
