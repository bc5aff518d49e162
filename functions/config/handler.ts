import { randomUUID } from "node:crypto";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { S3Client } from "@aws-sdk/client-s3";
import { apiSettings, resourceName, s3Options } from "../../aws/api-settings.ts";
import { s3AuditLog } from "../../aws/audit-log.ts";
import { clientOptions } from "../../aws/client-options.ts";
import { s3ConfigurationStore } from "../../aws/configuration-store.ts";
import { dynamoSignInStore } from "../../aws/dynamo/sign-in-store.ts";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { told } from "../../aws/told.ts";
import { auditTo } from "../../core/audit/audit.ts";
import { apiHandler } from "../shared/api-handler.ts";
import { lambdaLogger } from "../shared/lambda-log.ts";
import { behindDistribution, viewerAddress } from "../shared/viewer.ts";
import { configApp } from "./app.ts";

const logger = lambdaLogger(process.env[ENVIRONMENT.logLevel]);

export const handler = apiHandler(logger, async () => {
  const names = told(process.env, {
    signInsTable: resourceName,
    configBucket: resourceName,
    auditBucket: resourceName,
  });
  const { baseUrl, tokenKey, admins, originSecret } = await apiSettings(process.env);
  const client = new S3Client(s3Options(process.env));
  const app = configApp({
    baseUrl,
    tokenKey,
    signIns: dynamoSignInStore(new DynamoDBClient(clientOptions()), names.signInsTable),
    clock: Date.now,
    configurations: s3ConfigurationStore({ client, bucket: names.configBucket, clock: Date.now }),
    admins,
    logger,
    audit: auditTo(s3AuditLog(client, names.auditBucket), randomUUID),
    clientAddress: viewerAddress(originSecret !== undefined),
  });
  return behindDistribution(app, originSecret, logger);
});
