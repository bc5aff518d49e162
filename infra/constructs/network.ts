import { Validations } from "aws-cdk-lib";
import {
  FlowLogDestination,
  FlowLogTrafficType,
  GatewayVpcEndpointAwsService,
  type IVpc,
  IpAddresses,
  type SubnetSelection,
  SubnetType,
  Vpc,
} from "aws-cdk-lib/aws-ec2";
import { Construct } from "constructs";
import type { Settings } from "../settings.ts";
import { type LogsKey, keptLogs } from "./logs-key.ts";

/** Where tasks and the spool's mount targets are: they reach AWS and the targets, and nothing reaches them but the balancer. */
export const INSIDE: SubnetSelection = { subnetType: SubnetType.PRIVATE_WITH_EGRESS };

/** The fewest zones with which the loss of one leaves a gateway. */
const ZONES = 2;

/** The VPC: ours, or the one that the settings name. Ours keeps flow logs, as the balancer logs no TCP connection. */
export class Network extends Construct {
  readonly vpc: IVpc;

  constructor(scope: Construct, id: string, settings: Settings, logsKey: LogsKey) {
    super(scope, id);
    this.vpc =
      settings.vpcId === undefined
        ? (this.own(settings, logsKey) as IVpc)
        : Vpc.fromLookup(this, "Vpc", { vpcId: settings.vpcId });
  }

  private own(settings: Settings, logsKey: LogsKey): Vpc {
    const vpc = new Vpc(this, "Vpc", {
      ipAddresses: IpAddresses.cidr("10.20.0.0/16"),
      ...(settings.zones === undefined ? { maxAzs: ZONES } : { availabilityZones: settings.zones }),
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [
        { name: "outside", subnetType: SubnetType.PUBLIC, cidrMask: 24, mapPublicIpOnLaunch: false },
        { name: "inside", subnetType: SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 20 },
      ],
      // Recordings and the index take the shorter way, and cost no NAT.
      gatewayEndpoints: {
        S3: { service: GatewayVpcEndpointAwsService.S3 },
        DynamoDb: { service: GatewayVpcEndpointAwsService.DYNAMODB },
      },
    });
    Validations.of(vpc).acknowledge({
      id: "CloudFormation-Validate::W3010",
      reason: "Zones stand in the template only where the settings name them.",
    });
    vpc.addFlowLog("Flows", {
      destination: FlowLogDestination.toCloudWatchLogs(keptLogs(this, "FlowLogs", settings, logsKey)),
      trafficType: FlowLogTrafficType.ALL,
    });
    return vpc;
  }
}
