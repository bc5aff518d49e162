import { Duration, Validations } from "aws-cdk-lib";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Architecture, Function as LambdaFunction, LoggingFormat, Runtime, Tracing } from "aws-cdk-lib/aws-lambda";
import type { Construct } from "constructs";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { type FunctionName, HANDLER } from "../bundling.ts";
import type { FunctionCode } from "../function-code.ts";
import type { Settings } from "../settings.ts";
import { type LogsKey, keptLogs } from "./logs-key.ts";

export interface FunctionContext {
  readonly settings: Settings;
  readonly code: FunctionCode;
  readonly logsKey: LogsKey;
}

export interface FunctionShape {
  readonly description: string;
  readonly timeoutSeconds: number;
  /** MiB; Lambda gives CPU by it. */
  readonly memory: number;
  /** The most that run at once: what they share must not be worn out by them. Undefined: the account's own bound. */
  readonly atOnce?: number;
}

/** One function of ours: Node 24 on arm64, a role that may write its own log and what it is granted, and no more. */
export class SallyportFunction extends LambdaFunction {
  constructor(scope: Construct, id: string, name: FunctionName, shape: FunctionShape, context: FunctionContext) {
    const { settings, code, logsKey } = context;
    const role = new Role(scope, `${id}Role`, {
      assumedBy: new ServicePrincipal("lambda.amazonaws.com"),
      description: `Sallyport: ${shape.description}`,
    });
    const logGroup = keptLogs(scope, `${id}Logs`, settings, logsKey);
    super(scope, id, {
      description: `Sallyport: ${shape.description}`,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      handler: HANDLER,
      code: code(name),
      role,
      logGroup,
      loggingFormat: LoggingFormat.JSON,
      timeout: Duration.seconds(shape.timeoutSeconds),
      memorySize: shape.memory,
      tracing: settings.traces ? Tracing.ACTIVE : Tracing.DISABLED,
      environment: {
        [ENVIRONMENT.logLevel]: settings.logLevel,
      },
      ...(shape.atOnce !== undefined && { reservedConcurrentExecutions: shape.atOnce }),
    });
    // In place of a managed policy, which lets a function write every log of the account.
    role.addToPolicy(
      new PolicyStatement({
        actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
        resources: [logGroup.logGroupArn],
      }),
    );
    if (settings.traces)
      Validations.of(role).acknowledge({
        id: "AwsSolutions-IAM5[Resource::*]",
        reason: "X-Ray has no resources that a permission to write traces could name.",
      });
  }
}
