import { Duration } from "aws-cdk-lib";
import { EventField, Rule, RuleTargetInput } from "aws-cdk-lib/aws-events";
import { SqsQueue } from "aws-cdk-lib/aws-events-targets";
import { EventSourceMapping } from "aws-cdk-lib/aws-lambda";
import { Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { allow } from "../program.ts";
import type { DataStack } from "../stacks/data-stack.ts";
import { deadLetters } from "./dead-letters.ts";
import { type FunctionContext, SallyportFunction } from "./sallyport-function.ts";

const TIMEOUT_SECONDS = 120;
/** Lambda's own advice: an event that is being worked on is not given out again meanwhile. */
const UNSEEN = Duration.seconds(6 * TIMEOUT_SECONDS);
/** Tries of one chunk, `UNSEEN` apart: two hours of a store that does not answer. */
const TRIES = 10;
const BATCH = 10;
/** Of the recordings' bucket: `recordings/<session>/…`. */
const FOLDER = "recordings/";

/** Each chunk that reaches the recordings, as events of the audit log. */
export class AuditWriter extends Construct {
  readonly function: SallyportFunction;
  readonly failed: Queue;

  constructor(scope: Construct, id: string, data: DataStack, context: FunctionContext) {
    super(scope, id);
    this.function = new SallyportFunction(
      this,
      "Function",
      "audit",
      { description: "writes what recordings tell as OCSF events", timeoutSeconds: TIMEOUT_SECONDS, memory: 1024 },
      context,
    );
    data.recordings.grantRead(this.function);
    data.audit.grantWrite(this.function);
    this.failed = deadLetters(this, "Failed");
    const stored = new Queue(this, "Stored", {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      visibilityTimeout: UNSEEN,
      retentionPeriod: Duration.days(14),
      deadLetterQueue: { queue: this.failed, maxReceiveCount: TRIES },
    });
    this.listenTo(stored);
    // Through EventBridge, as the bucket is in a stack that must not know this queue. The message is what S3 itself would send.
    new Rule(this, "Rule", {
      description: "Sallyport: an object was added to the recordings",
      eventPattern: {
        source: ["aws.s3"],
        detailType: ["Object Created"],
        detail: {
          bucket: { name: [data.recordings.bucket.bucketName] },
          object: { key: [{ prefix: FOLDER }] },
        },
      },
      targets: [new SqsQueue(stored, { message: S3_NOTIFICATION })],
    });
  }

  private listenTo(stored: Queue): void {
    allow(this.function, {
      actions: ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
      resources: [stored.queueArn],
    });
    const mapping = new EventSourceMapping(this, "Messages", {
      target: this.function,
      eventSourceArn: stored.queueArn,
      batchSize: BATCH,
      reportBatchItemFailures: true,
    });
    mapping.node.addDependency(this.function.role ?? this.function);
  }
}

const S3_NOTIFICATION = RuleTargetInput.fromObject({
  Records: [
    {
      eventVersion: "2.1",
      eventSource: "aws:s3",
      awsRegion: EventField.fromPath("$.region"),
      eventTime: EventField.time,
      eventName: "ObjectCreated:Put",
      s3: {
        bucket: { name: EventField.fromPath("$.detail.bucket.name") },
        object: { key: EventField.fromPath("$.detail.object.key") },
      },
    },
  ],
});
