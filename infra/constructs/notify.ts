import { Duration } from "aws-cdk-lib";
import { EventSourceMapping, StartingPosition } from "aws-cdk-lib/aws-lambda";
import type { Queue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import type { DataStack } from "../stacks/data-stack.ts";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { allow } from "../program.ts";
import { deadLetters } from "./dead-letters.ts";
import { grantMail } from "./mail.ts";
import { type FunctionContext, SallyportFunction } from "./sallyport-function.ts";

/** A mail that comes later than this tells of a request that nobody waits for any more. */
const OLDEST = Duration.hours(1);
const TRIES = 10;
const BATCH = 10;

/** Changes of requests for consent, from the table's stream, as mails. */
export class Notify extends Construct {
  readonly function: SallyportFunction;
  readonly failed: Queue;

  constructor(scope: Construct, id: string, data: DataStack, publicUrl: string, context: FunctionContext) {
    super(scope, id);
    this.function = new SallyportFunction(
      this,
      "Function",
      "notify",
      { description: "mails who is asked for consent", timeoutSeconds: 60, memory: 512 },
      context,
    );
    this.function.addEnvironment(ENVIRONMENT.publicUrl, publicUrl);
    grantMail(this, this.function, context.settings);
    data.tables.grantReadWrite(this.function, "coordination");
    data.tables.grantRead(this.function, "approvals", "people");
    data.configurations.grantRead(this.function);
    data.secrets.grantTokenKey(this.function);
    this.failed = deadLetters(this, "Failed");
    this.listen(data);
  }

  private listen({ tables }: DataStack): void {
    const stream = tables.approvals.tableStreamArn;
    if (stream === undefined) throw new Error("the table of approvals has no stream");
    allow(this.function, {
      actions: ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
      resources: [stream],
    });
    allow(this.function, {
      actions: ["dynamodb:ListStreams"],
      resources: ["*"],
      because: "Lambda lists streams to find the one; DynamoDB has no resource that this could be narrowed to.",
    });
    allow(this.function, { actions: ["sqs:SendMessage"], resources: [this.failed.queueArn] });
    const mapping = new EventSourceMapping(this, "Stream", {
      target: this.function,
      eventSourceArn: stream,
      startingPosition: StartingPosition.TRIM_HORIZON,
      batchSize: BATCH,
      bisectBatchOnError: true,
      reportBatchItemFailures: true,
      retryAttempts: TRIES,
      maxRecordAge: OLDEST,
      onFailure: { bind: () => ({ destination: this.failed.queueArn }) },
    });
    mapping.node.addDependency(this.function);
  }
}
