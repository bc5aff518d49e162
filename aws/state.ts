import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { KMSClient } from "@aws-sdk/client-kms";
import { S3Client } from "@aws-sdk/client-s3";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { ApprovalStore } from "../core/ports/approval-store.ts";
import type { AuditLog } from "../core/ports/audit-log.ts";
import type { CancelKeys } from "../core/ports/cancel-keys.ts";
import type { ChunkStore } from "../core/ports/chunk-store.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { ConfigurationStore } from "../core/ports/configuration-store.ts";
import type { LeaseStore } from "../core/ports/lease-store.ts";
import type { PassStore } from "../core/ports/pass-store.ts";
import type { PeopleStore } from "../core/ports/people-store.ts";
import type { Secrets } from "../core/ports/secrets.ts";
import type { SessionStore } from "../core/ports/session-store.ts";
import type { SignInStore } from "../core/ports/sign-in-store.ts";
import type { Signer } from "../core/ports/signer.ts";
import type { SshKeyStore } from "../core/ports/ssh-key-store.ts";
import type { TargetTokens } from "../core/ports/target-tokens.ts";
import { s3AuditLog } from "./audit-log.ts";
import { CHUNK_REQUEST_TIMEOUT_MS, s3ChunkStore } from "./chunk-store.ts";
import { clientOptions } from "./client-options.ts";
import { s3ConfigurationStore } from "./configuration-store.ts";
import { dynamoApprovalStore } from "./dynamo/approval-store.ts";
import { dynamoCancelKeys } from "./dynamo/cancel-keys.ts";
import { dynamoLeaseStore } from "./dynamo/lease-store.ts";
import { dynamoPassStore } from "./dynamo/pass-store.ts";
import { dynamoPeopleStore } from "./dynamo/people-store.ts";
import { dynamoSessionStore } from "./dynamo/session-store.ts";
import { dynamoSignInStore } from "./dynamo/sign-in-store.ts";
import { dynamoSshKeyStore } from "./dynamo/ssh-key-store.ts";
import { kmsSigner } from "./kms-signer.ts";
import { type ProgramSecrets, programSecrets } from "./program-secrets.ts";
import { rdsTokens } from "./rds-token.ts";
import { managedSecrets } from "./secrets.ts";
import { arnOf, type Environment, text, told } from "./told.ts";

/** Every port in an AWS account: the twin of `local/state.ts`. */
export interface AwsState {
  readonly passes: PassStore;
  readonly signIns: SignInStore;
  readonly sshKeys: SshKeyStore;
  readonly sessions: SessionStore;
  readonly approvalStore: ApprovalStore;
  readonly people: PeopleStore;
  readonly chunks: ChunkStore;
  readonly cancelKeys: CancelKeys;
  readonly leases: LeaseStore;
  readonly signer: Signer;
  /** Of targets, by name. */
  readonly secrets: Secrets;
  readonly targetTokens: TargetTokens;
  readonly configurations: ConfigurationStore;
  readonly auditLog: AuditLog;
  /** Of our own programs, by ARN. */
  readonly programSecrets: ProgramSecrets;
  /** Folder of the spools. */
  readonly spool: string;
  close(): void;
}

const name = text.regex(/^[\w.-]{3,255}$/, "is no name of a table or bucket");

/** What a program must be told to have these ports. */
const SHAPE = {
  sessionsTable: name,
  passesTable: name,
  approvalsTable: name,
  signInsTable: name,
  peopleTable: name,
  coordinationTable: name,
  recordingsBucket: name,
  auditBucket: name,
  configBucket: name,
  signingKey: arnOf("kms"),
  targetSecretPrefix: text.regex(/^[A-Za-z0-9/_+=.@-]{1,200}$/, "is no prefix of secrets' names"),
  spool: text.regex(/^\//, "is no absolute path"),
} as const;

/**
 * Opens the ports that the stacks named. Rejects with `configuration-invalid`, which has a sentence for each variable that is missing or
 * cannot be, and where the signing key is none; with `store-unavailable` where KMS does not tell its public half.
 */
export async function awsState(environment: Environment, clock: Clock = Date.now): Promise<AwsState> {
  const names = told(environment, SHAPE);
  const dynamo = new DynamoDBClient(clientOptions());
  // A bucket's name stands in the path where a local engine stands in for S3: it has no names of hosts for each.
  const forcePathStyle = environment["AWS_ENDPOINT_URL_S3"] !== undefined;
  const s3 = new S3Client({ ...clientOptions(CHUNK_REQUEST_TIMEOUT_MS), forcePathStyle });
  const kms = new KMSClient(clientOptions());
  const secretsManager = new SecretsManagerClient(clientOptions());
  const clients = [dynamo, s3, kms, secretsManager];
  const close = (): void => {
    for (const client of clients) client.destroy();
  };
  try {
    return {
      passes: dynamoPassStore(dynamo, names.passesTable),
      signIns: dynamoSignInStore(dynamo, names.signInsTable),
      sshKeys: dynamoSshKeyStore(dynamo, names.peopleTable),
      sessions: dynamoSessionStore(dynamo, names.sessionsTable),
      approvalStore: dynamoApprovalStore(dynamo, names.approvalsTable),
      people: dynamoPeopleStore(dynamo, names.peopleTable),
      cancelKeys: dynamoCancelKeys(dynamo, names.coordinationTable, clock),
      leases: dynamoLeaseStore(dynamo, names.coordinationTable),
      // Retention is the bucket's own default.
      chunks: s3ChunkStore({ client: s3, bucket: names.recordingsBucket, retention: undefined, clock }),
      signer: await kmsSigner(kms, names.signingKey),
      secrets: managedSecrets({ client: secretsManager, prefix: names.targetSecretPrefix, clock }),
      targetTokens: rdsTokens(),
      configurations: s3ConfigurationStore({ client: s3, bucket: names.configBucket, clock }),
      auditLog: s3AuditLog(s3, names.auditBucket),
      programSecrets: programSecrets(secretsManager),
      spool: names.spool,
      close,
    };
  } catch (thrown) {
    close();
    throw thrown;
  }
}
