import { CfnOutput, Stack, type StackProps } from "aws-cdk-lib";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Topic } from "aws-cdk-lib/aws-sns";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import type { Construct } from "constructs";
import { Alarms } from "../constructs/alarms.ts";
import { dashboard } from "../constructs/dashboard.ts";
import type { Settings } from "../settings.ts";
import type { ApiStack } from "./api-stack.ts";
import type { GatewayStack } from "./gateway-stack.ts";
import type { NetworkStack } from "./network-stack.ts";

export interface ObservabilityStackProps extends StackProps {
  readonly settings: Settings;
  readonly network: NetworkStack;
  readonly gateway: GatewayStack;
  readonly api: ApiStack;
}

/** What operators look at, and what calls them. */
export class ObservabilityStack extends Stack {
  constructor(scope: Construct, id: string, props: ObservabilityStackProps) {
    const { settings, network, gateway, api, ...rest } = props;
    super(scope, id, rest);
    const topic = new Topic(this, "Alarms", {
      displayName: "Sallyport alarms",
      masterKey: network.logsKey,
      enforceSSL: true,
    });
    // A policy of one's own takes the place of the one by which SNS lets the account's alarms publish.
    topic.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal("cloudwatch.amazonaws.com")],
        actions: ["sns:Publish"],
        resources: [topic.topicArn],
        conditions: {
          ArnLike: { "aws:SourceArn": `arn:${this.partition}:cloudwatch:${this.region}:${this.account}:alarm:*` },
        },
      }),
    );
    if (settings.alarmMail !== undefined) topic.addSubscription(new EmailSubscription(settings.alarmMail));
    const alarms = new Alarms(this, "Watch", { gateway, api, topic });
    dashboard(this, gateway, api, alarms);
    new CfnOutput(this, "AlarmTopic", { value: topic.topicArn });
  }
}
