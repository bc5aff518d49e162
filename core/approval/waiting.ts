import type { Instant } from "../brand.ts";
import { SallyportError, asSallyportError } from "../errors.ts";
import type { ApprovalId, Decision } from "../ports/approval-desk.ts";
import type { ApprovalStore } from "../ports/approval-store.ts";
import type { Clock } from "../ports/clock.ts";

/** One question to the store in this time, for all that wait: a decision is known well within a second. */
const POLL_MS = 250;
/** Whoever decides may do so by another machine's clock: ask that much further back. */
const OVERLAP_MS = 10_000;
/** Invariant 2: who cannot learn of decisions for so long does not let anybody wait for them. */
const BLIND_MS = 5_000;
/** Thousands may end at once, and each costs a read and perhaps a write: after so many, other sessions have their turn. */
const AT_A_TIME = 8;

interface Waiter {
  readonly id: ApprovalId;
  readonly expiresAt: Instant;
  readonly resolve: (decision: Decision) => void;
  readonly reject: (error: unknown) => void;
}

export interface Waiting {
  /** Waits until there is a decision. Rejects when `signal` aborts, or when the store has been silent for too long. */
  wait(id: ApprovalId, expiresAt: Instant, signal: AbortSignal): Promise<Decision>;
  readonly close: () => void;
}

interface WaitingDeps {
  readonly store: Pick<ApprovalStore, "decidedSince">;
  readonly clock: Clock;
  /** What has become of it; undefined while it is open. Asked at the start, after a decision, and when it has expired. */
  readonly look: (id: ApprovalId) => Promise<Decision | undefined>;
}

/** Everybody who waits for a decision, on one timer that runs while there is somebody. */
export function waitingRoom({ store, clock, look }: WaitingDeps): Waiting {
  const waiters = waiterSet();
  let closed = false;
  let since = 0;

  const settle = async (id: ApprovalId): Promise<void> => {
    const decision = await look(id);
    if (decision !== undefined) for (const waiter of waiters.of(id)) waiter.resolve(decision);
  };
  const ask = async (): Promise<void> => {
    const now = clock();
    const decided = await store.decidedSince(since);
    const ended = new Set([...decided.filter((id) => waiters.of(id).length > 0), ...waiters.expiredAt(now)]);
    for (const [n, id] of [...ended].entries()) {
      if (n % AT_A_TIME === AT_A_TIME - 1) await new Promise((resolve) => setImmediate(resolve));
      await settle(id);
    }
    since = now - OVERLAP_MS;
  };
  const poll = poller({
    needed: () => !closed && waiters.size() > 0,
    begin: () => void (since = clock() - OVERLAP_MS),
    ask,
    blind: (error) => {
      for (const waiter of waiters.all()) waiter.reject(error);
    },
  });
  return {
    wait: async (id, expiresAt, signal) => {
      if (closed) throw shuttingDown();
      signal.throwIfAborted();
      const waiting = waiters.add(id, expiresAt, signal);
      poll.start();
      // What was decided before anybody waited is in no later answer to `decidedSince`.
      settle(id).catch((error: unknown) => {
        for (const waiter of waiters.of(id)) waiter.reject(error);
      });
      return waiting;
    },
    close: () => {
      closed = true;
      poll.stop();
      for (const waiter of waiters.all()) waiter.reject(shuttingDown());
    },
  };
}

interface WaiterSet {
  /** Resolves or rejects as the waiter does, or when `signal` aborts; then it has left the set. */
  add(id: ApprovalId, expiresAt: Instant, signal: AbortSignal): Promise<Decision>;
  of(id: ApprovalId): readonly Waiter[];
  all(): readonly Waiter[];
  size(): number;
  expiredAt(now: Instant): readonly ApprovalId[];
}

function waiterSet(): WaiterSet {
  const byId = new Map<ApprovalId, Set<Waiter>>();
  const leave = (waiter: Waiter): void => {
    const others = byId.get(waiter.id);
    others?.delete(waiter);
    if (others?.size === 0) byId.delete(waiter.id);
  };
  const all = (): Waiter[] => [...byId.values()].flatMap((waiters) => [...waiters]);
  return {
    add: (id, expiresAt, signal) => {
      const { promise, resolve, reject } = Promise.withResolvers<Decision>();
      const waiter: Waiter = { id, expiresAt, resolve, reject };
      const aborted = (): void => reject(signal.reason);
      signal.addEventListener("abort", aborted);
      byId.set(id, (byId.get(id) ?? new Set()).add(waiter));
      return promise.finally(() => {
        signal.removeEventListener("abort", aborted);
        leave(waiter);
      });
    },
    of: (id) => [...(byId.get(id) ?? [])],
    all,
    size: () => byId.size,
    expiredAt: (now) => all().flatMap(({ id, expiresAt }) => (now < expiresAt ? [] : [id])),
  };
}

interface PollerDeps {
  readonly needed: () => boolean;
  /** Called before the first question after a pause. */
  readonly begin: () => void;
  readonly ask: () => Promise<void>;
  /** Called when no question has been answered for BLIND_MS. */
  readonly blind: (error: SallyportError) => void;
}

/** Asks again and again, one question at a time, for as long as there is a need. */
function poller({ needed, begin, ask, blind }: PollerDeps): { start(): void; stop(): void } {
  let timer: NodeJS.Timeout | undefined;
  let running = false;
  let answeredAt = 0;
  const tick = async (): Promise<void> => {
    try {
      await ask();
      answeredAt = performance.now();
    } catch (thrown) {
      if (performance.now() - answeredAt > BLIND_MS)
        blind(asSallyportError(thrown, "store-unavailable", "nobody can tell what was decided"));
    }
    again();
  };
  const again = (): void => {
    running = needed();
    if (running) timer = setTimeout(() => void tick(), POLL_MS);
  };
  return {
    start: () => {
      if (running) return;
      begin();
      answeredAt = performance.now();
      again();
    },
    stop: () => clearTimeout(timer),
  };
}

function shuttingDown(): SallyportError {
  return new SallyportError("shutting-down", "the gateway is shutting down");
}
