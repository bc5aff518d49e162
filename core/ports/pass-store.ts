import type { Branded, Digest, Instant } from "../brand.ts";
import type { Principal, PrincipalId } from "../identity/principal.ts";

export type PassId = Branded<string, "PassId">;
/** SHA-256 of the pass's text. The text itself is shown once, at issue, and never stored. */
export type PassHash = Branded<Digest, "PassHash">;

export interface Pass {
  readonly id: PassId;
  readonly principal: Principal;
  /** The one connection it opens; undefined: every connection its principal may open. */
  readonly connection: string | undefined;
  /** What the person called it, or the client that asked for it. */
  readonly label: string;
  readonly issuedAt: Instant;
  readonly expiresAt: Instant;
  readonly revokedAt: Instant | undefined;
}

export type NewPass = Omit<Pass, "id" | "revokedAt"> & { readonly hash: PassHash };

/** Passes by hash. Every method throws SallyportError `store-unavailable` when the store cannot answer. */
export interface PassStore {
  /** The pass of this hash, also when it is expired or revoked: the caller judges, so that the error can say which. */
  find(hash: PassHash): Promise<Pass | undefined>;
  issue(pass: NewPass): Promise<Pass>;
  /** Idempotent: the first revocation's time stays. Answers undefined for an id that is not there. */
  revoke(id: PassId, at: Instant): Promise<Pass | undefined>;
  get(id: PassId): Promise<Pass | undefined>;
  /** Newest first, expired and revoked ones included, at most `limit`. */
  listFor(principal: PrincipalId, limit: number): Promise<Pass[]>;
  /** Ids revoked at or after `since`: what a gateway asks every second for all its live sessions at once. */
  revokedSince(since: Instant): Promise<PassId[]>;
}
