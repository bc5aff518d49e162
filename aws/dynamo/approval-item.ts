import type { Answer, Approval } from "../../core/ports/approval-store.ts";
import type { Item, Key } from "./expressions.ts";
import { partition } from "./keys.ts";
import { principalItem, principalOf } from "./principal.ts";

/** DynamoDB's 400 KB, less fifty answers with their names, groups and words. */
export const MAX_NEW_APPROVAL_BYTES = 300 * 1024;

/** The sort key of an approval itself: in the table's stream it tells approvals from the entries of views. */
export const APPROVAL_SORT_KEY = "approval";

export function approvalKey(id: string): Key {
  return { pk: partition("approval", id), sk: APPROVAL_SORT_KEY };
}

/** An approval as its item keeps it, without the key. */
export function approvalItem(approval: Approval): Item {
  const { id, kind, session, requester, connection, environment, client, shown, digest, policyVersion } = approval;
  const { policies, reason, consents, requestedAt, expiresAt, status, answers, decidedAt, closed, revision } = approval;
  const asked = { id, kind, session, requester: principalItem(requester), connection, environment, client, shown };
  const judged = { digest, policyVersion, policies: [...policies], reason, requestedAt, expiresAt };
  const asks = consents.map(({ group, count }) => ({ group, count }));
  const ended = closed && { at: closed.at, by: closed.by && { id: closed.by.id, name: closed.by.name } };
  return { ...asked, ...judged, consents: asks, status, answers: answers.map(answerItem), decidedAt, closed: ended, revision }; // prettier-ignore
}

function answerItem({ by, groups, consents, words, at }: Answer): Item {
  return { by: { id: by.id, name: by.name }, groups: [...groups], consents, words, at };
}

/** An approval of its item, as the table keeps it or its stream shows it (unmarshalled). */
export function toApproval(item: Item): Approval {
  const { id, kind, session, requester, connection, environment, client, shown, digest, policyVersion } = item;
  const { policies, reason, consents, requestedAt, expiresAt, status, answers, decidedAt, closed, revision } = item;
  const asked = { id, kind, session, requester: principalOf(requester), connection, environment, client, shown };
  const judged = { digest, policyVersion, policies, reason, consents, requestedAt, expiresAt };
  const ended = closed && { at: closed.at, by: closed.by };
  return { ...asked, ...judged, status, answers, decidedAt, closed: ended, revision };
}
