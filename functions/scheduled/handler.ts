import { setTimeout as wait } from "node:timers/promises";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { resourceName } from "../../aws/api-settings.ts";
import { clientOptions } from "../../aws/client-options.ts";
import { dynamoLeaseStore } from "../../aws/dynamo/lease-store.ts";
import { dynamoSessionStore } from "../../aws/dynamo/session-store.ts";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { told, whole } from "../../aws/told.ts";
import { forgetEndedBefore } from "../../core/recording/retention.ts";
import { LEASE_TTL_MS, spoolLease } from "../../core/recording/spool-lease.ts";
import { kept } from "../shared/kept.ts";
import { lambdaLogger } from "../shared/lambda-log.ts";
import { lookForAbandoned } from "./abandoned.ts";
import { metricLine } from "./metric-line.ts";

/** Whoever lives renews every few seconds; a task that claims a spool has done so by then. */
const WATCH_SECONDS = (4 * LEASE_TTL_MS) / 1_000;
const MAX_WATCH_SECONDS = 240;
const MAX_RETENTION_DAYS = 36_500;

/** Recordings go by their bucket's lifecycle, a day or two after their lock: a row outlives its recording, not the reverse. */
const SPARE_DAYS = 7;
const DAY_MS = 86_400_000;
/** What a run has time for beside its watch; there are a hundred runs a day. */
const MOST_FORGOTTEN = 2_000;

const logger = lambdaLogger(process.env[ENVIRONMENT.logLevel]);

const ready = kept(async () => {
  const names = told(process.env, {
    sessionsTable: resourceName,
    coordinationTable: resourceName,
    abandonedAfterSeconds: whole(1, MAX_WATCH_SECONDS, WATCH_SECONDS),
    retentionDays: whole(1, MAX_RETENTION_DAYS, MAX_RETENTION_DAYS),
  });
  const dynamo = new DynamoDBClient(clientOptions());
  return {
    sessions: dynamoSessionStore(dynamo, names.sessionsTable),
    leases: dynamoLeaseStore(dynamo, names.coordinationTable),
    watchMs: names.abandonedAfterSeconds * 1_000,
    keepMs: (names.retentionDays + SPARE_DAYS) * DAY_MS,
  };
});

/**
 * By a timer: looks for spools that nobody owns, and tells their number as a figure; forgets sessions whose time is over. What fails
 * is thrown, and tried again.
 */
export async function handler(): Promise<void> {
  const { sessions, leases, watchMs, keepMs } = await ready();
  const found = await lookForAbandoned({
    sessions,
    leases,
    watchMs,
    wait: (ms) => wait(ms),
    leaseOf: spoolLease,
    clock: Date.now,
    logger,
  });
  // As it is, past the runtime's own format of logs.
  process.stdout.write(`${metricLine(found, Date.now())}\n`);
  const forgotten = await forgetEndedBefore({ sessions, remove: async () => {} }, Date.now() - keepMs, MOST_FORGOTTEN);
  if (forgotten > 0) logger.info({ forgotten }, "sessions whose retention is over were forgotten");
}
