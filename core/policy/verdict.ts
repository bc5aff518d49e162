import type { Instant } from "../brand.ts";
import type { Principal } from "../identity/principal.ts";
import type { PgAction, SshChannel } from "./actions.ts";
import type { StatementFacts } from "./facts.ts";
import type { FileOperation } from "./file-operations.ts";
import type { CommandFacts } from "./shell/facts.ts";

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

/** One thing that is done to one file of the target. Of two paths (a rename, a link) each is asked for by itself. */
interface FileAsk {
  readonly operation: FileOperation;
  /** As it is, or will be, at the target: absolute, wherever the target tells that. */
  readonly path: string;
}

/** The end of a forwarded connection: where it leads to, or where the target is to listen. */
export interface Peer {
  readonly host: string;
  readonly port: number;
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
  /** What is run by `exec`, or a line of a shell. The far end of a file transfer is judged as `ssh:read` or `ssh:write` of its paths. */
  command(ask: Ask, facts: CommandFacts): Verdict;
  /** `ssh:read` or `ssh:write`, as the operation is. */
  file(ask: Ask, file: FileAsk): Verdict;
  /** A connection from the client through the target (`-L`, `-D`, `-W`, `-J`). */
  forward(ask: Ask, to: Peer): Verdict;
  /** A port of the target that leads to the client (`-R`). */
  listen(ask: Ask, at: Peer): Verdict;
  /** A channel of which there is no more to say. */
  ssh(ask: Ask, channel: SshChannel): Verdict;
  /** The policy that exempts this principal, if there is one (`connectUnrecorded`, `viewUnmasked`). */
  exempts(ask: Ask, from: "recording" | "masking"): string | undefined;
}
