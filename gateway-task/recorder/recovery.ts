import { readdir } from "node:fs/promises";
import path from "node:path";
import type { Logger } from "pino";
import { SallyportError } from "../../core/errors.ts";
import type { LeaseStore } from "../../core/ports/lease-store.ts";
import type { EvidenceStores } from "./closing.ts";
import { recoverSpool } from "./recover-spool.ts";
import { spoolLease } from "../../core/recording/spool-lease.ts";
import { type Monotonic, spoolClaims } from "./spool-lease.ts";

interface RecoveryOptions extends EvidenceStores {
  readonly spool: string;
  /** The task that recovers. */
  readonly task: string;
  readonly leases: LeaseStore;
  readonly logger: Logger;
  readonly monotonic: Monotonic;
}

/** What cannot be recovered is read again after this long, and then ever less often. */
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 300_000;
/** A claimed lease is renewed this often while its spool is read. */
const RENEW_MS = 1_000;
/** Beside the spools: what was left of sessions whose recording is broken (`recovered-session.ts`). */
const QUARANTINE = ".quarantine";

/**
 * Takes over the spools of dead tasks (invariant 3): stores the chunks that they had written, makes the missing ones from
 * the intent log, closes every session that was live as `interrupted`, and removes the spool.
 * Nothing is removed before the store has all of it; dying in the middle only means that it is done again.
 * @returns looks once for such spools; to be called again and again by the one who lives
 */
export function spoolRecovery(options: RecoveryOptions): () => Promise<void> {
  const { spool, task, leases, logger, monotonic } = options;
  const claim = spoolClaims(leases, task, monotonic);
  const failed = new Map<string, { readonly delay: number; readonly until: number }>();

  async function recover(dead: string): Promise<void> {
    if ((failed.get(dead)?.until ?? 0) > monotonic() || !(await claim(dead))) return;
    const renew = renewing(options, dead);
    const sessions = await recoverSpool(options, { spool, dead, quarantine: path.join(spool, QUARANTINE) }, renew);
    await leases.release(spoolLease(dead), task);
    failed.delete(dead);
    logger.warn({ spool: dead, sessions }, "recovered the spool of a dead task");
  }

  return async () => {
    const entries = await readdir(spool, { withFileTypes: true });
    const spools = entries.filter((entry) => entry.isDirectory() && entry.name !== QUARANTINE);
    for (const { name } of spools.filter((entry) => entry.name !== task)) {
      try {
        await recover(name);
      } catch (error) {
        const delay = Math.min((failed.get(name)?.delay ?? FIRST_RETRY_MS / 2) * 2, MAX_RETRY_MS);
        failed.set(name, { delay, until: monotonic() + delay });
        logger.error({ err: error, spool: name }, "a dead task's spool could not be recovered; it will be tried again");
      }
    }
  };
}

/** Keeps the lease while the spool is read; throws when another task has it. */
function renewing({ leases, task, monotonic }: RecoveryOptions, dead: string): () => Promise<void> | undefined {
  let renewed = monotonic();
  const renew = async (): Promise<void> => {
    renewed = monotonic();
    if (!(await leases.acquire(spoolLease(dead), task)))
      throw new SallyportError("conflict", "another task recovers this spool");
  };
  return () => (monotonic() - renewed < RENEW_MS ? undefined : renew());
}
