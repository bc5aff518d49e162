import { createHash } from "node:crypto";
import type { Digest } from "../core/brand.ts";
import type { Verdict } from "../core/policy/verdict.ts";

type Kind<K extends Verdict["kind"]> = Extract<Verdict, { kind: K }>;

export interface Block extends Kind<"block"> {
  readonly policyVersion: string;
}

/** What is held: exactly these bytes, under exactly these policies (invariant 5). */
export interface Hold extends Kind<"hold"> {
  readonly policyVersion: string;
  /** What approvers are shown. */
  readonly shown: string;
  readonly digest: Digest;
}

/** What becomes of a message. */
export type Ruling = { readonly kind: "pass" } | Block | Hold;

/** A refusal by the gateway's own rules. */
export function blocked(policy: string, policyVersion: string, reason: string): Block {
  return { kind: "block", policies: [policy], policyVersion, reason };
}

/** SHA-256 of parts, none of which can be taken for a part of its neighbour. */
export function digestOf(what: string, parts: readonly (Buffer | string)[]): Digest {
  const hash = createHash("sha256").update(`sallyport ${what}\n`);
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}\n`).update(part);
  return hash.digest("hex") as Digest;
}
