import { CfnOutput, Stack, type StackProps } from "aws-cdk-lib";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import type { Construct } from "constructs";
import { Apps } from "../constructs/apps.ts";
import { AuditWriter } from "../constructs/audit-writer.ts";
import { DeployedConfiguration } from "../constructs/deployed-configuration.ts";
import { Edge } from "../constructs/edge.ts";
import { ApiGateway, ROUTES, type Routed } from "../constructs/http-api.ts";
import { Notify } from "../constructs/notify.ts";
import type { FunctionContext } from "../constructs/sallyport-function.ts";
import { Scheduled } from "../constructs/scheduled.ts";
import type { FunctionCode } from "../function-code.ts";
import { identityOf } from "../identity.ts";
import type { Settings } from "../settings.ts";
import type { DataStack } from "./data-stack.ts";
import type { NetworkStack } from "./network-stack.ts";

export interface ApiStackProps extends StackProps {
  readonly settings: Settings;
  readonly code: FunctionCode;
  readonly network: NetworkStack;
  readonly data: DataStack;
}

/** Pages, API, and what runs behind them. */
export class ApiStack extends Stack {
  readonly gateway: ApiGateway;
  readonly edge: Edge;
  readonly apps: Apps;
  readonly notify: Notify;
  readonly auditWriter: AuditWriter;
  readonly scheduled: Scheduled;

  constructor(scope: Construct, id: string, { settings, code, network, data, ...props }: ApiStackProps) {
    super(scope, id, props);
    const context: FunctionContext = { settings, code, logsKey: network.logsKey };
    const { gatewayHost } = network;
    this.gateway = new ApiGateway(this, "Gateway", settings, network.logsKey);
    // The distribution needs the API's name, the apps need the distribution's, and the API's routes need the apps: in that order.
    this.edge = new Edge(this, "Edge", {
      settings,
      apiHost: this.gateway.host,
      originSecretArn: data.secrets.originArn,
      accessLogs: data.accessLogs as IBucket,
    });
    const app = { settings, publicUrl: this.edge.publicUrl };
    this.apps = new Apps(this, "Apps", { ...app, gatewayHost, data, identity: identityOf(settings), context });
    for (const name of Object.keys(ROUTES) as Routed[]) this.gateway.route(name, this.apps.functions[name]);
    this.notify = new Notify(this, "Notify", data, this.edge.publicUrl, context);
    this.auditWriter = new AuditWriter(this, "AuditWriter", data, context);
    this.scheduled = new Scheduled(this, "Scheduled", data, context);
    // Tasks come after this stack: they find a configuration.
    new DeployedConfiguration(this, "Configuration", data, context);
    new CfnOutput(this, "PublicUrl", { value: this.edge.publicUrl });
    new CfnOutput(this, "DistributionHost", { value: this.edge.distribution.distributionDomainName });
  }
}
