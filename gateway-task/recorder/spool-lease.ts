import { SallyportError } from "../../core/errors.ts";
import type { LeaseStore } from "../../core/ports/lease-store.ts";
import { LEASE_TTL_MS, spoolLease } from "../../core/recording/spool-lease.ts";

/** A task that could not renew for this long ends its sessions: well before anybody may take its spool. */
export const LEASE_LOST_MS = 12_000;

/** Milliseconds of a clock that only goes forward, and that nobody sets. */
export type Monotonic = () => number;

/** Tries to get a spool's lease. Whether this task has it now. */
export type ClaimSpool = (spool: string) => Promise<boolean>;

/**
 * The wall clocks of two tasks differ, and are set: a claimant that believed them would take a spool that is written to.
 * So it claims a lease of another only when it has seen no renewal of it for the whole period, by its own clock.
 */
export function spoolClaims(leases: LeaseStore, task: string, monotonic: Monotonic): ClaimSpool {
  const seen = new Map<string, { readonly version: string; readonly since: number }>();
  return async (spool) => {
    const name = spoolLease(spool);
    const before = monotonic();
    const lease = await leases.look(name);
    if (lease === undefined || lease.holder === task) return leases.acquire(name, task);
    const known = seen.get(spool);
    if (known?.version !== lease.version) {
      seen.set(spool, { version: lease.version, since: monotonic() });
      return false;
    }
    return before - known.since >= LEASE_TTL_MS && leases.takeOver(name, task, lease.version);
  };
}

export interface LeaseKeeper {
  /** To be called every second. */
  renew(): Promise<void>;
  /**
   * Throws `recording-failed` where another may have the spool by now. A process that was stopped, or that waited for a stalled disk,
   * finds what clients sent meanwhile before it gets to renew: nothing of that may be written, since nobody may read it any more.
   */
  demand(): void;
}

/**
 * Keeps this task's own lease. A task whose lease has run out may find its spool claimed, and must not go on writing into it.
 * @param lost called when another has it, or when it could not be renewed in time
 */
export function leaseKeeper(
  leases: LeaseStore,
  task: string,
  monotonic: Monotonic,
  lost: (error: SallyportError) => void,
): LeaseKeeper {
  let renewedAt = monotonic();
  let renewing = false;
  const isLate = (): boolean => monotonic() - renewedAt >= LEASE_LOST_MS;
  const tooLate = (cause?: unknown): SallyportError =>
    new SallyportError("recording-failed", "the lease on the spool could not be renewed in time", { cause });
  const late = (cause?: unknown): void => {
    if (isLate()) lost(tooLate(cause));
  };
  const renew = async (): Promise<void> => {
    if (renewing) return late();
    const now = monotonic();
    renewing = true;
    try {
      if (!(await leases.acquire(spoolLease(task), task)))
        lost(new SallyportError("recording-failed", "another task has taken over this task's spool"));
      renewedAt = now;
    } catch (cause) {
      late(cause);
    } finally {
      renewing = false;
    }
  };
  return {
    renew,
    demand() {
      if (isLate()) throw tooLate();
    },
  };
}
