import { createHash } from "node:crypto";
import type { Digest } from "../core/brand.ts";
import { SallyportError } from "../core/errors.ts";
import type { Ask, Policies, Verdict } from "../core/policy/verdict.ts";
import type { ApprovalId, Decision } from "../core/ports/approval-desk.ts";
import type { SessionEvent } from "../core/recording/events.ts";
import {
  approvalEvent,
  type Asked,
  type Asker,
  type ConsentDeps,
  heldEvent,
  request,
  type Waiting,
} from "./consent.ts";

/** A log-in waits so long for consent, then it is refused with the link, and let in on a later try. */
export const CONNECT_PATIENCE_MS = 60_000;

type ConnectHold = Extract<Verdict, { kind: "hold" }>;

/** Who wants to connect to what, as approvers are shown it. */
export interface Admittance {
  readonly ask: Ask;
  readonly asker: Asker;
  readonly shown: string;
}

/** What the log-in does while it waits. */
export interface Doorway {
  readonly told: (hold: ConnectHold, waiting: Waiting) => void;
  /** Aborted when the client is gone, or the log-in takes too long. A request that is made goes on waiting. */
  readonly signal: AbortSignal;
}

/**
 * Judges `connect`. Answers what the recording is to say of it, once there is one.
 * Throws `access-denied` where a policy or an approver refuses, or nobody has decided yet.
 */
export async function admit(
  deps: ConsentDeps & { readonly policies: () => Policies },
  { ask, asker, shown }: Admittance,
  doorway: Doorway,
): Promise<readonly SessionEvent[]> {
  const policies = deps.policies();
  const verdict = policies.connect(ask);
  if (verdict.kind === "allow") return [];
  if (verdict.kind === "block") throw refused(verdict.reason, verdict.policies, "No consent can be asked for it.");
  const digest = createHash("sha256").update(`connect\0${shown}`).digest("hex") as Digest;
  const asked: Asked = { ...verdict, about: "connect", shown, digest, policyVersion: policies.version };
  const held = { requester: asker.requester, connection: asker.connection, digest, policyVersion: policies.version };
  const earlier = await deps.approvals.granted({ kind: "connect", ...held });
  const { id, events } = earlier === undefined ? await wait(deps, asker, asked, doorway) : known(earlier, asked);
  if (deps.policies().version !== policies.version)
    throw refused("the policies have changed while it was held", verdict.policies, "Connect again.");
  await deps.approvals.use(id, held);
  return events;
}

interface Admitted {
  readonly id: ApprovalId;
  readonly events: readonly SessionEvent[];
}

/** Consent that was given while nobody waited for it. */
function known(id: ApprovalId, asked: Asked): Admitted {
  return { id, events: [approvalEvent(id, asked, { kind: "granted", by: [] })] };
}

async function wait(deps: ConsentDeps, asker: Asker, asked: Asked, { told, signal }: Doorway): Promise<Admitted> {
  const release = deps.held.take(asker.requester.id);
  try {
    const waiting = await request(deps, asker, asked);
    signal.throwIfAborted();
    told(asked, waiting);
    const decided = await decision(deps, waiting, signal);
    if (decided.kind !== "granted") throw notGranted(decided, asked);
    return { id: waiting.id, events: [heldEvent(asked, waiting), approvalEvent(waiting.id, asked, decided)] };
  } finally {
    release();
  }
}

async function decision({ approvals }: ConsentDeps, { id, link }: Waiting, signal: AbortSignal): Promise<Decision> {
  const patience = AbortSignal.timeout(CONNECT_PATIENCE_MS);
  try {
    return await approvals.decided(id, AbortSignal.any([signal, patience]));
  } catch (thrown) {
    if (!patience.aborted || signal.aborted) throw thrown;
    throw new SallyportError("access-denied", "nobody has consented to this connection yet", {
      hint: `They decide at ${link} ; connect again then.`,
      cause: thrown,
    });
  }
}

function notGranted(decided: Exclude<Decision, { kind: "granted" }>, { policies }: Asked): SallyportError {
  if (decided.kind === "expired") return refused("nobody consented in time", policies, "Ask again.");
  if (decided.kind === "cancelled") return refused("the request was cancelled", policies, "Ask again.");
  const { name, words } = decided.by;
  return refused(`denied by ${name}${words === "" ? "" : `: ${words}`}`, policies, "");
}

function refused(reason: string, policies: readonly string[], next: string): SallyportError {
  const which = policies.length > 0 ? `Policy: ${policies.join(", ")}.` : "No policy permits it.";
  return new SallyportError("access-denied", reason, { hint: `${which} ${next}`.trim() });
}
