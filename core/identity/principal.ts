import type { Branded } from "../brand.ts";

export type PrincipalId = Branded<string, "PrincipalId">;

/** Who acts: a person known from a sign-in, or a service. Ids are `issuer|subject`; names are for people to read. */
export interface Principal {
  readonly kind: "user" | "service";
  readonly id: PrincipalId;
  readonly name: string;
  readonly groups: readonly string[];
  /**
   * Who acts in the principal's place (RFC 8693 §4.1), whoever acts now first: ids such as `issuer|subject`. Absent where the
   * principal acts alone. It is told, recorded and seen by policy, and gives no right.
   */
  readonly actors?: readonly PrincipalId[];
  /** Names of those of them who have shown a token of their own: by these their other identities are known (invariant 5). */
  readonly actorNames?: readonly string[];
}

/** Whether the same one asks, through the same ones: what was let to a person was not let to whoever acts for them, nor the reverse. */
export function isSameAsker(one: Asker, other: Asker): boolean {
  return one.id === other.id && JSON.stringify(one.actors ?? []) === JSON.stringify(other.actors ?? []);
}

type Asker = Pick<Principal, "id" | "actors">;

/** Is this principal in one of these groups? */
export function isMember({ groups }: Pick<Principal, "groups">, of: readonly string[]): boolean {
  return of.some((group) => groups.includes(group));
}
