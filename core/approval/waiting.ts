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

interface Waiter {
  readonly expiresAt: Instant;
  resolve(decision: Decision): void;
  reject(error: unknown): void;
}

export interface Waiting {
  /** Waits until `look` answers a decision. Rejects when `signal` aborts, or when the store has been silent for too long. */
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
  const waiters = new Map<ApprovalId, Set<Waiter>>();
  let timer: NodeJS.Timeout | undefined;
  let since = 0;
  let answeredAt = 0;
  let closed = false;

  const settle = async (id: ApprovalId): Promise<void> => {
    const decision = await look(id);
    if (decision !== undefined) for (const waiter of waiters.get(id) ?? []) waiter.resolve(decision);
  };
  const rejectAll = (error: unknown): void => {
    for (const waiter of [...waiters.values()].flatMap((all) => [...all])) waiter.reject(error);
  };
  const ask = async (): Promise<void> => {
    const now = clock();
    const decided = await store.decidedSince(since);
    for (const id of decided) if (waiters.has(id)) await settle(id);
    for (const [id, all] of waiters) if ([...all].some(({ expiresAt }) => !(now < expiresAt))) await settle(id);
    since = now - OVERLAP_MS;
    answeredAt = performance.now();
  };
  const tick = async (): Promise<void> => {
    try {
      await ask();
    } catch (thrown) {
      const blind = performance.now() - answeredAt > BLIND_MS;
      if (blind) rejectAll(asSallyportError(thrown, "store-unavailable", "nobody can tell what was decided"));
    }
    timer = undefined;
    schedule();
  };
  const schedule = (): void => {
    if (timer === undefined && !closed && waiters.size > 0) timer = setTimeout(() => void tick(), POLL_MS);
  };
  const start = (): void => {
    if (waiters.size > 1 || timer !== undefined) return;
    since = clock() - OVERLAP_MS;
    answeredAt = performance.now();
    schedule();
  };

  const wait = (id: ApprovalId, expiresAt: Instant, signal: AbortSignal): Promise<Decision> =>
    new Promise((resolve, reject) => {
      const all = waiters.get(id) ?? new Set<Waiter>();
      const leave = (): void => {
        signal.removeEventListener("abort", aborted);
        all.delete(waiter);
        if (all.size === 0 && waiters.get(id) === all) waiters.delete(id);
      };
      const waiter: Waiter = {
        expiresAt,
        resolve: (decision) => {
          leave();
          resolve(decision);
        },
        reject: (error) => {
          leave();
          reject(error);
        },
      };
      const aborted = (): void => waiter.reject(signal.reason);
      if (closed) return reject(shuttingDown());
      if (signal.aborted) return reject(signal.reason);
      signal.addEventListener("abort", aborted);
      waiters.set(id, all.add(waiter));
      start();
      // What was decided before anybody waited is in no later answer to `decidedSince`.
      settle(id).catch((error: unknown) => waiter.reject(error));
    });

  const close = (): void => {
    closed = true;
    clearTimeout(timer);
    rejectAll(shuttingDown());
  };
  return { wait, close };
}

function shuttingDown(): SallyportError {
  return new SallyportError("shutting-down", "the gateway is shutting down");
}
