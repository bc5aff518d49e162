import { type MailToken, verifyMailToken } from "../../core/approval/mail-token.ts";
import { foldName } from "../../core/approval/same-person.ts";
import { answer, askedGroups, barredFrom, cancel, type Outcome, revoke, statusAt } from "../../core/approval/state.ts";
import { noSuchApproval, transition } from "../../core/approval/transition.ts";
import { type ApprovalStep, type Asked, approvalStepped } from "../../core/audit/account-events.ts";
import { grantWritten } from "../../core/audit/audit.ts";
import { SallyportError } from "../../core/errors.ts";
import { isMember, type Principal } from "../../core/identity/principal.ts";
import type { ApprovalId } from "../../core/ports/approval-desk.ts";
import type { Approval } from "../../core/ports/approval-store.ts";
import { siteOf } from "../shared/site.ts";
import type { ApprovalsDeps } from "./deps.ts";
import type { DecisionBody, ListQuery } from "./queries.ts";

/** An approval as one person sees it, and what that person may do with it now. */
export interface SeenApproval {
  readonly approval: Approval;
  readonly mayDecide: boolean;
  readonly mayCancel: boolean;
  readonly mayRevoke: boolean;
}

interface ApprovalsPage {
  readonly items: readonly SeenApproval[];
  /** What to continue after; null on the last page. */
  readonly next: ApprovalId | null;
}

type AskedBy = Asked & { readonly by: Principal };

/** What people do with approvals. Each method throws `not-found` alike for what is not there and what is not theirs to see. */
export interface PeopleDesk {
  find(principal: Principal, id: string): Promise<SeenApproval>;
  list(principal: Principal, query: ListQuery): Promise<ApprovalsPage>;
  /** The approval of a mail's link, to the one whom the mail was for. Has no effect. Throws `access-denied`. */
  byMail(principal: Principal, token: string): Promise<SeenApproval>;
  decide(asked: AskedBy, id: string, decision: DecisionBody): Promise<SeenApproval>;
  cancel(asked: AskedBy, id: string): Promise<SeenApproval>;
  revoke(asked: AskedBy, id: string): Promise<SeenApproval>;
}

interface Taken {
  readonly step: ApprovalStep;
  /** The person's own words. */
  readonly said: string;
  readonly judge: (approval: Approval) => Outcome;
}

export function peopleDesk(deps: ApprovalsDeps): PeopleDesk {
  const { approvals: store, clock, logger } = deps;
  const seen = (approval: Approval, principal: Principal): SeenApproval => seenBy(approval, principal, clock());
  const visible = async (principal: Principal, id: string): Promise<Approval> => {
    const found = await store.get(id as ApprovalId);
    if (found === undefined || !maySee(deps, found, principal)) throw noSuchApproval();
    return found;
  };
  /** What would be refused is told at once. What counts is written first: a grant lets a held statement go within the second. */
  const take = async (asked: AskedBy, id: string, { step, said, judge }: Taken): Promise<SeenApproval> => {
    const { by } = asked;
    const found = await visible(by, id);
    const change = (): Promise<Approval> => transition(store, found.id, judge);
    const record = (failed?: { code: string; message: string }) =>
      approvalStepped(asked, found, step, clock(), { words: said, failed });
    const changed = await (judge(found).kind === "refused" ? change() : grantWritten(deps.audit, record, change));
    logger.info({ approval: found.id, principal: by.id, status: changed.status }, `approval ${step}`);
    return seen(changed, by);
  };
  const list = async (principal: Principal, { waiting, limit, after }: ListQuery): Promise<ApprovalsPage> => {
    const all = waiting !== "me" && isMember(principal, deps.auditors);
    const rows = await store.list({
      limit: limit + 1, // one more, to know whether there are more
      ...(!all && { seenBy: principal }),
      ...(waiting !== undefined && { waitingAt: clock() }),
      ...(after !== undefined && { after: (await visible(principal, after)).id }),
    });
    const page = rows.slice(0, limit).map((approval) => seen(approval, principal));
    const next = rows.length > limit ? (page.at(-1)?.approval.id ?? null) : null;
    return { items: waiting === "me" ? page.filter(({ mayDecide }) => mayDecide) : page, next };
  };
  return {
    find: async (principal, id) => seen(await visible(principal, id), principal),
    list,
    byMail: async (principal, token) => {
      const { approval } = await demandAddressee(deps, principal, token);
      return seen(await visible(principal, approval), principal);
    },
    decide: async (asked, id, { decision, words, token }) => {
      const { by } = asked;
      if (token !== undefined && (await demandAddressee(deps, by, token)).approval !== id) throw noSuchApproval();
      const consents = decision === "approve";
      const judge = (approval: Approval): Outcome => answer(approval, { by, consents, words }, clock());
      return take(asked, id, { step: consents ? "consented" : "refused", said: words, judge });
    },
    cancel: (asked, id) =>
      take(asked, id, { step: "cancelled", said: "", judge: (approval) => cancel(approval, asked.by, clock()) }),
    revoke: (asked, id) =>
      take(asked, id, { step: "revoked", said: "", judge: (approval) => revoke(approval, asked.by, clock()) }),
  };
}

function maySee({ auditors }: ApprovalsDeps, approval: Approval, principal: Principal): boolean {
  const own = approval.requester.id === principal.id;
  return own || askedGroups(approval, principal).length > 0 || isMember(principal, auditors);
}

function seenBy(approval: Approval, principal: Principal, now: number): SeenApproval {
  const status = statusAt(approval, now);
  const barred = barredFrom(approval, principal) !== undefined;
  const answered = approval.answers.some(({ by }) => by.id === principal.id);
  const own = approval.requester.id === principal.id;
  return {
    approval: { ...approval, status },
    mayDecide: status === "requested" && !barred && !answered,
    mayCancel: own && (status === "requested" || status === "granted"),
    mayRevoke: status === "granted" && !barred,
  };
}

/** The link of a mail is for the one whom the mail was for; it adds no right to those that the person has. */
async function demandAddressee(deps: ApprovalsDeps, principal: Principal, token: string): Promise<MailToken> {
  const authority = { issuer: siteOf(deps.baseUrl).origin, key: deps.tokenKey };
  const link = await verifyMailToken(authority, token, deps.clock());
  if (link.person === principal.id) return link;
  const email = (await deps.people.find(principal.id))?.email;
  if (email !== undefined && foldName(email) === link.email) return link;
  throw new SallyportError("access-denied", "this link was sent to somebody else", {
    hint: "what waits for you is listed at /approvals",
  });
}
