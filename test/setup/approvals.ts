import { randomBytes } from "node:crypto";
import type { Digest } from "../../core/brand.ts";
import { newApproval } from "../../core/approval/state.ts";
import type { Principal, PrincipalId } from "../../core/identity/principal.ts";
import type { ApprovalId, HeldRequest } from "../../core/ports/approval-desk.ts";
import type { Approval } from "../../core/ports/approval-store.ts";

export const NOW = 1_800_000_000_000;
export const LIFETIME_MS = 15 * 60 * 1000;

export const person = (name: string, ...groups: string[]): Principal => ({
  kind: "user",
  id: `https://idp.example|${name}` as PrincipalId,
  name: `${name}@shop.example`,
  groups,
});
export const ALICE = person("alice", "engineers");
export const BOB = person("bob", "approvers");
export const ERIN = person("erin", "approvers");

export const digestOf = (digit: string): Digest => digit.repeat(64) as Digest;

export function held(over: Partial<HeldRequest> = {}): HeldRequest {
  return {
    kind: "statement",
    session: undefined,
    requester: ALICE,
    connection: "shop",
    environment: "production",
    client: "192.0.2.7:50123",
    shown: "DELETE FROM orders",
    digest: digestOf("a"),
    policyVersion: "v1",
    policies: ["hold-unbounded-writes"],
    reason: "DELETE without WHERE needs a consent",
    consents: [{ group: "approvers", count: 1 }],
    requestedAt: NOW,
    expiresAt: NOW + LIFETIME_MS,
    ...over,
  };
}

export function requested(over: Partial<HeldRequest> = {}): Approval {
  return newApproval(randomBytes(16).toString("base64url") as ApprovalId, held(over));
}
