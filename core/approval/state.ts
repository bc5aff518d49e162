import type { Instant } from "../brand.ts";
import { isSameAsker, type Principal } from "../identity/principal.ts";
import type { ApprovalId, HeldRequest } from "../ports/approval-desk.ts";
import type { Answer, Approval, ApprovalStatus } from "../ports/approval-store.ts";
import { quorumMet } from "./quorum.ts";
import { isOwnRequest, samePerson } from "./same-person.ts";

/** Why a step was not taken. `over` is a request or a grant whose time or state has passed. */
export type Refused =
  | "not-asked"
  | "not-a-person"
  | "own-request"
  | "answered-before"
  | "over"
  | "not-granted"
  | "not-yours"
  | "not-what-was-approved";

export type Outcome =
  { readonly kind: "changed"; readonly approval: Approval } | { readonly kind: "refused"; readonly why: Refused };

/** What a grant is compared with when it is used: all of it the gateway's own knowledge. */
export type Held = Pick<HeldRequest, "requester" | "connection" | "digest" | "policyVersion">;

export function newApproval(id: ApprovalId, request: HeldRequest): Approval {
  return { ...request, id, status: "requested", answers: [], decidedAt: undefined, closed: undefined, revision: 1 };
}

/** What the clock has made of it: ends are absolute, of a request and of a grant alike. A time that is no number is past them. */
export function statusAt({ status, expiresAt }: Approval, now: Instant): ApprovalStatus {
  const open = status === "requested" || status === "granted";
  return open && !(now < expiresAt) ? "expired" : status;
}

/** Those groups that are asked for a consent and that this principal is a member of. */
export function askedGroups({ consents }: Pick<Approval, "consents">, { groups }: Principal): string[] {
  return [...new Set(consents.map(({ group }) => group))].filter((group) => groups.includes(group));
}

/** May this principal answer, as far as who they are decides? Undefined: yes. */
export function barredFrom(approval: Approval, by: Principal): Refused | undefined {
  if (askedGroups(approval, by).length === 0) return "not-asked";
  if (by.kind !== "user") return "not-a-person";
  return isOwnRequest(approval.requester, by) ? "own-request" : undefined;
}

interface Given {
  readonly by: Principal;
  readonly consents: boolean;
  readonly words: string;
}

/**
 * Somebody consents or refuses. One refusal denies; the consents grant when all that were asked for are there, by distinct people
 * (invariant 5). Whoever has consented may still refuse, as long as nothing is decided.
 */
export function answer(approval: Approval, { by, consents, words }: Given, now: Instant): Outcome {
  const barred = barredFrom(approval, by);
  if (barred !== undefined) return refused(barred);
  if (statusAt(approval, now) !== "requested") return refused("over");
  if (consents && approval.answers.some((before) => samePerson(before.by, by))) return refused("answered-before");
  const { id, name } = by;
  const given: Answer = { by: { id, name }, groups: askedGroups(approval, by), consents, words, at: now };
  const answers = [...approval.answers, given];
  if (!consents) return changed(approval, { answers, status: "denied", decidedAt: now });
  return quorumMet(approval.consents, answers)
    ? changed(approval, { answers, status: "granted", decidedAt: now })
    : changed(approval, { answers });
}

/** Uses up a grant, once, for exactly what was approved (invariant 5). */
export function use(approval: Approval, held: Held, now: Instant): Outcome {
  if (!isSameAsker(approval.requester, held.requester)) return refused("not-yours");
  const same =
    approval.connection === held.connection &&
    approval.digest === held.digest &&
    approval.policyVersion === held.policyVersion;
  if (!same) return refused("not-what-was-approved");
  const status = statusAt(approval, now);
  if (status === "requested") return refused("not-granted");
  if (status !== "granted") return refused("over");
  return changed(approval, { status: "used", closed: { at: now, by: undefined } });
}

/**
 * The requester has given up. What was granted meanwhile is revoked: nobody waits for it any more.
 * @param by who says so; undefined where it is the gateway, whose client has gone
 */
export function cancel(approval: Approval, by: Principal | undefined, now: Instant): Outcome {
  if (by !== undefined && approval.requester.id !== by.id) return refused("not-yours");
  const status = statusAt(approval, now);
  if (status === "granted") return changed(approval, { status: "revoked", closed: closing(by, now) });
  if (status !== "requested") return refused("over");
  return changed(approval, { status: "cancelled", decidedAt: now, closed: closing(by, now) });
}

/** A member of the asked groups takes a grant back that was not used yet. */
export function revoke(approval: Approval, by: Principal, now: Instant): Outcome {
  const barred = barredFrom(approval, by);
  if (barred !== undefined) return refused(barred);
  const status = statusAt(approval, now);
  if (status === "requested") return refused("not-granted");
  return status === "granted" ? changed(approval, { status: "revoked", closed: closing(by, now) }) : refused("over");
}

/** Writes down that nobody has decided in time. */
export function expire(approval: Approval, now: Instant): Outcome {
  if (approval.status !== "requested" || statusAt(approval, now) !== "expired") return refused("over");
  return changed(approval, { status: "expired", decidedAt: now });
}

function closing(by: Principal | undefined, at: Instant): Approval["closed"] {
  return { at, by: by && { id: by.id, name: by.name } };
}

function changed(approval: Approval, over: Partial<Approval>): Outcome {
  return { kind: "changed", approval: { ...approval, ...over, revision: approval.revision + 1 } };
}

function refused(why: Refused): Outcome {
  return { kind: "refused", why };
}
