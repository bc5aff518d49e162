import { Duration, RemovalPolicy, Stack, type StackProps, Tags } from "aws-cdk-lib";
import { Key } from "aws-cdk-lib/aws-kms";
import type { Bucket, CfnBucket, IBucket } from "aws-cdk-lib/aws-s3";
import type { Construct } from "constructs";
import { AuditLake } from "../constructs/audit-lake.ts";
import { accessLogBucket } from "../constructs/buckets.ts";
import { Configurations } from "../constructs/configurations.ts";
import { DeployedSecrets } from "../constructs/deployed-secrets.ts";
import { Recordings } from "../constructs/recordings.ts";
import { SigningKey } from "../constructs/signing-key.ts";
import { Spool } from "../constructs/spool.ts";
import { Tables } from "../constructs/tables.ts";
import type { FunctionCode } from "../function-code.ts";
import type { Settings } from "../settings.ts";
import type { NetworkStack } from "./network-stack.ts";

export interface DataStackProps extends StackProps {
  readonly settings: Settings;
  readonly code: FunctionCode;
  readonly network: NetworkStack;
}

/** What outlives every deployment: evidence, state, keys and secrets. All of it stays when the stack is deleted. */
export class DataStack extends Stack {
  readonly recordings: Recordings;
  readonly audit: AuditLake;
  readonly configurations: Configurations;
  readonly tables: Tables;
  readonly signingKey: SigningKey;
  readonly spool: Spool;
  readonly secrets: DeployedSecrets;
  readonly accessLogs: Bucket;
  readonly key: Key;

  constructor(scope: Construct, id: string, { settings, code, network, ...props }: DataStackProps) {
    super(scope, id, { ...props, terminationProtection: true });
    this.key = new Key(this, "Key", {
      description: "Sallyport: recordings, state and secrets",
      enableKeyRotation: true,
      pendingWindow: Duration.days(30),
      removalPolicy: RemovalPolicy.RETAIN,
    });
    this.accessLogs = accessLogBucket(this, "AccessLogs", settings);
    const context = { key: this.key, accessLogs: this.accessLogs as IBucket };
    this.recordings = new Recordings(this, "Recordings", settings, context);
    tellsEvents(this.recordings.bucket);
    this.audit = new AuditLake(this, "Audit", settings, context);
    this.configurations = new Configurations(this, "Configurations", context);
    this.tables = new Tables(this, "Tables", this.key);
    this.signingKey = new SigningKey(this, "SigningKey");
    this.spool = new Spool(this, "Spool", network.network.vpc, this.key, network.entrance.spool);
    this.secrets = new DeployedSecrets(this, "Secrets", network.gatewayHost, this.key, {
      settings,
      code,
      logsKey: network.logsKey,
    });
    Tags.of(this).add("sallyport:retained", "true");
  }
}

/** Each new object to EventBridge. By the property itself: CDK's own way is a function of its own with rights on every bucket. */
function tellsEvents(bucket: Bucket): void {
  const resource = bucket.node.defaultChild as CfnBucket;
  resource.notificationConfiguration = { eventBridgeConfiguration: { eventBridgeEnabled: true } };
}
