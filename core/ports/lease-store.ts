import type { Instant } from "../brand.ts";

/** Who owns a spool directory. A lease that is not renewed in time can be claimed by another task. */
export interface LeaseStore {
  /** Takes or renews the lease. False: another holder has it, and it has not expired. */
  acquire(name: string, holder: string, now: Instant, ttlMs: number): Promise<boolean>;
  /** Gives it up, if this holder has it. */
  release(name: string, holder: string): Promise<void>;
}
