import { z } from "zod";
import { APPROVAL_STATUSES } from "../../core/ports/approval-store.ts";
import { operation, type Paths, time } from "../openapi/operation.ts";
import { decisionBody, listQuery } from "./queries.ts";

const named = z.strictObject({ id: z.string(), name: z.string() });

const approval = z
  .strictObject({
    id: z.string(),
    kind: z.enum(["statement", "connect", "command"]),
    status: z.enum(APPROVAL_STATUSES),
    requester: named,
    actors: z.array(z.string()).meta({ description: "Who acts in the requester's place, whoever acts now first." }),
    connection: z.string(),
    environment: z.string(),
    client: z.string(),
    session: z.string().nullable(),
    shown: z.string().meta({ description: "What is asked, without what looks like a secret." }),
    digest: z.string().meta({ description: "SHA-256 of the held bytes." }),
    policyVersion: z.string(),
    policies: z.array(z.string()),
    reason: z.string(),
    consents: z.array(z.strictObject({ group: z.string(), count: z.int() })),
    answers: z.array(z.strictObject({ by: named, consents: z.boolean(), words: z.string(), at: time })),
    requestedAt: time,
    expiresAt: time,
    decidedAt: time.nullable(),
    closed: z.strictObject({ at: time, by: named.nullable() }).nullable(),
    may: z.strictObject({ decide: z.boolean(), cancel: z.boolean(), revoke: z.boolean() }),
  })
  .meta({ id: "Approval" });

const approvals = z.strictObject({
  approvals: z.array(approval),
  next: z.string().nullable().meta({ description: "`after` of the next page; null on the last." }),
});

const byId = z.object({ id: z.string() });

/** What waits for consent, and deciding on it. */
export const APPROVALS_PATHS: Paths = {
  "/api/approvals": {
    get: operation({
      summary: "Approvals that I may see, newest first",
      query: listQuery,
      answer: approvals,
      errors: ["not-found"],
    }),
  },
  "/api/approvals/{id}": {
    get: operation({ summary: "One approval", path: byId, answer: approval, errors: ["not-found"] }),
  },
  "/api/approvals/{id}/decision": {
    post: operation({
      summary: "Approve or deny",
      path: byId,
      body: decisionBody,
      answer: approval,
      errors: ["not-found", "conflict"],
    }),
  },
  "/api/approvals/{id}/cancel": {
    post: operation({
      summary: "Take back one's own request",
      path: byId,
      answer: approval,
      errors: ["not-found", "conflict"],
    }),
  },
  "/api/approvals/{id}/revoke": {
    post: operation({
      summary: "Take back a grant that is not used yet",
      path: byId,
      answer: approval,
      errors: ["not-found", "conflict"],
    }),
  },
};
