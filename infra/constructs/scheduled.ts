import { ENVIRONMENT } from "../../aws/environment.ts";
import { Duration } from "aws-cdk-lib";
import { Rule, Schedule } from "aws-cdk-lib/aws-events";
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets";
import { Construct } from "constructs";
import type { DataStack } from "../stacks/data-stack.ts";
import { type FunctionContext, SallyportFunction } from "./sallyport-function.ts";

/** An abandoned spool is told of within this and the alarm's own time. */
const EVERY = Duration.minutes(15);

/** Work that nobody asks for: looks for what was left behind, and forgets sessions whose retention is over. */
export class Scheduled extends Construct {
  readonly function: SallyportFunction;

  constructor(scope: Construct, id: string, data: DataStack, context: FunctionContext) {
    super(scope, id);
    this.function = new SallyportFunction(
      this,
      "Function",
      "scheduled",
      {
        description: "looks for what was left behind, forgets what is over",
        timeoutSeconds: 300,
        memory: 512,
        atOnce: 1,
      },
      context,
    );
    data.tables.grantRead(this.function, "coordination");
    data.tables.grantForget(this.function, "sessions");
    this.function.addEnvironment(ENVIRONMENT.retentionDays, String(context.settings.retentionDays));
    new Rule(this, "Rule", {
      description: "Sallyport: scheduled work",
      schedule: Schedule.rate(EVERY),
      targets: [new LambdaFunction(this.function, { retryAttempts: 2 })],
    });
  }
}
