import type { Branded, Digest, Instant } from "../brand.ts";
import type { Principal } from "../identity/principal.ts";
import type { Consent } from "../policy/verdict.ts";
import type { SessionId } from "./session-store.ts";

/** 128 random bits of ours, in base64url: never a client's. */
export type ApprovalId = Branded<string, "ApprovalId">;

/** What somebody asks for, exactly as it is held (invariant 5). */
export interface HeldRequest {
  /** `command`: anything that is asked over SSH. */
  readonly kind: "statement" | "connect" | "command";
  readonly session: SessionId | undefined;
  readonly requester: Principal;
  readonly connection: string;
  readonly environment: string;
  /** `address:port`. */
  readonly client: string;
  /** What approvers are shown: secrets scrubbed, length bounded; not yet escaped for any medium. */
  readonly shown: string;
  /** SHA-256 of the held bytes: statement and bound parameters. */
  readonly digest: Digest;
  readonly policyVersion: string;
  readonly policies: readonly string[];
  readonly reason: string;
  readonly consents: readonly Consent[];
  readonly requestedAt: Instant;
  readonly expiresAt: Instant;
}

export interface Voice {
  readonly id: string;
  readonly name: string;
  readonly words: string;
}

export type Decision =
  | { readonly kind: "granted"; readonly by: readonly Voice[] }
  | { readonly kind: "denied"; readonly by: Voice }
  | { readonly kind: "expired" }
  | { readonly kind: "cancelled" };

/** What the data path needs of approvals. Every method throws `store-unavailable` when the store cannot answer. */
export interface ApprovalDesk {
  /** Records the request and sees that its approvers are told; answers the page where they decide. */
  request(request: HeldRequest): Promise<{ readonly id: ApprovalId; readonly link: string }>;
  /**
   * Resolves within a second of the decision, or when it has expired; rejects when `signal` aborts. Thousands may wait: one
   * question to the store a tick serves them all.
   */
  decided(id: ApprovalId, signal: AbortSignal): Promise<Decision>;
  /** Uses up a granted approval, once, for exactly this. Throws `conflict` where it was used, revoked, expired or is another's. */
  use(id: ApprovalId, held: Pick<HeldRequest, "requester" | "connection" | "digest" | "policyVersion">): Promise<void>;
  /** The requester gave up (Ctrl-C, or gone). Idempotent; late answers are refused from then on. */
  cancel(id: ApprovalId): Promise<void>;
  /** A granted and unused approval for exactly this, if there is one: for a connect that was let in on the next try. */
  granted(
    held: Pick<HeldRequest, "kind" | "requester" | "connection" | "digest" | "policyVersion">,
  ): Promise<ApprovalId | undefined>;
}
