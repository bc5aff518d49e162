import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { S3Client } from "@aws-sdk/client-s3";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { SESv2Client } from "@aws-sdk/client-sesv2";
import type { DynamoDBBatchResponse, DynamoDBStreamEvent } from "aws-lambda";
import { resourceName, s3Options } from "../../aws/api-settings.ts";
import { clientOptions } from "../../aws/client-options.ts";
import { s3ConfigurationReader } from "../../aws/configuration-reader.ts";
import { dynamoApprovalStore } from "../../aws/dynamo/approval-store.ts";
import { newApprovalIn } from "../../aws/dynamo/approval-stream.ts";
import { dynamoPeopleStore } from "../../aws/dynamo/people-store.ts";
import { dynamoSentMails } from "../../aws/dynamo/sent-mails.ts";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { programSecrets } from "../../aws/program-secrets.ts";
import { sesMailer } from "../../aws/ses-mailer.ts";
import { arnOf, origin, text, told } from "../../aws/told.ts";
import { directoryIn } from "../../core/config/bundle-parts.ts";
import { followedPart } from "../shared/followed-part.ts";
import { kept } from "../shared/kept.ts";
import { lambdaLogger } from "../shared/lambda-log.ts";
import { notifyBatch } from "./stream-batch.ts";
import { streamNotifier } from "./stream-notifier.ts";

/** One attempt: SES takes its time with a mail. */
const SES_REQUEST_TIMEOUT_MS = 5_000;

const logger = lambdaLogger(process.env[ENVIRONMENT.logLevel]);

const ready = kept(async () => {
  const names = told(process.env, {
    publicUrl: origin,
    tokenKeySecret: arnOf("secretsmanager"),
    approvalsTable: resourceName,
    peopleTable: resourceName,
    coordinationTable: resourceName,
    configBucket: resourceName,
    mailFrom: text,
  });
  const dynamo = new DynamoDBClient(clientOptions());
  const client = new S3Client(s3Options(process.env));
  const directory = await followedPart({
    store: s3ConfigurationReader({ client, bucket: names.configBucket }),
    read: directoryIn,
    clock: Date.now,
    logger,
  });
  const notifier = streamNotifier({
    baseUrl: names.publicUrl,
    tokenKey: await programSecrets(new SecretsManagerClient(clientOptions())).key(names.tokenKeySecret),
    approvals: dynamoApprovalStore(dynamo, names.approvalsTable),
    people: dynamoPeopleStore(dynamo, names.peopleTable),
    directory: () => directory.current(),
    mailer: sesMailer({ client: new SESv2Client(clientOptions(SES_REQUEST_TIMEOUT_MS)), from: names.mailFrom }),
    sent: dynamoSentMails(dynamo, names.coordinationTable),
    clock: Date.now,
    logger,
  });
  return { directory, notifier };
});

/** The stream of the table `approvals` (NEW_IMAGE, with ReportBatchItemFailures): mails to the approvers of what is new. */
export function handler(event: DynamoDBStreamEvent): Promise<DynamoDBBatchResponse> {
  const looked = async () => {
    const { directory, notifier } = await ready();
    await directory.look();
    return notifier;
  };
  return notifyBatch(event, looked, newApprovalIn, logger);
}
