import { type App, Tags, Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";
import type { FunctionCode } from "./function-code.ts";
import type { Settings } from "./settings.ts";
import { ApiStack } from "./stacks/api-stack.ts";
import { DataStack } from "./stacks/data-stack.ts";
import { GatewayStack } from "./stacks/gateway-stack.ts";
import { NetworkStack } from "./stacks/network-stack.ts";
import { ObservabilityStack } from "./stacks/observability-stack.ts";

export interface Stacks {
  readonly network: NetworkStack;
  readonly data: DataStack;
  readonly api: ApiStack;
  readonly gateway: GatewayStack;
  readonly observability: ObservabilityStack;
}

/** All of Sallyport in an account, in the order in which it is deployed; cdk-nag looks at it when it is synthesised. */
export function sallyport(app: App, settings: Settings, code: FunctionCode): Stacks {
  const { name, account, region } = settings;
  const common = { env: { ...(account && { account }), ...(region && { region }) } };
  const network = new NetworkStack(app, `${name}-Network`, settings, {
    ...common,
    description: "Sallyport: network, load balancer and security groups",
    // The gateway's address is what clients have in their configuration.
    terminationProtection: true,
  });
  const data = new DataStack(app, `${name}-Data`, {
    ...common,
    description: "Sallyport: evidence, state, keys and secrets",
    settings,
    code,
    network,
  });
  const api = new ApiStack(app, `${name}-Api`, {
    ...common,
    description: "Sallyport: pages, API and what runs behind them",
    settings,
    code,
    network,
    data,
  });
  const gateway = new GatewayStack(app, `${name}-Gateway`, {
    ...common,
    description: "Sallyport: the data path",
    settings,
    network,
    data,
    publicUrl: api.edge.publicUrl,
  });
  const observability = new ObservabilityStack(app, `${name}-Observability`, {
    ...common,
    description: "Sallyport: dashboard and alarms",
    settings,
    network,
    gateway,
    api,
  });
  Tags.of(app).add("sallyport", name);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  return { network, data, api, gateway, observability };
}
