import type { Context } from "hono";
import type { Logger } from "pino";
import type { Asked } from "../../core/audit/account-events.ts";
import type { Audit } from "../../core/audit/audit.ts";
import type { Principal } from "../../core/identity/principal.ts";
import type { ApprovalStore } from "../../core/ports/approval-store.ts";
import type { Outbox } from "../../core/ports/outbox.ts";
import type { PeopleStore } from "../../core/ports/people-store.ts";
import type { AuthenticatedEnv, AuthenticationDeps } from "../shared/authenticated.ts";

export interface ApprovalsDeps extends AuthenticationDeps {
  readonly approvals: ApprovalStore;
  readonly people: Pick<PeopleStore, "find">;
  /** The groups whose members see everybody's approvals. They decide on none. */
  readonly auditors: readonly string[];
  /** Mails that were kept instead of being sent: each person sees their own. */
  readonly outbox: Outbox | undefined;
  readonly logger: Logger;
  /** What people do with approvals is written before it counts (ADR 0022). */
  readonly audit: Audit;
  /** The address that a request came from, as the server that took it knows; never a header that the client wrote. */
  clientAddress(c: Context): string;
}

/** Who makes a request, and from where. */
export type Asking = (c: Context<AuthenticatedEnv>) => Asked & { readonly by: Principal };
