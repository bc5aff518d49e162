import { Duration, RemovalPolicy, Stack, Validations } from "aws-cdk-lib";
import { AnyPrincipal, Effect, PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type BucketProps,
  type IBucket,
  ObjectLockRetention,
  ObjectOwnership,
  StorageClass,
} from "aws-cdk-lib/aws-s3";
import type { Construct } from "constructs";
import type { Settings } from "../settings.ts";

/** What was begun and never finished is no evidence, and costs. */
const UNFINISHED = Duration.days(7);
/** Nobody replays most sessions after a month; S3's infrequent class pays from 30 days on, its instant archive from 90. */
const TO_INFREQUENT_DAYS = 30;
const TO_ARCHIVE_DAYS = 90;
/** Days between the end of the lock and the deletion: nobody's clock decides at the last moment. */
const GRACE_DAYS = 1;

/** What all buckets share: no public access, TLS 1.2 or newer, no ACLs, kept when the stack goes. */
const CLOSED = {
  blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
  enforceSSL: true,
  minimumTLSVersion: 1.2,
  objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
  removalPolicy: RemovalPolicy.RETAIN,
} as const satisfies BucketProps;

export interface BucketContext {
  readonly key: IKey;
  readonly accessLogs: IBucket;
}

/** Who asked S3 for what: the access logs of all other buckets. */
export function accessLogBucket(scope: Construct, id: string, { logDays }: Settings): Bucket {
  const bucket = new Bucket(scope, id, {
    ...CLOSED,
    // S3 delivers access logs to no bucket that is encrypted with a customer key.
    encryption: BucketEncryption.S3_MANAGED,
    versioned: true,
    lifecycleRules: [
      {
        abortIncompleteMultipartUploadAfter: UNFINISHED,
        expiration: Duration.days(logDays),
        noncurrentVersionExpiration: UNFINISHED,
      },
    ],
  });
  Validations.of(bucket).acknowledge({
    id: "AwsSolutions-S1",
    reason: "It holds the access logs of the other buckets: logging itself into itself would never end.",
  });
  return bucket;
}

/** A bucket of evidence: versioned and locked for the retention, and deleted a day after it. What has a name keeps it. */
export function evidenceBucket(scope: Construct, id: string, settings: Settings, context: BucketContext): Bucket {
  const { retentionDays, retentionMode } = settings;
  const duration = Duration.days(retentionDays);
  const bucket = new Bucket(scope, id, {
    ...CLOSED,
    ...encrypted(context),
    versioned: true,
    serverAccessLogsPrefix: `${id}/`,
    objectLockEnabled: true,
    objectLockDefaultRetention:
      retentionMode === "COMPLIANCE"
        ? ObjectLockRetention.compliance(duration)
        : ObjectLockRetention.governance(duration),
    lifecycleRules: [
      {
        abortIncompleteMultipartUploadAfter: UNFINISHED,
        transitions: [
          { storageClass: StorageClass.INFREQUENT_ACCESS, days: TO_INFREQUENT_DAYS },
          { storageClass: StorageClass.GLACIER_INSTANT_RETRIEVAL, days: TO_ARCHIVE_DAYS },
        ]
          .filter(({ days }) => days < retentionDays)
          .map(({ storageClass, days }) => ({ storageClass, transitionAfter: Duration.days(days) })),
        // A delete marker comes first; what is still locked, S3 deletes when the lock has ended.
        expiration: Duration.days(retentionDays + GRACE_DAYS),
        noncurrentVersionExpiration: Duration.days(GRACE_DAYS),
      },
    ],
  });
  // The lock keeps the version that was first, but readers are given the newest: there shall be no second.
  bucket.addToResourcePolicy(
    new PolicyStatement({
      effect: Effect.DENY,
      principals: [new AnyPrincipal()],
      actions: ["s3:PutObject"],
      resources: [bucket.arnForObjects("*")],
      conditions: { Null: { "s3:if-none-match": "true" } },
    }),
  );
  return bucket;
}

/** A bucket whose versions are its history, and none of which is ever expired. */
export function versionedBucket(scope: Construct, id: string, context: BucketContext): Bucket {
  return new Bucket(scope, id, {
    ...CLOSED,
    ...encrypted(context),
    versioned: true,
    serverAccessLogsPrefix: `${id}/`,
    lifecycleRules: [{ abortIncompleteMultipartUploadAfter: UNFINISHED }],
  });
}

/** A bucket of what can be made again, such as the results of queries. */
export function passingBucket(scope: Construct, id: string, days: number, context: BucketContext): Bucket {
  return new Bucket(scope, id, {
    ...CLOSED,
    ...encrypted(context),
    serverAccessLogsPrefix: `${id}/`,
    lifecycleRules: [{ abortIncompleteMultipartUploadAfter: UNFINISHED, expiration: Duration.days(days) }],
  });
}

function encrypted({ key, accessLogs }: BucketContext): BucketProps {
  return {
    encryption: BucketEncryption.KMS,
    encryptionKey: key,
    // One call to KMS an hour and program, in place of one an object.
    bucketKeyEnabled: true,
    serverAccessLogsBucket: accessLogs,
  };
}

/** The ARN that stands for a bucket's objects below a prefix, as the program's template will write it. */
export function objectsOf(bucket: Bucket, seen: (owner: Stack, value: string) => string, prefix = ""): string {
  return `${seen(Stack.of(bucket), bucket.bucketArn)}/${prefix}*`;
}
