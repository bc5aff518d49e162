import { Validations } from "aws-cdk-lib";
import { type IVpc, Peer, Port, SecurityGroup, SubnetType } from "aws-cdk-lib/aws-ec2";
import { NetworkLoadBalancer } from "aws-cdk-lib/aws-elasticloadbalancingv2";
import { Construct } from "constructs";
import type { Settings } from "../settings.ts";
import { LISTENERS } from "./listeners.ts";
import { HEALTH_PORT } from "./task-ports.ts";

/** The network load balancer, and the security groups of everything behind it: here is all that is open. */
export class Entrance extends Construct {
  readonly balancer: NetworkLoadBalancer;
  /** Of the gateway's tasks. */
  readonly tasks: SecurityGroup;
  /** Of the spool's mount targets. */
  readonly spool: SecurityGroup;

  constructor(scope: Construct, id: string, settings: Settings, vpc: IVpc) {
    super(scope, id);
    const doors = new SecurityGroup(this, "Doors", {
      vpc,
      description: "Sallyport: clients to the load balancer",
      allowAllOutbound: false,
    });
    this.tasks = new SecurityGroup(this, "Tasks", {
      vpc,
      description: "Sallyport: the load balancer to tasks; tasks to targets and AWS",
      // Where targets listen is said by the configuration, which changes without a deployment.
      allowAllOutbound: true,
    });
    this.spool = new SecurityGroup(this, "Spool", {
      vpc,
      description: "Sallyport: tasks to the spool",
      allowAllOutbound: false,
    });
    for (const { port, name } of LISTENERS) {
      for (const range of settings.clientRanges)
        doors.addIngressRule(Peer.ipv4(range), Port.tcp(port), `clients: ${name}`);
      doors.addEgressRule(this.tasks, Port.tcp(port), name);
      this.tasks.addIngressRule(doors, Port.tcp(port), name);
    }
    doors.addEgressRule(this.tasks, Port.tcp(HEALTH_PORT), "health");
    this.tasks.addIngressRule(doors, Port.tcp(HEALTH_PORT), "health");
    this.spool.addIngressRule(this.tasks, Port.NFS, "spool");

    this.balancer = new NetworkLoadBalancer(this, "Balancer", {
      vpc,
      internetFacing: !settings.internal,
      vpcSubnets: { subnetType: settings.internal ? SubnetType.PRIVATE_WITH_EGRESS : SubnetType.PUBLIC },
      securityGroups: [doors],
      crossZoneEnabled: true,
      deletionProtection: true,
    });
    this.acknowledge(doors);
  }

  private acknowledge(doors: SecurityGroup): void {
    Validations.of(doors).acknowledge({
      id: "AwsSolutions-EC23",
      reason:
        "An access gateway is reached from wherever its people work; every connection must show a pass. `clientRanges` narrows it.",
    });
    Validations.of(doors).acknowledge({
      id: "CloudFormation-Validate::W2508",
      reason: "Port 5432 is the gateway's, which speaks Postgres, not a database's. `clientRanges` narrows it.",
    });
    Validations.of(this.balancer).acknowledge({
      id: "AwsSolutions-ELB2",
      reason:
        "A network load balancer logs connections of TLS listeners only, and these are TCP: the gateway itself ends TLS. Flow logs and the gateway's own log hold every connection.",
    });
  }
}
