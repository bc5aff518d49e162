import { randomUUID } from "node:crypto";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { S3Client } from "@aws-sdk/client-s3";
import { apiSettings, resourceName, s3Options } from "../../aws/api-settings.ts";
import { s3AuditLog } from "../../aws/audit-log.ts";
import { clientOptions } from "../../aws/client-options.ts";
import { dynamoApprovalStore } from "../../aws/dynamo/approval-store.ts";
import { dynamoPeopleStore } from "../../aws/dynamo/people-store.ts";
import { dynamoSignInStore } from "../../aws/dynamo/sign-in-store.ts";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { told } from "../../aws/told.ts";
import { auditTo } from "../../core/audit/audit.ts";
import { apiHandler } from "../shared/api-handler.ts";
import { lambdaLogger } from "../shared/lambda-log.ts";
import { behindDistribution, viewerAddress } from "../shared/viewer.ts";
import { approvalsApp } from "./app.ts";

const logger = lambdaLogger(process.env[ENVIRONMENT.logLevel]);

export const handler = apiHandler(logger, async () => {
  const names = told(process.env, {
    approvalsTable: resourceName,
    auditBucket: resourceName,
    peopleTable: resourceName,
    signInsTable: resourceName,
  });
  const { baseUrl, tokenKey, auditors, originSecret } = await apiSettings(process.env);
  const dynamo = new DynamoDBClient(clientOptions());
  const app = approvalsApp({
    baseUrl,
    tokenKey,
    signIns: dynamoSignInStore(dynamo, names.signInsTable),
    clock: Date.now,
    approvals: dynamoApprovalStore(dynamo, names.approvalsTable),
    people: dynamoPeopleStore(dynamo, names.peopleTable),
    auditors,
    outbox: undefined,
    logger,
    audit: auditTo(s3AuditLog(new S3Client(s3Options(process.env)), names.auditBucket), randomUUID),
    clientAddress: viewerAddress(originSecret !== undefined),
  });
  return behindDistribution(app, originSecret, logger);
});
