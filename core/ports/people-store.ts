import type { Instant } from "../brand.ts";
import type { PrincipalId } from "../identity/principal.ts";

/** A person as their identity provider told of them last: at their last sign-in, or since, when it was asked again. */
export interface KnownPerson {
  readonly id: PrincipalId;
  readonly name: string;
  /** Undefined where the identity provider gave none, or one that it has not verified. */
  readonly email: string | undefined;
  readonly groups: readonly string[];
  /** The last sign-in. */
  readonly seenAt: Instant;
  /** Until when something may be issued on the strength of these groups before the provider is asked again. */
  readonly freshUntil: Instant;
}

/** Who has signed in, and which groups they were in. Every method throws SallyportError `store-unavailable`. */
export interface PeopleStore {
  /** Replaces what earlier sign-ins of this person told, groups that they have lost included. */
  signedIn(person: KnownPerson): Promise<void>;
  /**
   * Replaces what was told of a person since their last sign-in, which `seenAt` names. False, and nothing is changed, where they
   * have signed in anew meanwhile, or were never there: what that sign-in told holds.
   */
  toldAgain(person: KnownPerson): Promise<boolean>;
  find(id: PrincipalId): Promise<KnownPerson | undefined>;
  /** Who was in this group at their last sign-in, where that was at or after `since`; last seen first, at most `limit`. */
  inGroup(group: string, since: Instant, limit: number): Promise<KnownPerson[]>;
  /** Whoever has this address, however it is written; last seen first. */
  withEmail(email: string): Promise<KnownPerson[]>;
}
