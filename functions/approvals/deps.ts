import type { Logger } from "pino";
import type { ApprovalStore } from "../../core/ports/approval-store.ts";
import type { Outbox } from "../../core/ports/outbox.ts";
import type { PeopleStore } from "../../core/ports/people-store.ts";
import type { AuthenticationDeps } from "../shared/authenticated.ts";

export interface ApprovalsDeps extends AuthenticationDeps {
  readonly approvals: ApprovalStore;
  readonly people: Pick<PeopleStore, "find">;
  /** The groups whose members see everybody's approvals. They decide on none. */
  readonly auditors: readonly string[];
  /** Mails that were kept instead of being sent: each person sees their own. */
  readonly outbox: Outbox | undefined;
  readonly logger: Logger;
}
