import { scrub } from "../../core/approval/presentable.ts";
import type { Approval } from "../../core/ports/approval-store.ts";
import { formatInstant } from "../../core/recording/line-format.ts";
import type { SeenApproval } from "./people-desk.ts";

interface Named {
  readonly id: string;
  readonly name: string;
}

/** An approval as programs see it. Times are ISO 8601 in UTC. */
export interface ApprovalView {
  readonly id: string;
  readonly kind: Approval["kind"];
  readonly status: Approval["status"];
  readonly requester: Named;
  /** Who acts in the requester's place, whoever acts now first. */
  readonly actors: readonly string[];
  readonly connection: string;
  readonly environment: string;
  readonly client: string;
  readonly session: string | null;
  /** What is asked: without what looks like a secret, every other character as it came. */
  readonly shown: string;
  /** SHA-256 of the held bytes. */
  readonly digest: string;
  readonly policyVersion: string;
  readonly policies: readonly string[];
  readonly reason: string;
  readonly consents: readonly { readonly group: string; readonly count: number }[];
  readonly answers: readonly {
    readonly by: Named;
    readonly consents: boolean;
    readonly words: string;
    readonly at: string;
  }[];
  readonly requestedAt: string;
  readonly expiresAt: string;
  readonly decidedAt: string | null;
  /** When it was used, revoked or cancelled, and by whom where a person did it. */
  readonly closed: { readonly at: string; readonly by: Named | null } | null;
  /** What whoever asks may do with it now. */
  readonly may: { readonly decide: boolean; readonly cancel: boolean; readonly revoke: boolean };
}

export function approvalView({ approval, mayDecide, mayCancel, mayRevoke }: SeenApproval): ApprovalView {
  const { id, kind, status, connection, environment, client, digest, policyVersion, policies, reason } = approval;
  const { requester, session, shown, consents, answers, requestedAt, expiresAt, decidedAt, closed } = approval;
  return {
    id,
    kind,
    status,
    requester: { id: requester.id, name: requester.name },
    actors: requester.actors ?? [],
    connection,
    environment,
    client,
    session: session ?? null,
    shown: scrub(shown),
    digest,
    policyVersion,
    policies,
    reason,
    consents,
    answers: answers.map(({ by, consents: yes, words, at }) => ({ by, consents: yes, words, at: formatInstant(at) })),
    requestedAt: formatInstant(requestedAt),
    expiresAt: formatInstant(expiresAt),
    decidedAt: decidedAt === undefined ? null : formatInstant(decidedAt),
    closed: closed ? { at: formatInstant(closed.at), by: closed.by ?? null } : null,
    may: { decide: mayDecide, cancel: mayCancel, revoke: mayRevoke },
  };
}
