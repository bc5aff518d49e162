import type { Instant } from "../brand.ts";
import type { Principal } from "../identity/principal.ts";
import type { PgAction } from "./actions.ts";
import type { StatementFacts } from "./facts.ts";

/** So many consents of distinct members of one group. */
export interface Consent {
  readonly group: string;
  readonly count: number;
}

/** What becomes of what was asked, and why. `policies` are the ids of those that decided. */
export type Verdict =
  | { readonly kind: "allow"; readonly policies: readonly string[] }
  | {
      readonly kind: "hold";
      readonly policies: readonly string[];
      /** What the client is told (`@reason`). */
      readonly reason: string;
      /** All of them are needed, all by different people. */
      readonly consents: readonly Consent[];
    }
  | { readonly kind: "block"; readonly policies: readonly string[]; readonly reason: string };

/** What is judged. Everything in it is the gateway's own knowledge (invariant 4). */
export interface Ask {
  readonly principal: Principal;
  readonly connection: { readonly name: string; readonly environment: string };
  readonly now: Instant;
}

/**
 * A validated set of policies. Pure: the same ask gets the same verdict. Where a policy cannot be evaluated, it is a block
 * (invariant 2).
 */
export interface Policies {
  /** SHA-256 of the whole set, in hex: approvals are bound to it. */
  readonly version: string;
  connect(ask: Ask): Verdict;
  /** The strictest verdict over all actions of all statements of one message. Cached by what it depends on. */
  statements(ask: Ask, facts: readonly StatementFacts[]): Verdict;
  /** An action that has no SQL text, such as `pg:functionCall`. */
  action(ask: Ask, action: PgAction): Verdict;
  /** The policy that exempts this principal, if there is one (`connectUnrecorded`, `viewUnmasked`). */
  exempts(ask: Ask, from: "recording" | "masking"): string | undefined;
}
