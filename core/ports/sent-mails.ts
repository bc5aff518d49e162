import type { Instant } from "../brand.ts";
import type { ApprovalId } from "./approval-desk.ts";

/** Remembers who was told of what, so that whoever is told of the same request again, by a batch that is tried again, is not. */
export interface SentMails {
  /** Was a mail about this approval handed over for this address, however that is written? Throws `store-unavailable`. */
  wasSent(approval: ApprovalId, email: string): Promise<boolean>;
  /** Notes that it was; idempotent. May be forgotten some time after `until`. Throws `store-unavailable`. */
  noteSent(approval: ApprovalId, email: string, until: Instant): Promise<void>;
}
