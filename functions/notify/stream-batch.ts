import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from "aws-lambda";
import type { Logger } from "pino";
import type { Approval } from "../../core/ports/approval-store.ts";
import { causesOf } from "../shared/problem.ts";
import type { StreamNotifier } from "./stream-notifier.ts";

/**
 * A batch of a table's stream: tells of every request that is new in it, one after the other.
 * @param approvalIn the approval that a record shows; undefined for items that are none, and for changes to one
 * @returns what must be tried again (`ReportBatchItemFailures`): Lambda goes back to the first of them, and to all behind it
 */
export async function notifyBatch(
  { Records }: DynamoDBStreamEvent,
  ready: () => Promise<StreamNotifier>,
  approvalIn: (record: DynamoDBRecord) => Approval | undefined,
  logger: Logger,
): Promise<DynamoDBBatchResponse> {
  const batchItemFailures: DynamoDBBatchResponse["batchItemFailures"] = [];
  for (const record of Records) {
    try {
      const approval = approvalIn(record);
      if (approval !== undefined) await (await ready()).tell(approval);
    } catch (thrown) {
      logger.error({ event: record.eventID, causes: causesOf(thrown) }, "approvers could not be told");
      batchItemFailures.push({ itemIdentifier: record.dynamodb?.SequenceNumber ?? "" });
    }
  }
  return { batchItemFailures };
}
