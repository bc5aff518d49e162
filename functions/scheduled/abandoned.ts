import type { Logger } from "pino";
import type { Clock } from "../../core/ports/clock.ts";
import type { Lease, LeaseStore } from "../../core/ports/lease-store.ts";
import type { SessionRow, SessionStore } from "../../core/ports/session-store.ts";

/** More live sessions than a look goes through: the rest is looked at next time, and the figure says "at least". */
const MAX_LIVE = 10_000;
const PAGE = 500;

/** What a look has found, for the alarm. */
export interface Abandoned {
  readonly liveSessions: number;
  /** Sessions that are live in the index, and whose task does not renew its lease any more. */
  readonly abandonedSessions: number;
  /** Their tasks: each has a spool that nobody has claimed. */
  readonly abandonedSpools: number;
  /** Of the oldest such session. */
  readonly oldestSeconds: number;
}

export interface AbandonedDeps {
  readonly sessions: Pick<SessionStore, "list">;
  readonly leases: Pick<LeaseStore, "look">;
  /** Leases bear no time: whether one is renewed shows by looking twice, this long apart. */
  readonly watchMs: number;
  readonly wait: (ms: number) => Promise<void>;
  /** The name of a task's lease on its spool. */
  readonly leaseOf: (task: string) => string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Looks for spools that nobody owns: of a task that is gone, whose sessions still stand as live since no other has claimed its
 * spool. A lease that is not renewed while it is watched belongs to nobody who lives.
 */
export async function lookForAbandoned(deps: AbandonedDeps): Promise<Abandoned> {
  const live = await liveSessions(deps);
  const tasks = [...new Set(live.map(({ task }) => task))];
  const before = await leasesOf(deps, tasks);
  await deps.wait(deps.watchMs);
  const after = await leasesOf(deps, tasks);
  const dead = new Set(tasks.filter((task) => isDead(before.get(task), after.get(task))));
  // What closed meanwhile was claimed meanwhile.
  const still = new Set(dead.size === 0 ? [] : (await liveSessions(deps)).map(({ id }) => id));
  const abandoned = live.filter(({ id, task }) => dead.has(task) && still.has(id));
  const oldest = Math.min(...abandoned.map(({ startedAt }) => startedAt));
  for (const task of new Set(abandoned.map((row) => row.task)))
    deps.logger.error(
      { task, sessions: abandoned.filter((row) => row.task === task).length },
      "a spool is abandoned: its task is gone, and no other has claimed it",
    );
  return {
    liveSessions: live.length,
    abandonedSessions: abandoned.length,
    abandonedSpools: new Set(abandoned.map(({ task }) => task)).size,
    oldestSeconds: abandoned.length === 0 ? 0 : Math.round((deps.clock() - oldest) / 1_000),
  };
}

async function liveSessions({ sessions }: AbandonedDeps): Promise<SessionRow[]> {
  const rows: SessionRow[] = [];
  for (let page = await sessions.list({ live: true, limit: PAGE }); page.length > 0;) {
    rows.push(...page);
    const last = page.at(-1);
    if (page.length < PAGE || last === undefined || rows.length >= MAX_LIVE) break;
    page = await sessions.list({ live: true, limit: PAGE, after: last.id });
  }
  return rows;
}

async function leasesOf({ leases, leaseOf }: AbandonedDeps, tasks: readonly string[]): Promise<Map<string, Lease>> {
  const found = new Map<string, Lease>();
  for (const task of tasks) {
    const lease = await leases.look(leaseOf(task));
    if (lease !== undefined) found.set(task, lease);
  }
  return found;
}

function isDead(before: Lease | undefined, after: Lease | undefined): boolean {
  return after === undefined ? before === undefined : before?.version === after.version;
}
