import { Stack, type StackProps } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { GatewayListeners } from "../constructs/gateway-listeners.ts";
import { GatewayService } from "../constructs/gateway-service.ts";
import { grantTargets } from "../constructs/targets.ts";
import type { Settings } from "../settings.ts";
import type { DataStack } from "./data-stack.ts";
import type { NetworkStack } from "./network-stack.ts";

export interface GatewayStackProps extends StackProps {
  readonly settings: Settings;
  readonly network: NetworkStack;
  readonly data: DataStack;
  /** Origin of pages and API. */
  readonly publicUrl: string;
}

/** The data path: tasks, and the ports by which clients reach them. */
export class GatewayStack extends Stack {
  readonly gateway: GatewayService;
  readonly listeners: GatewayListeners;

  constructor(scope: Construct, id: string, { settings, network, data, publicUrl, ...props }: GatewayStackProps) {
    super(scope, id, props);
    const gateway = new GatewayService(this, "Gateway", { settings, network, spool: data.spool, publicUrl });
    this.gateway = gateway;
    data.tables.grantReadWrite(gateway, "sessions", "passes", "approvals", "signIns", "people", "coordination");
    data.recordings.grantWrite(gateway);
    data.audit.grantWrite(gateway);
    data.configurations.grantRead(gateway);
    data.signingKey.grantSign(gateway);
    data.secrets.grantTls(gateway);
    data.secrets.grantSshHostKey(gateway);
    data.secrets.grantMaskingKey(gateway);
    grantTargets(this, gateway, settings);
    const { vpc } = network.network;
    this.listeners = new GatewayListeners(this, "Listeners", vpc, network.entrance.balancer, gateway);
  }
}
