import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { KMSClient } from "@aws-sdk/client-kms";
import { S3Client } from "@aws-sdk/client-s3";
import { apiSettings, resourceName, s3Options } from "../../aws/api-settings.ts";
import { CHUNK_REQUEST_TIMEOUT_MS, s3ChunkStore } from "../../aws/chunk-store.ts";
import { clientOptions } from "../../aws/client-options.ts";
import { dynamoSessionStore } from "../../aws/dynamo/session-store.ts";
import { dynamoSignInStore } from "../../aws/dynamo/sign-in-store.ts";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { kmsSigner } from "../../aws/kms-signer.ts";
import { arnOf, told } from "../../aws/told.ts";
import { apiHandler } from "../shared/api-handler.ts";
import { lambdaLogger } from "../shared/lambda-log.ts";
import { behindDistribution } from "../shared/viewer.ts";
import { replayApp } from "./app.ts";

const logger = lambdaLogger(process.env[ENVIRONMENT.logLevel]);

export const handler = apiHandler(logger, async () => {
  const names = told(process.env, {
    sessionsTable: resourceName,
    signInsTable: resourceName,
    recordingsBucket: resourceName,
    signingKey: arnOf("kms"),
  });
  const { baseUrl, tokenKey, auditors, originSecret } = await apiSettings(process.env);
  const dynamo = new DynamoDBClient(clientOptions());
  const s3 = new S3Client(s3Options(process.env, CHUNK_REQUEST_TIMEOUT_MS));
  const { publicKey } = await kmsSigner(new KMSClient(clientOptions()), names.signingKey);
  const app = replayApp({
    baseUrl,
    tokenKey,
    signIns: dynamoSignInStore(dynamo, names.signInsTable),
    clock: Date.now,
    sessions: dynamoSessionStore(dynamo, names.sessionsTable),
    chunks: s3ChunkStore({ client: s3, bucket: names.recordingsBucket, retention: undefined, clock: Date.now }),
    publicKeys: [publicKey],
    auditors,
    logger,
  });
  return behindDistribution(app, originSecret, logger);
});
