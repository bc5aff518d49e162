import { S3Client } from "@aws-sdk/client-s3";
import type { Context } from "aws-lambda";
import { pino } from "pino";
import { s3Options } from "../../aws/api-settings.ts";
import { s3AuditLog } from "../../aws/audit-log.ts";
import { CHUNK_REQUEST_TIMEOUT_MS, s3ChunkStore } from "../../aws/chunk-store.ts";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { SallyportError } from "../../core/errors.ts";
import { causesOf } from "../shared/problem.ts";
import { chunkAuditor } from "./app.ts";
import { type BatchFailures, deriveChunks } from "./chunk-events.ts";

function demanded(name: string): string {
  const value = process.env[name];
  if (value !== undefined && value !== "") return value;
  throw new SallyportError("configuration-invalid", `${name} is not set`, {
    hint: "the stack sets it: deploy it again",
  });
}

const logger = pino({ level: process.env[ENVIRONMENT.logLevel] ?? "info", base: null });
const client = new S3Client(s3Options(process.env, CHUNK_REQUEST_TIMEOUT_MS));
const auditor = chunkAuditor({
  // It only reads: how long a recording is locked is for whoever writes it.
  chunks: s3ChunkStore({
    client,
    bucket: demanded(ENVIRONMENT.recordingsBucket),
    retention: undefined,
    clock: Date.now,
  }),
  log: s3AuditLog(client, demanded(ENVIRONMENT.auditBucket)),
});

/**
 * Called with S3's ObjectCreated notifications of `recordings/…`, through a queue of SQS (with ReportBatchItemFailures) or by S3
 * itself: writes the audit events of each chunk. What fails is answered, or thrown, so that it comes again.
 */
export async function handler(
  event: unknown,
  { awsRequestId }: Pick<Context, "awsRequestId">,
): Promise<BatchFailures | undefined> {
  return deriveChunks(auditor, event, (thrown) => {
    logger.error({ causes: causesOf(thrown), request: awsRequestId }, "a chunk's events could not be written");
  });
}
