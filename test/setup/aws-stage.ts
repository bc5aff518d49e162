import { randomBytes } from "node:crypto";
import { CreateKeyCommand, KMSClient } from "@aws-sdk/client-kms";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { CreateSecretCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { newHostKey } from "../../gateway-task/ssh/host-key.ts";
import { type TestAuthority, testAuthority } from "./certificates.ts";
import { type LocalDynamo, startDynamo } from "./dynamodb.ts";
import { ANYBODY, type Moto, startMoto } from "./moto.ts";

/** What stands in for an account: local engines, with what the stacks make in one. */
export interface AwsStage {
  readonly dynamo: LocalDynamo;
  readonly moto: Moto;
  /** The environment of a program, as the stacks set it, with the addresses of the engines. */
  readonly environment: Readonly<Record<string, string>>;
  readonly authority: TestAuthority;
  /** A target's secret, by the name that connections call it by. */
  secret(name: string, value: string): Promise<void>;
  close(): Promise<void>;
}

const TARGETS = "sallyport/targets/";

/**
 * @param directory for certificates and the spool
 * @param proxied   the address by which programs reach an engine at `endpoint`: a test may stand in between
 */
export async function startAwsStage(
  directory: string,
  proxied: (engine: "s3" | "dynamodb", endpoint: string) => Promise<string> = async (_engine, endpoint) => endpoint,
): Promise<AwsStage> {
  const [dynamo, moto] = await Promise.all([startDynamo(), startMoto()]);
  const clientOf = { ...ANYBODY, endpoint: moto.endpoint };
  const secrets = new SecretsManagerClient(clientOf);
  const kms = new KMSClient(clientOf);
  const s3 = new S3Client({ ...clientOf, forcePathStyle: true });
  const secret = async (name: string, value: string): Promise<string> => {
    const { ARN } = await secrets.send(new CreateSecretCommand({ Name: name, SecretString: value }));
    if (ARN === undefined) throw new Error("moto has made no secret");
    return ARN;
  };
  const bucket = async (name: string): Promise<string> => {
    const CreateBucketConfiguration = { LocationConstraint: ANYBODY.region };
    await s3.send(
      new CreateBucketCommand({ Bucket: name, CreateBucketConfiguration, ObjectLockEnabledForBucket: true }),
    );
    return name;
  };
  const key = { KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY" } as const;
  const { KeyMetadata } = await kms.send(new CreateKeyCommand(key));
  const authority = await testAuthority(directory);
  const certificate = await authority.issue("127.0.0.1", "localhost");
  const table = (id: Parameters<LocalDynamo["table"]>[0]): Promise<string> => dynamo.table(id);
  const environment = {
    [ENVIRONMENT.sessionsTable]: await table("sessions"),
    [ENVIRONMENT.passesTable]: await table("passes"),
    [ENVIRONMENT.approvalsTable]: await table("approvals"),
    [ENVIRONMENT.signInsTable]: await table("signIns"),
    [ENVIRONMENT.peopleTable]: await table("people"),
    [ENVIRONMENT.coordinationTable]: await table("coordination"),
    [ENVIRONMENT.recordingsBucket]: await bucket("recordings"),
    [ENVIRONMENT.auditBucket]: await bucket("audit"),
    [ENVIRONMENT.configBucket]: await bucket("config"),
    [ENVIRONMENT.signingKey]: KeyMetadata?.Arn ?? "",
    [ENVIRONMENT.tokenKeySecret]: await secret("token-key", randomBytes(32).toString("base64url")),
    [ENVIRONMENT.maskingKeySecret]: await secret("masking-key", randomBytes(32).toString("base64url")),
    [ENVIRONMENT.tlsSecret]: await secret("tls", JSON.stringify({ ...certificate, ca: authority.ca })),
    [ENVIRONMENT.sshHostKeySecret]: await secret("ssh-host-key", newHostKey().privateKey),
    [ENVIRONMENT.targetSecretPrefix]: TARGETS,
    [ENVIRONMENT.publicUrl]: "https://sallyport.example",
    AWS_REGION: ANYBODY.region,
    AWS_ACCESS_KEY_ID: ANYBODY.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: ANYBODY.credentials.secretAccessKey,
    AWS_EC2_METADATA_DISABLED: "true",
    AWS_ENDPOINT_URL: moto.endpoint,
    AWS_ENDPOINT_URL_S3: await proxied("s3", moto.endpoint),
    AWS_ENDPOINT_URL_DYNAMODB: await proxied("dynamodb", await addressOf(dynamo)),
  };
  return {
    dynamo,
    moto,
    environment,
    authority,
    secret: async (name, value) => void (await secret(TARGETS + name, value)),
    async close() {
      for (const client of [secrets, kms, s3]) client.destroy();
      await Promise.all([dynamo.stop(), moto.close()]);
    },
  };
}

async function addressOf({ client }: LocalDynamo): Promise<string> {
  const { endpoint } = client.config;
  if (endpoint === undefined) throw new Error("the local engine has no address");
  const { protocol, hostname, port } = await endpoint();
  return `${protocol}//${hostname}:${port}`;
}
