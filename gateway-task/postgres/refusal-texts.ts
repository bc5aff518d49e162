import { asSallyportError, ERRORS } from "../../core/errors.ts";
import type { Decision } from "../../core/ports/approval-desk.ts";
import { consentsText, type Waiting } from "../consent.ts";
import { noticeResponse, type Refusal } from "./refusal.ts";
import type { Block, Hold } from "../ruling.ts";

/** The one place that turns what was decided into PostgreSQL's terms. */

const INSUFFICIENT_PRIVILEGE = "42501";
const QUERY_CANCELED = "57014";

export function refusalOfBlock({ policies, reason }: Pick<Block, "policies" | "reason">): Refusal {
  return {
    sqlstate: INSUFFICIENT_PRIVILEGE,
    message: reason,
    detail: policies.length > 0 ? `Policy: ${policies.join(", ")}.` : "No policy permits it.",
    hint: "No consent can be asked for it here: who keeps the policies can say how else it is done.",
  };
}

/** Undefined: it was granted, under the policies that still hold. */
export function refusalOfDecision(
  decided: Decision,
  { policies, policyVersion }: Pick<Hold, "policies" | "policyVersion">,
  version: string,
): Refusal | undefined {
  const refusal = { sqlstate: INSUFFICIENT_PRIVILEGE, detail: `Policy: ${policies.join(", ")}.` };
  switch (decided.kind) {
    case "granted":
      if (version === policyVersion) return undefined;
      return { ...refusal, message: "the policies have changed while it was held", hint: "Ask again." };
    case "denied": {
      const { name, words } = decided.by;
      return { ...refusal, message: `denied by ${name}${words === "" ? "" : `: ${words}`}` };
    }
    case "expired":
      return { ...refusal, message: "nobody consented in time", hint: "Ask again when an approver is at hand." };
    case "cancelled":
      return { sqlstate: QUERY_CANCELED, message: "cancelled while it was held for consent" };
  }
}

/** What failed, so that nothing can be said for it: it does not run (invariant 2). */
export function refusalOfError(thrown: unknown): Refusal {
  const { code, message, hint } = asSallyportError(thrown, "internal", "the gateway failed");
  return { sqlstate: ERRORS[code].sqlstate, message, ...(hint === undefined ? {} : { hint }) };
}

/** What a client is told at once when a statement of its is held. */
export function noticeOfHold(
  { reason, consents, policies }: Pick<Hold, "reason" | "consents" | "policies">,
  { link, expiresAt }: Waiting,
  inTransaction: boolean,
): Buffer {
  const locks = inTransaction ? " Meanwhile your transaction stays open, and keeps its locks." : "";
  return noticeResponse(
    `held for consent: ${reason}`,
    `Asked of ${consentsText(consents)}, until ${new Date(expiresAt).toISOString()}. Policy: ${policies.join(", ")}.${locks}`,
    `They decide at ${link} ; Ctrl-C gives up.`,
  );
}
