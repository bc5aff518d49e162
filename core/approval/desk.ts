import { approvalRequested, approvalStepped } from "../audit/account-events.ts";
import { type Audit, grantWritten } from "../audit/audit.ts";
import type { Instant } from "../brand.ts";
import { SallyportError } from "../errors.ts";
import { isSameAsker } from "../identity/principal.ts";
import type { ApprovalDesk, ApprovalId, Decision, HeldRequest, Voice } from "../ports/approval-desk.ts";
import type { Answer, Approval, ApprovalStore } from "../ports/approval-store.ts";
import type { Clock } from "../ports/clock.ts";
import { cancel, expire, type Held, newApproval, type Outcome, statusAt, use } from "./state.ts";
import { transition } from "./transition.ts";
import { waitingRoom } from "./waiting.ts";

/** Every held session of one busy service; a client that asks in a loop ends here. */
const MAX_WAITING_PER_REQUESTER = 5_000;
/** Nobody reads more before answering for it. */
const MAX_SHOWN = 256 * 1024;
/** People whom one request can ask for. */
const MAX_CONSENTS = 50;
/** 128 bits: nobody guesses an id. */
const ID_BYTES = 16;

export interface DeskDeps {
  readonly store: ApprovalStore;
  readonly clock: Clock;
  /** That many cryptographically secure bytes, as `crypto.randomBytes` gives them. */
  readonly random: (size: number) => Uint8Array;
  /** The page where people decide. */
  link(id: ApprovalId): string;
  /** Sees that approvers are told; returns at once and never throws. */
  tell(approval: Approval): void;
  /** What is held, and what is let go, is written first: without that, it is neither (ADR 0022). */
  readonly audit: Audit;
}

/** The desk of one process. `close` lets nobody wait any more. */
export function approvalDesk(deps: DeskDeps): ApprovalDesk & { close(): void } {
  const { store, clock } = deps;
  const look = async (id: ApprovalId): Promise<Decision | undefined> => decisionOf(await current(deps, id));
  const waiting = waitingRoom({ store, clock, look });
  return {
    request: async (request) => {
      const found = await requestOnce(deps, request);
      return { id: found.id, link: deps.link(found.id) };
    },
    decided: async (id, signal) => {
      const found = await store.get(id);
      if (found === undefined) throw new SallyportError("not-found", "there is no such approval");
      return waiting.wait(id, found.expiresAt, signal);
    },
    use: async (id, held) => {
      await useWritten(deps, id, held);
    },
    cancel: async (id) => {
      await transition(store, id, (approval) => cancel(approval, undefined, clock())).catch(unlessOver);
    },
    granted: async ({ kind, ...held }) => {
      return (await oldestOf(store, kind, held, "granted", clock()))?.id;
    },
    close: waiting.close,
  };
}

/**
 * Writes a new request and tells its approvers. A connect that waits already is not asked for again: a client that tries and
 * tries waits for one answer.
 */
async function requestOnce(deps: DeskDeps, request: HeldRequest): Promise<Approval> {
  const { store } = deps;
  const now = deps.clock();
  demandSound(request);
  if (request.kind === "connect") {
    const waiting = await oldestOf(store, request.kind, request, "requested", now);
    if (waiting !== undefined) return waiting;
  }
  if ((await store.countWaiting(request.requester.id, now)) >= MAX_WAITING_PER_REQUESTER)
    throw new SallyportError("limit-exceeded", "too many requests of yours wait for an approval", {
      hint: "cancel some, or wait until they are decided",
    });
  const id = mintId(deps.random);
  const approval = newApproval(id, request);
  await deps.audit(approvalRequested(id, request, now));
  await store.put(approval);
  deps.tell(approval);
  return approval;
}

/** The statement goes on right behind this. */
async function useWritten({ store, clock, audit }: DeskDeps, id: ApprovalId, held: Held): Promise<void> {
  const found = await store.get(id);
  const step = (approval: Approval): Outcome => use(approval, held, clock());
  const change = (): Promise<Approval> => transition(store, id, step);
  const refused = found === undefined || step(found).kind === "refused";
  const asked = { by: held.requester, from: found?.client.replace(/:\d+$/, "") ?? "unknown" };
  const written = (): Promise<Approval> =>
    found === undefined
      ? change()
      : grantWritten(audit, (failed) => approvalStepped(asked, found, "used", clock(), { failed }), change);
  await (refused ? change() : written()).catch(asConflict);
}

/** No id begins like an option of a command line. */
function mintId(random: DeskDeps["random"]): ApprovalId {
  const id = Buffer.from(random(ID_BYTES)).toString("base64url");
  return id.startsWith("-") ? mintId(random) : (id as ApprovalId);
}

/** A rule that asks for nobody, or for more people than can be, is a mistake that must not let anything through. */
function demandSound({ consents, shown }: HeldRequest): void {
  const counts = consents.map(({ count }) => count);
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total < 1 || total > MAX_CONSENTS || !counts.every((count) => Number.isInteger(count) && count > 0))
    throw new SallyportError("configuration-invalid", `a rule asks for ${total} consents`);
  if (shown.length > MAX_SHOWN)
    throw new SallyportError("too-large", "the statement is too long to be shown to anybody");
}

/** The approval, with the end that the clock has made of it written down, so that a late answer meets it. */
async function current({ store, clock }: DeskDeps, id: ApprovalId): Promise<Approval> {
  const found = await store.get(id);
  if (found === undefined) throw new SallyportError("store-unavailable", "an approval has gone from the store");
  if (found.status !== "requested" || statusAt(found, clock()) === "requested") return found;
  await transition(store, id, (approval) => expire(approval, clock())).catch(unlessOver);
  return (await store.get(id)) ?? found;
}

function decisionOf({ status, answers }: Approval): Decision | undefined {
  switch (status) {
    case "requested":
      return undefined;
    case "granted":
    case "used": // by another who waited for it: `use` says so
      return { kind: "granted", by: answers.filter(({ consents }) => consents).map(voiceOf) };
    case "denied": {
      const against = answers.find(({ consents }) => !consents);
      if (against === undefined) throw new SallyportError("store-unavailable", "nobody denied what is denied");
      return { kind: "denied", by: voiceOf(against) };
    }
    case "expired":
      return { kind: "expired" };
    case "cancelled":
    case "revoked":
      return { kind: "cancelled" };
  }
}

function voiceOf({ by, words }: Answer): Voice {
  return { id: by.id, name: by.name, words };
}

/** The oldest request for exactly this, by the same one through the same ones. */
async function oldestOf(
  store: ApprovalStore,
  kind: HeldRequest["kind"],
  { requester, connection, digest, policyVersion }: Held,
  status: "requested" | "granted",
  now: Instant,
): Promise<Approval | undefined> {
  const key = { kind, requester: requester.id, connection, digest, policyVersion };
  return (await store.matching(key, status, now)).find((found) => isSameAsker(found.requester, requester));
}

function unlessOver(thrown: unknown): void {
  if (!(thrown instanceof SallyportError && thrown.code === "conflict")) throw thrown;
}

function asConflict(thrown: unknown): never {
  const unknown = thrown instanceof SallyportError && thrown.code === "not-found";
  throw unknown ? new SallyportError("conflict", "there is no such approval", { cause: thrown }) : thrown;
}
