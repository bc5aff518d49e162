import { pino } from "pino";
import { beforeEach, describe, expect, test } from "vitest";
import type { Digest } from "../../../core/brand.ts";
import { spoolLease } from "../../../core/recording/spool-lease.ts";
import { type Abandoned, lookForAbandoned } from "../../../functions/scheduled/abandoned.ts";
import { metricLine } from "../../../functions/scheduled/metric-line.ts";
import { openDatabase } from "../../../local/database.ts";
import { sqliteLeaseStore } from "../../../local/lease-store.ts";
import { sqliteSessionStore } from "../../../local/session-store.ts";
import { opening } from "../../setup/make-recording.ts";
import { sessionIdAt } from "../../setup/session-ids.ts";

const T0 = 1_800_000_000_000;
const CLOSING = {
  endedAt: T0 + 10,
  reason: "interrupted",
  statements: 0,
  bytesFromClient: 0,
  bytesFromTarget: 0,
  chunks: 1,
  head: "0".repeat(64) as Digest,
} as const;
let sessions: ReturnType<typeof sqliteSessionStore>;
let leases: ReturnType<typeof sqliteLeaseStore>;
let log: string[];

beforeEach(() => {
  const database = openDatabase(":memory:");
  [sessions, leases, log] = [sqliteSessionStore(database), sqliteLeaseStore(openDatabase(":memory:")), []];
});

/** @param meanwhile what happens while it watches */
const look = (meanwhile: () => Promise<unknown> = async () => undefined): Promise<Abandoned> =>
  lookForAbandoned({
    sessions,
    leases,
    watchMs: 60_000,
    wait: async () => void (await meanwhile()),
    leaseOf: spoolLease,
    clock: () => T0 + 600_000,
    logger: pino({ base: null }, { write: (line: string) => void log.push(line) }),
  });

const live = async (n: number, task: string) => {
  const row = opening(sessionIdAt(T0 + n, n), { task, startedAt: T0 + n });
  await sessions.open(row);
  return row;
};
const renew = (task: string) => leases.acquire(spoolLease(task), task);
const NOTHING = { abandonedSessions: 0, abandonedSpools: 0, oldestSeconds: 0 };

describe("a look for abandoned spools", () => {
  test("finds none where every task renews its lease, or nothing lives", async () => {
    expect(await look()).toEqual({ liveSessions: 0, ...NOTHING });
    await live(1, "a");
    await renew("a");
    expect(await look(() => renew("a"))).toEqual({ liveSessions: 1, ...NOTHING });
    expect(log).toEqual([]);
  });

  test("finds those whose lease nobody renews, and whose task has none, and tells their age", async () => {
    for (const [n, task] of [[1, "dead"], [2, "dead"], [3, "none"], [4, "alive"]] as const) await live(n, task); // prettier-ignore
    await renew("dead");
    await renew("alive");
    expect(await look(() => renew("alive"))).toEqual({
      liveSessions: 4,
      abandonedSessions: 3,
      abandonedSpools: 2,
      oldestSeconds: 600,
    });
    expect(log.filter((line) => line.includes("a spool is abandoned"))).toHaveLength(2);
  });

  test("does not count what another claimed, gave up or closed while it watched", async () => {
    const claimed = await live(1, "claimed");
    const closed = await live(2, "closed");
    await renew("claimed");
    await renew("closed");
    const version = (await leases.look(spoolLease(claimed.task)))?.version ?? "";
    const found = await look(async () => {
      await leases.takeOver(spoolLease("claimed"), "other", version);
      await sessions.close(closed.id, CLOSING);
    });
    expect(found).toEqual({ liveSessions: 2, ...NOTHING });
  });

  test("goes through more sessions than a page has", async () => {
    for (let n = 0; n < 1_001; n++) await live(n, "dead");
    expect(await look()).toMatchObject({ liveSessions: 1_001, abandonedSessions: 1_001, abandonedSpools: 1 });
  });
});

test("the figures are one line of the embedded metric format, without a dimension", () => {
  const line = metricLine({ liveSessions: 4, abandonedSessions: 3, abandonedSpools: 2, oldestSeconds: 600 }, T0);
  expect(line).not.toContain("\n");
  const { _aws, ...figures } = JSON.parse(line) as { _aws: { CloudWatchMetrics: { Metrics: { Name: string }[] }[] } };
  expect(_aws).toMatchObject({ Timestamp: T0, CloudWatchMetrics: [{ Namespace: "Sallyport", Dimensions: [[]] }] });
  expect(_aws.CloudWatchMetrics[0]?.Metrics.map(({ Name }) => Name)).toEqual(Object.keys(figures));
  expect(figures).toMatchObject({ AbandonedSpools: 2, OldestAbandonedSeconds: 600 });
});
