import type { Instant } from "../brand.ts";
import type { PrincipalId } from "../identity/principal.ts";

/** A person as their last sign-in told of them. */
export interface KnownPerson {
  readonly id: PrincipalId;
  readonly name: string;
  /** Undefined where the identity provider gave none, or one that it has not verified. */
  readonly email: string | undefined;
  readonly groups: readonly string[];
  readonly seenAt: Instant;
}

/** Who has signed in, and which groups they were in. Every method throws SallyportError `store-unavailable`. */
export interface PeopleStore {
  /** Replaces what earlier sign-ins of this person told, groups that they have lost included. */
  signedIn(person: KnownPerson): Promise<void>;
  find(id: PrincipalId): Promise<KnownPerson | undefined>;
  /** Who was in this group at their last sign-in, where that was at or after `since`; last seen first, at most `limit`. */
  inGroup(group: string, since: Instant, limit: number): Promise<KnownPerson[]>;
  /** Whoever has this address, however it is written; last seen first. */
  withEmail(email: string): Promise<KnownPerson[]>;
}
