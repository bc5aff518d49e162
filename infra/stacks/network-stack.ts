import { CfnOutput, Stack, type StackProps } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { Entrance } from "../constructs/entrance.ts";
import { LogsKey } from "../constructs/logs-key.ts";
import { Network } from "../constructs/network.ts";
import type { Settings } from "../settings.ts";

/** What all others stand on: the VPC, the load balancer's name, the security groups, and the key of the logs. */
export class NetworkStack extends Stack {
  readonly logsKey: LogsKey;
  readonly network: Network;
  readonly entrance: Entrance;
  /** The host by which native clients reach the gateway. */
  readonly gatewayHost: string;
  private readonly zones: string[] | undefined;

  constructor(scope: Construct, id: string, settings: Settings, props: StackProps) {
    super(scope, id, props);
    this.zones = settings.zones;
    this.logsKey = new LogsKey(this, "LogsKey");
    this.network = new Network(this, "Network", settings, this.logsKey);
    this.entrance = new Entrance(this, "Entrance", settings, this.network.vpc);
    this.gatewayHost = settings.gatewayHost ?? this.entrance.balancer.loadBalancerDnsName;
    new CfnOutput(this, "GatewayHost", { value: this.gatewayHost });
    new CfnOutput(this, "BalancerName", { value: this.entrance.balancer.loadBalancerDnsName });
  }

  /** Those of the settings: CDK would ask the account for all that there are, to check them. */
  override get availabilityZones(): string[] {
    return this.zones ?? super.availabilityZones;
  }
}
