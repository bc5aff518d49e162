import { randomUUID } from "node:crypto";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { S3Client } from "@aws-sdk/client-s3";
import { apiSettings, resourceName, s3Options } from "../../aws/api-settings.ts";
import { s3AuditLog } from "../../aws/audit-log.ts";
import { clientOptions } from "../../aws/client-options.ts";
import { s3ConfigurationReader } from "../../aws/configuration-reader.ts";
import { dynamoPassStore } from "../../aws/dynamo/pass-store.ts";
import { dynamoPeopleStore } from "../../aws/dynamo/people-store.ts";
import { dynamoSessionStore } from "../../aws/dynamo/session-store.ts";
import { dynamoSignInStore } from "../../aws/dynamo/sign-in-store.ts";
import { dynamoSshKeyStore } from "../../aws/dynamo/ssh-key-store.ts";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { arnOf, text, told, whole } from "../../aws/told.ts";
import { auditTo } from "../../core/audit/audit.ts";
import { connectionsIn, servicesIn } from "../../core/config/bundle-parts.ts";
import { parseIdentity, resolveIdentity } from "../../core/config/identity.ts";
import { apiHandler } from "../shared/api-handler.ts";
import { followedPart } from "../shared/followed-part.ts";
import { lambdaLogger } from "../shared/lambda-log.ts";
import { behindDistribution, viewerAddress } from "../shared/viewer.ts";
import { authApp } from "./app.ts";
import { checkSamlProviders } from "./saml-sign-in.ts";

const MAX_PORT = 65_535;
const logger = lambdaLogger(process.env[ENVIRONMENT.logLevel]);

export const handler = apiHandler(logger, async () => {
  const names = settings();
  const { baseUrl, tokenKey, admins, originSecret, secrets } = await apiSettings(process.env);
  const dynamo = new DynamoDBClient(clientOptions());
  const s3 = new S3Client(s3Options(process.env));
  const identity = parseIdentity(json(names.identity), ENVIRONMENT.identity);
  const [providers, tls, configuration] = await Promise.all([
    resolveIdentity(identity, { get: (arn) => secrets.text(arn) }),
    secrets.tls(names.tlsSecret),
    followedPart({
      store: s3ConfigurationReader({ client: s3, bucket: names.configBucket }),
      read: (files) => ({ connections: connectionsIn(files), services: servicesIn(files) }),
      clock: Date.now,
      logger,
    }),
  ]);
  await checkSamlProviders(providers.filter((one) => one.kind === "saml"));
  const app = authApp({
    baseUrl,
    tokenKey,
    providers,
    passes: dynamoPassStore(dynamo, names.passesTable),
    signIns: dynamoSignInStore(dynamo, names.signInsTable),
    people: dynamoPeopleStore(dynamo, names.peopleTable),
    sessions: dynamoSessionStore(dynamo, names.sessionsTable),
    sshKeys: dynamoSshKeyStore(dynamo, names.peopleTable),
    admins,
    connections: () => [...configuration.current().connections.values()],
    services: () => configuration.current().services,
    gateway: { host: names.gatewayHost, port: names.postgresPort, caPem: tls.ca, ssh: sshAddress(names) },
    clock: Date.now,
    logger,
    audit: auditTo(s3AuditLog(s3, names.auditBucket), randomUUID),
    clientAddress: viewerAddress(originSecret !== undefined),
  });
  const following = {
    fetch: async (...asked: Parameters<typeof app.fetch>) => {
      await configuration.look();
      return app.fetch(...asked);
    },
  };
  return behindDistribution(following, originSecret, logger);
});

function settings() {
  return told(process.env, {
    passesTable: resourceName,
    signInsTable: resourceName,
    peopleTable: resourceName,
    sessionsTable: resourceName,
    configBucket: resourceName,
    auditBucket: resourceName,
    tlsSecret: arnOf("secretsmanager"),
    identity: text,
    gatewayHost: text,
    postgresPort: whole(1, MAX_PORT, 5432),
    sshPort: whole(1, MAX_PORT, 2222),
    sshPublicHostKey: text.regex(/^[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,2}$/, "is no public key").optional(),
  });
}

function sshAddress({ sshPort: port, sshPublicHostKey: hostKey }: ReturnType<typeof settings>) {
  return hostKey === undefined ? undefined : { port, hostKey };
}

/** What is no JSON is no settings either: `parseIdentity` says so. */
function json(given: string): unknown {
  try {
    return JSON.parse(given);
  } catch {
    return undefined;
  }
}
