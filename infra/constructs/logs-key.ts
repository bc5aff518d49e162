import { Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Key } from "aws-cdk-lib/aws-kms";
import { LogGroup, type RetentionDays } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import type { Settings } from "../settings.ts";

/** A key that is deleted in error can be taken back for as long as KMS allows at most. */
const PENDING = Duration.days(30);

/** The customer key of what operators read: log groups and the alarms' topic. */
export class LogsKey extends Key {
  constructor(scope: Construct, id: string) {
    super(scope, id, {
      description: "Sallyport: logs and alarms",
      enableKeyRotation: true,
      pendingWindow: PENDING,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    const { region, account, partition } = Stack.of(this);
    this.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal(`logs.${region}.amazonaws.com`)],
        actions: ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
        resources: ["*"],
        conditions: {
          ArnLike: { "kms:EncryptionContext:aws:logs:arn": `arn:${partition}:logs:${region}:${account}:log-group:*` },
        },
      }),
    );
    this.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal("cloudwatch.amazonaws.com")],
        actions: ["kms:Decrypt", "kms:GenerateDataKey*"],
        resources: ["*"],
        conditions: { StringEquals: { "aws:SourceAccount": account } },
      }),
    );
  }
}

/** A log group that outlives its stack for as long as the setting says, encrypted with our key. */
export function keptLogs(scope: Construct, id: string, { logDays }: Pick<Settings, "logDays">, key: LogsKey): LogGroup {
  const retention: RetentionDays = logDays;
  return new LogGroup(scope, id, { retention, encryptionKey: key, removalPolicy: RemovalPolicy.RETAIN });
}
