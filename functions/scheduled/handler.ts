import { setTimeout as wait } from "node:timers/promises";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { resourceName } from "../../aws/api-settings.ts";
import { clientOptions } from "../../aws/client-options.ts";
import { dynamoLeaseStore } from "../../aws/dynamo/lease-store.ts";
import { dynamoSessionStore } from "../../aws/dynamo/session-store.ts";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { told, whole } from "../../aws/told.ts";
import { LEASE_TTL_MS, spoolLease } from "../../core/recording/spool-lease.ts";
import { kept } from "../shared/kept.ts";
import { lambdaLogger } from "../shared/lambda-log.ts";
import { lookForAbandoned } from "./abandoned.ts";
import { metricLine } from "./metric-line.ts";

/** Whoever lives renews every few seconds; a task that claims a spool has done so by then. */
const WATCH_SECONDS = (4 * LEASE_TTL_MS) / 1_000;
const MAX_WATCH_SECONDS = 240;

const logger = lambdaLogger(process.env[ENVIRONMENT.logLevel]);

const ready = kept(async () => {
  const names = told(process.env, {
    sessionsTable: resourceName,
    coordinationTable: resourceName,
    abandonedAfterSeconds: whole(1, MAX_WATCH_SECONDS, WATCH_SECONDS),
  });
  const dynamo = new DynamoDBClient(clientOptions());
  return {
    sessions: dynamoSessionStore(dynamo, names.sessionsTable),
    leases: dynamoLeaseStore(dynamo, names.coordinationTable),
    watchMs: names.abandonedAfterSeconds * 1_000,
  };
});

/** By a timer: looks for spools that nobody owns, and tells their number as a figure. What fails is thrown, and tried again. */
export async function handler(): Promise<void> {
  const found = await lookForAbandoned({
    ...(await ready()),
    wait: (ms) => wait(ms),
    leaseOf: spoolLease,
    clock: Date.now,
    logger,
  });
  // As it is, past the runtime's own format of logs.
  process.stdout.write(`${metricLine(found, Date.now())}\n`);
}
