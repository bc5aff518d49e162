import { Stack, Validations } from "aws-cdk-lib";
import { AccessLogFormat } from "aws-cdk-lib/aws-apigateway";
import {
  HttpApi,
  HttpMethod,
  HttpNoneAuthorizer,
  HttpStage,
  LogGroupLogDestination,
} from "aws-cdk-lib/aws-apigatewayv2";
import { HttpLambdaIntegration } from "aws-cdk-lib/aws-apigatewayv2-integrations";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import type { LogGroup } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import type { Settings } from "../settings.ts";
import { type LogsKey, keptLogs } from "./logs-key.ts";

/** Requests a second to the whole API: a thousand people with a page open each ask far less. */
const RATE = 200;
const BURST = 400;

/** Which app answers which paths. What nobody else has is `auth`'s: its pages, its API, and the answer that there is nothing. */
export const ROUTES = {
  auth: ["/", "/{proxy+}"],
  approvals: ["/approvals", "/approvals/{proxy+}", "/api/approvals", "/api/approvals/{proxy+}"],
  replay: ["/sessions", "/sessions/{proxy+}", "/api/sessions", "/api/sessions/{proxy+}", "/api/signing-keys"],
  config: ["/api/config", "/api/config/{proxy+}"],
} as const satisfies Record<string, readonly string[]>;

export type Routed = keyof typeof ROUTES;

/** One HTTP API for all apps, with a bound on requests and a log of each. */
export class ApiGateway extends Construct {
  readonly api: HttpApi;
  readonly stage: HttpStage;
  readonly logs: LogGroup;

  constructor(scope: Construct, id: string, settings: Settings, logsKey: LogsKey) {
    super(scope, id);
    this.logs = keptLogs(this, "AccessLogs", settings, logsKey);
    this.api = new HttpApi(this, "Api", {
      description: "Sallyport: pages and API",
      createDefaultStage: false,
      // Said rather than left out: who a request comes from, our apps find out.
      defaultAuthorizer: new HttpNoneAuthorizer(),
    });
    this.stage = new HttpStage(this, "Stage", {
      httpApi: this.api,
      stageName: "$default",
      autoDeploy: true,
      throttle: { rateLimit: RATE, burstLimit: BURST },
      detailedMetricsEnabled: true,
      accessLogSettings: {
        destination: new LogGroupLogDestination(this.logs),
        // No query and no header: links of mails and codes of sign-ins stand in them.
        format: AccessLogFormat.custom(
          JSON.stringify({
            requestId: "$context.requestId",
            at: "$context.requestTimeEpoch",
            from: "$context.identity.sourceIp",
            method: "$context.httpMethod",
            path: "$context.path",
            status: "$context.status",
            bytes: "$context.responseLength",
            ms: "$context.responseLatency",
            error: "$context.integrationErrorMessage",
          }),
        ),
      },
    });
  }

  /** The host that the distribution asks. */
  get host(): string {
    const { region, urlSuffix } = Stack.of(this);
    return `${this.api.apiId}.execute-api.${region}.${urlSuffix}`;
  }

  /** Lets an app answer its paths. */
  route(app: Routed, handler: IFunction): void {
    const integration = new HttpLambdaIntegration(`${app}-integration`, handler);
    for (const path of ROUTES[app])
      for (const route of this.api.addRoutes({ path, methods: [HttpMethod.ANY], integration }))
        Validations.of(route).acknowledge({
          id: "AwsSolutions-APIG4",
          reason:
            "The apps identify every request themselves, by a signed session or a pass, as they do on one machine; sign-in pages are for those who are not signed in yet. Requests that did not come through the distribution are refused.",
        });
  }
}
