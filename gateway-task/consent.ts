import type { Logger } from "pino";
import type { Instant } from "../core/brand.ts";
import { SallyportError } from "../core/errors.ts";
import type { PrincipalId } from "../core/identity/principal.ts";
import type { Consent, Verdict } from "../core/policy/verdict.ts";
import type { ApprovalDesk, ApprovalId, Decision, HeldRequest } from "../core/ports/approval-desk.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { SessionEvent } from "../core/recording/events.ts";

/** How long approvers have. */
const CONSENT_TIMEOUT_MS = 10 * 60_000;
/** What one person may have waiting at a time: enough for a script on many sessions, too few to drown an approver. */
const MAX_HELD_BY_ONE = 16;
/** Of all people together, in one process. */
const MAX_HELD = 10_000;

/** Counts what waits. */
export interface HeldLimits {
  /** Answers what to call when it no longer waits. Throws `limit-exceeded`. */
  take(person: PrincipalId): () => void;
  /** What waits now. */
  readonly size: number;
}

export function newHeldLimits(): HeldLimits {
  const held = new Map<PrincipalId, number>();
  let inAll = 0;
  return {
    get size() {
      return inAll;
    },
    take(person) {
      const own = held.get(person) ?? 0;
      if (own >= MAX_HELD_BY_ONE || inAll >= MAX_HELD)
        throw new SallyportError("limit-exceeded", "too much is waiting for consent already", {
          hint: "Wait until some of it was decided, or cancel it.",
        });
      held.set(person, own + 1);
      inAll++;
      return () => {
        inAll--;
        const left = (held.get(person) ?? 1) - 1;
        if (left > 0) held.set(person, left);
        else held.delete(person);
      };
    },
  };
}

export interface ConsentDeps {
  readonly approvals: ApprovalDesk;
  readonly held: HeldLimits;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Who asks, and where. */
export type Asker = Pick<HeldRequest, "session" | "requester" | "connection" | "environment" | "client">;

/** What is asked for: exactly this, under exactly these policies. */
export type Asked = Extract<Verdict, { kind: "hold" }> &
  Pick<HeldRequest, "shown" | "digest" | "policyVersion"> & { readonly about: HeldRequest["kind"] };

/** A request that approvers have been told of. */
export interface Waiting {
  readonly id: ApprovalId;
  readonly link: string;
  readonly expiresAt: Instant;
}

/** What the session does while it waits. */
export interface Witness {
  /** Writes an event at once; what it answers resolves when that is as durable as it must be. */
  readonly record: (event: SessionEvent) => void | Promise<void>;
  /** Tells the client of the request. */
  readonly told: (waiting: Waiting) => void;
  /** Aborted when the client gives up, or is gone. */
  readonly signal: AbortSignal;
}

/**
 * Makes a request and waits until it is decided, and used up where it is granted. What becomes of it is recorded before it
 * is answered. Rejects where the desk or the recorder fails: nothing was consented then.
 */
export async function askConsent(deps: ConsentDeps, asker: Asker, asked: Asked, witness: Witness): Promise<Decision> {
  const release = deps.held.take(asker.requester.id);
  try {
    const waiting = await request(deps, asker, asked);
    await witness.record(heldEvent(asked, waiting));
    const decided = await decision(deps, waiting, asked, witness);
    const { requester, connection } = asker;
    const { digest, policyVersion } = asked;
    if (decided.kind === "granted")
      await deps.approvals.use(waiting.id, { requester, connection, digest, policyVersion });
    if (decided.kind !== "cancelled") await witness.record(approvalEvent(waiting.id, asked, decided));
    return decided;
  } finally {
    release();
  }
}

/** Makes a request, and sees that its approvers are told. */
export async function request({ approvals, clock }: ConsentDeps, asker: Asker, asked: Asked): Promise<Waiting> {
  const requestedAt = clock();
  const expiresAt = requestedAt + CONSENT_TIMEOUT_MS;
  const { about, shown, digest, policyVersion, policies, reason, consents } = asked;
  const what = { shown, digest, policyVersion, policies, reason, consents };
  return { ...(await approvals.request({ kind: about, ...asker, ...what, requestedAt, expiresAt })), expiresAt };
}

async function decision(
  { approvals, logger }: ConsentDeps,
  waiting: Waiting,
  asked: Asked,
  { record, told, signal }: Witness,
): Promise<Decision> {
  const { id } = waiting;
  const unless = (what: string) => (error: unknown) => logger.warn({ err: error, approval: id }, what);
  let cancel: (() => void) | undefined;
  const gaveUp = new Promise<Decision>((done) => {
    cancel = () => {
      attempt(() => approvals.cancel(id), unless("a request stays open"));
      // At once: the recording of a session that ends is about to be sealed. Or it is what has ended it, and takes nothing more:
      // what a listener of a signal throws would end the process.
      attempt(
        () => record(approvalEvent(id, asked, { kind: "cancelled" })),
        unless("a cancelled request is not recorded"),
      );
      done({ kind: "cancelled" });
    };
    if (signal.aborted) cancel();
    else signal.addEventListener("abort", cancel, { once: true });
  });
  try {
    if (!signal.aborted) told(waiting);
    return await Promise.race([gaveUp, approvals.decided(id, signal)]);
  } finally {
    if (cancel) signal.removeEventListener("abort", cancel);
  }
}

/** Hears of what an action throws, at once or later. */
function attempt(action: () => void | Promise<void>, failed: (error: unknown) => void): void {
  try {
    Promise.resolve(action()).catch(failed);
  } catch (error) {
    failed(error);
  }
}

/** What became of a request. */
export function approvalEvent(approval: ApprovalId, { digest }: Asked, decided: Decision): SessionEvent {
  const by = decided.kind === "granted" ? decided.by : decided.kind === "denied" ? [decided.by] : [];
  const voices = by.map(({ id, name, words }) => ({ id, name, words }));
  return { type: "approval", approval, outcome: decided.kind, by: voices, digest };
}

/** What is held, and of whom consent is asked. */
export function heldEvent(asked: Asked, { id, expiresAt }: Waiting): SessionEvent {
  const { about, policies, policyVersion, reason, digest, shown, consents } = asked;
  return {
    type: "verdict",
    about,
    kind: "hold",
    policies: [...policies],
    policyVersion,
    reason,
    approval: id,
    digest,
    shown,
    consents: [...consents],
    expiresAt,
  };
}

/** `2 of dba and 1 of security`. */
export function consentsText(consents: readonly Consent[]): string {
  return consents.map(({ group, count }) => `${count} of ${group}`).join(" and ");
}
