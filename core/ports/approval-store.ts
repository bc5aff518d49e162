import type { Instant } from "../brand.ts";
import type { PrincipalId } from "../identity/principal.ts";
import type { ApprovalId, HeldRequest } from "./approval-desk.ts";

/** requested → granted | denied | expired | cancelled; granted → used | revoked. Nothing leads out of the others. */
export const APPROVAL_STATUSES = ["requested", "granted", "denied", "expired", "cancelled", "used", "revoked"] as const;
export type ApprovalStatus = (typeof APPROVAL_STATUSES)[number];

/** What one person answered, once and for all. */
export interface Answer {
  readonly by: { readonly id: PrincipalId; readonly name: string };
  /** Those of the asked groups that the person was a member of when answering. */
  readonly groups: readonly string[];
  readonly consents: boolean;
  readonly words: string;
  readonly at: Instant;
}

/** A request and what became of it. Only `core/approval/state.ts` makes a new one out of an old one. */
export interface Approval extends HeldRequest {
  readonly id: ApprovalId;
  /** As it was last written: `statusAt` says what the clock has made of it since. */
  readonly status: ApprovalStatus;
  readonly answers: readonly Answer[];
  /** When it left `requested`. */
  readonly decidedAt: Instant | undefined;
  /** When a grant was used or revoked, or a request cancelled; by whom, where a person did it. */
  readonly closed: { readonly at: Instant; readonly by: Answer["by"] | undefined } | undefined;
  /** Counts the writes, from 1: what a conditional write compares. */
  readonly revision: number;
}

export interface ApprovalQuery {
  /** Requested by this person, or asking one of these groups. */
  readonly seenBy?: { readonly id: PrincipalId; readonly groups: readonly string[] };
  /** Still `requested` and unexpired at this time. */
  readonly waitingAt?: Instant;
  readonly limit: number;
  /** Continue after this one in newest-first order (a keyset, so that new requests do not shift the pages). */
  readonly after?: ApprovalId;
}

/** Which grant is looked for. */
export type GrantKey = Pick<HeldRequest, "kind" | "connection" | "digest" | "policyVersion"> & {
  readonly requester: PrincipalId;
};

/** Approvals by id. Every method throws SallyportError `store-unavailable` when the store cannot answer. */
export interface ApprovalStore {
  /** Refuses (`conflict`) an id that is there already. */
  put(approval: Approval): Promise<void>;
  get(id: ApprovalId): Promise<Approval | undefined>;
  /**
   * Writes `next`, of revision n + 1, over revision n. False where that is not what is stored: somebody was first, and the
   * caller reads and judges again. Atomic: of all who try, one succeeds.
   */
  replace(next: Approval): Promise<boolean>;
  /** Newest first. Throws `not-found` where there is no approval `after`. */
  list(query: ApprovalQuery): Promise<Approval[]>;
  /** Those that left `requested` at or after `since`, by the clock of whoever decided: what a gateway asks for all that it holds. */
  decidedSince(since: Instant): Promise<ApprovalId[]>;
  /** Of exactly this key, in one of these statuses as written, and unexpired at `now`; oldest first. */
  matching(key: GrantKey, status: "requested" | "granted", now: Instant): Promise<Approval[]>;
  /** How many of a person's requests wait at `now`. */
  countWaiting(requester: PrincipalId, now: Instant): Promise<number>;
}
