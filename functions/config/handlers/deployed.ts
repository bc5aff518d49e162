import { randomUUID } from "node:crypto";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import type { CloudFormationCustomResourceEvent } from "aws-lambda";
import { resourceName, s3Options } from "../../../aws/api-settings.ts";
import { s3AuditLog } from "../../../aws/audit-log.ts";
import { s3ConfigurationStore } from "../../../aws/configuration-store.ts";
import { ENVIRONMENT } from "../../../aws/environment.ts";
import { told } from "../../../aws/told.ts";
import { auditTo } from "../../../core/audit/audit.ts";
import { MAX_BUNDLE_JSON_BYTES } from "../../../core/config/bundle-json.ts";
import { SallyportError } from "../../../core/errors.ts";
import { kept } from "../../shared/kept.ts";
import { lambdaLogger } from "../../shared/lambda-log.ts";
import { type DeployedDeps, publishDeployed } from "../deployed.ts";

/** CloudFormation's address is one of S3, which answers within a second; the deployment waits for it. */
const ANSWER_WITHIN_MS = 20_000;

const logger = lambdaLogger(process.env[ENVIRONMENT.logLevel]);

const stores = kept(async () => {
  const names = told(process.env, { configBucket: resourceName, auditBucket: resourceName });
  const client = new S3Client(s3Options(process.env));
  return {
    client,
    configurations: s3ConfigurationStore({ client, bucket: names.configBucket, clock: Date.now }),
    audit: auditTo(s3AuditLog(client, names.auditBucket), randomUUID),
  };
});

/** Whatever fails is answered: CloudFormation would wait an hour for a function that did not. */
const deps: DeployedDeps = {
  read: async ({ bucket, key }) => {
    const { client } = await stores();
    const { Body, ContentLength = 0 } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    if (Body === undefined || ContentLength > MAX_BUNDLE_JSON_BYTES)
      throw new SallyportError("too-large", `what was deployed has ${ContentLength} bytes`);
    return Body.transformToString();
  },
  configurations: { publish: async (...given) => (await stores()).configurations.publish(...given) },
  audit: async (record) => (await stores()).audit(record),
  clock: Date.now,
  answer: async (url, body) => {
    const response = await fetch(url, {
      method: "PUT",
      // The address is signed for a request without a type.
      headers: { "content-type": "" },
      body,
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    // Lambda tries an event twice more when the function fails.
    if (!response.ok)
      throw new SallyportError("server-unreachable", `CloudFormation's address answered ${response.status}`);
  },
  logger,
};

export function handler(event: CloudFormationCustomResourceEvent): Promise<void> {
  return publishDeployed(deps, event);
}
