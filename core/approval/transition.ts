import { type ErrorCode, SallyportError } from "../errors.ts";
import type { ApprovalId } from "../ports/approval-desk.ts";
import type { Approval, ApprovalStore } from "../ports/approval-store.ts";
import type { Outcome, Refused } from "./state.ts";

/** Each lost race is somebody else's answer; a request that so many answer at once is tried again by hand. */
const MAX_RACES = 25;

/** What people and clients are told, by reason. */
const REFUSALS: Readonly<Record<Refused, { code: ErrorCode; message: string; hint?: string }>> = {
  "not-asked": { code: "access-denied", message: "none of your groups is asked" },
  "not-a-person": { code: "access-denied", message: "only a person can consent" },
  "own-request": {
    code: "access-denied",
    message: "this is your own request",
    hint: "another member of the group must decide on it",
  },
  "answered-before": { code: "conflict", message: "you have consented to this already; others must, too" },
  over: { code: "conflict", message: "it is decided, used or over already" },
  "not-granted": { code: "conflict", message: "it is not granted" },
  "not-yours": { code: "conflict", message: "the approval is another's" },
  "not-what-was-approved": { code: "conflict", message: "this is not what was approved" },
};

/**
 * Takes one step of the state machine in the store. Whoever loses a race judges again by what the winner has left, so that no
 * two steps are ever taken from one state.
 * @returns what is stored now. Throws `not-found`, or the refusal's own error.
 */
export async function transition(
  store: ApprovalStore,
  id: ApprovalId,
  step: (approval: Approval) => Outcome,
): Promise<Approval> {
  for (let races = 0; races < MAX_RACES; races++) {
    const found = await store.get(id);
    if (found === undefined) throw noSuchApproval();
    const outcome = step(found);
    if (outcome.kind === "refused") throw refusalOf(outcome.why);
    if (await store.replace(outcome.approval)) return outcome.approval;
  }
  throw new SallyportError("conflict", "too many answer at once", { hint: "try again" });
}

/** The same for an approval that is not there and for one that somebody may not see. */
export function noSuchApproval(): SallyportError {
  return new SallyportError("not-found", "there is no such approval, or it is not for you to see");
}

function refusalOf(why: Refused): SallyportError {
  const { code, message, hint } = REFUSALS[why];
  return new SallyportError(code, message, hint === undefined ? {} : { hint });
}
