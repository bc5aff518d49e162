import type { Instant } from "../brand.ts";
import type { Mail } from "./mailer.ts";

export type KeptMail = Mail & { readonly at: Instant };

/** Mail that was kept here instead of being sent, where there is no mail server. */
export interface Outbox {
  /** Newest first, at most `limit`: to this address, however it is written; to anybody where it is undefined. */
  list(email: string | undefined, limit: number): Promise<KeptMail[]>;
}
