import type { Bucket } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { DECRYPT, type Program, USE_KEY, allow, seenFrom } from "../program.ts";
import type { Settings } from "../settings.ts";
import { type BucketContext, evidenceBucket, objectsOf } from "./buckets.ts";

const BECAUSE = "Objects are named by session and sequence, which no deployment knows; the bucket's name bounds them.";

/** Chunks and manifests of recordings. */
export class Recordings extends Construct {
  readonly bucket: Bucket;
  private readonly context: BucketContext;

  constructor(scope: Construct, id: string, settings: Settings, context: BucketContext) {
    super(scope, id);
    this.context = context;
    this.bucket = evidenceBucket(this, "Bucket", settings, context);
  }

  /** May read recordings, and list what belongs to a session. */
  grantRead(program: Program): void {
    this.grant(program, ["s3:GetObject", "s3:GetObjectVersion"], DECRYPT);
  }

  /** May also add to them: the bucket locks each. May neither delete, nor change a lock, nor go round one. */
  grantWrite(program: Program): void {
    this.grant(program, ["s3:GetObject", "s3:PutObject"], USE_KEY);
  }

  private grant(program: Program, actions: readonly string[], keyActions: readonly string[]): void {
    program.addEnvironment(ENVIRONMENT.recordingsBucket, this.bucket.bucketName);
    const objects = objectsOf(this.bucket, (owner, value) => seenFrom(program, owner, value));
    allow(program, { actions, resources: [objects], because: BECAUSE });
    allow(program, { actions: ["s3:ListBucket"], resources: [this.bucket.bucketArn] });
    allow(program, { actions: keyActions, resources: [this.context.key.keyArn] });
  }
}
