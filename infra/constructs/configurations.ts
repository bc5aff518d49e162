import type { Bucket } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { DECRYPT, type Program, USE_KEY, allow, seenFrom } from "../program.ts";
import { type BucketContext, objectsOf, versionedBucket } from "./buckets.ts";

const BECAUSE = "Versions are named by their digest, which no deployment knows; the bucket's name bounds them.";

/** Versions of the configuration: connections, policies and masks. */
export class Configurations extends Construct {
  readonly bucket: Bucket;
  private readonly context: BucketContext;

  constructor(scope: Construct, id: string, context: BucketContext) {
    super(scope, id);
    this.context = context;
    this.bucket = versionedBucket(this, "Bucket", context);
  }

  grantRead(program: Program): void {
    this.grant(program, ["s3:GetObject", "s3:GetObjectVersion"], DECRYPT);
  }

  /** May also publish a version. Older ones stay: no program of ours may delete here. */
  grantPublish(program: Program): void {
    this.grant(program, ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"], USE_KEY);
  }

  private grant(program: Program, actions: readonly string[], keyActions: readonly string[]): void {
    program.addEnvironment(ENVIRONMENT.configBucket, this.bucket.bucketName);
    const objects = objectsOf(this.bucket, (owner, value) => seenFrom(program, owner, value));
    allow(program, { actions, resources: [objects], because: BECAUSE });
    allow(program, { actions: ["s3:ListBucket", "s3:ListBucketVersions"], resources: [this.bucket.bucketArn] });
    allow(program, { actions: keyActions, resources: [this.context.key.keyArn] });
  }
}
