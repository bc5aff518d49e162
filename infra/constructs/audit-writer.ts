import { Duration } from "aws-cdk-lib";
import { EventField, Rule, RuleTargetInput } from "aws-cdk-lib/aws-events";
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets";
import type { Queue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import type { DataStack } from "../stacks/data-stack.ts";
import { deadLetters } from "./dead-letters.ts";
import { type FunctionContext, SallyportFunction } from "./sallyport-function.ts";

const OLDEST = Duration.hours(24);
const TRIES = 20;

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
      { description: "writes what recordings tell as OCSF events", timeoutSeconds: 120, memory: 1024 },
      context,
    );
    data.recordings.grantRead(this.function);
    data.audit.grantWrite(this.function);
    data.tables.grantRead(this.function, "sessions");
    this.failed = deadLetters(this, "Failed", data.key);
    // Through EventBridge, as the bucket is in a stack that must not know this function. The event is the one that S3 itself would send.
    new Rule(this, "Stored", {
      description: "Sallyport: an object was added to the recordings",
      eventPattern: {
        source: ["aws.s3"],
        detailType: ["Object Created"],
        detail: { bucket: { name: [data.recordings.bucket.bucketName] } },
      },
      targets: [
        new LambdaFunction(this.function, {
          retryAttempts: TRIES,
          maxEventAge: OLDEST,
          deadLetterQueue: this.failed,
          event: RuleTargetInput.fromObject({
            Records: [
              {
                eventSource: "aws:s3",
                eventName: "ObjectCreated:Put",
                eventTime: EventField.time,
                awsRegion: EventField.fromPath("$.region"),
                s3: {
                  bucket: { name: EventField.fromPath("$.detail.bucket.name") },
                  object: { key: EventField.fromPath("$.detail.object.key") },
                },
              },
            ],
          }),
        }),
      ],
    });
  }
}
