import { Duration } from "aws-cdk-lib";
import type { IVpc } from "aws-cdk-lib/aws-ec2";
import {
  type INetworkLoadBalancer,
  NetworkListener,
  type NetworkLoadBalancer,
  NetworkTargetGroup,
  Protocol,
} from "aws-cdk-lib/aws-elasticloadbalancingv2";
import { Construct } from "constructs";
import { type GatewayService, STOP_TIMEOUT } from "./gateway-service.ts";
import { LISTENERS } from "./listeners.ts";
import { HEALTH_PORT } from "./task-ports.ts";

/**
 * How long the balancer remembers a connection on which nothing moves; after that it resets what comes next. The gateway's listeners
 * let the kernel ask after 60 s of silence (`KEEPALIVE_MS` of gateway-task/postgres/listener.ts and ssh/listener.ts): so it forgets
 * no connection whose client lives, and one whose client is gone is found out first.
 */
const IDLE_TIMEOUT = Duration.seconds(350);

/** The ports of the balancer, and which tasks take their connections. */
export class GatewayListeners extends Construct {
  readonly targetGroups: readonly NetworkTargetGroup[];

  constructor(scope: Construct, id: string, vpc: IVpc, balancer: NetworkLoadBalancer, gateway: GatewayService) {
    super(scope, id);
    this.targetGroups = LISTENERS.map(({ name, port }) => {
      const group = targetGroup(this, name, port, vpc, gateway);
      new NetworkListener(this, `${name}-listener`, {
        loadBalancer: balancer as INetworkLoadBalancer,
        port,
        protocol: Protocol.TCP,
        tcpIdleTimeout: IDLE_TIMEOUT,
        defaultTargetGroups: [group],
      });
      return group;
    });
  }
}

function targetGroup(
  scope: Construct,
  name: string,
  port: number,
  vpc: IVpc,
  { service, containerName }: GatewayService,
): NetworkTargetGroup {
  const group = new NetworkTargetGroup(scope, name, {
    vpc,
    port,
    protocol: Protocol.TCP,
    // Policies, limits and recordings know clients by their own addresses.
    preserveClientIp: true,
    targets: [service.loadBalancerTarget({ containerName, containerPort: port })],
    deregistrationDelay: STOP_TIMEOUT,
    // Draining, a task says that it takes nobody; its live sessions go on.
    connectionTermination: false,
    healthCheck: {
      protocol: Protocol.HTTP,
      port: String(HEALTH_PORT),
      path: "/health",
      interval: Duration.seconds(10),
      timeout: Duration.seconds(5),
      healthyThresholdCount: 2,
      unhealthyThresholdCount: 3,
    },
  });
  group.setAttribute("target_health_state.unhealthy.connection_termination.enabled", "false");
  return group;
}
