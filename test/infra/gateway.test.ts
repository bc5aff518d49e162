import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { grantsOf } from "./policy-statements.ts";
import { only, type Resource, type Synthesised, synthesise } from "./synthesised.ts";

let made: Synthesised;

beforeAll(() => {
  made = synthesise();
}, 120_000);

const one = (type: string, part = ""): Resource => only(made, type, part);

describe("the network", () => {
  it("is open at the listeners alone, to the ranges that the settings say", () => {
    const ingress = made
      .of("AWS::EC2::SecurityGroup")
      .flatMap(
        ({ properties }) =>
          (properties.SecurityGroupIngress ?? []) as { CidrIp?: string; FromPort: number; ToPort: number }[],
      );
    const open = ingress.map(({ CidrIp, FromPort, ToPort }) => [CidrIp, FromPort, ToPort]);
    expect(open.toSorted((a, b) => Number(a[1]) - Number(b[1]))).toEqual([
      ["0.0.0.0/0", 2222, 2222],
      ["0.0.0.0/0", 5432, 5432],
      ["0.0.0.0/0", 8443, 8443],
    ]);
  });

  it("lets tasks be reached from the balancer, and the spool from tasks, and nothing else", () => {
    const rules = made.of("AWS::EC2::SecurityGroupIngress");
    for (const { properties } of rules) expect(properties.SourceSecurityGroupId).toBeDefined();
    const ports = rules.map(({ properties }) => properties.FromPort as number);
    expect(ports.toSorted((a, b) => a - b)).toEqual([2049, 2222, 5432, 8080, 8443]);
  });

  it("has flow logs, as the balancer keeps none of TCP", () => {
    expect(one("AWS::EC2::FlowLog").properties.TrafficType).toBe("ALL");
  });

  it("gives no task a public address, and spreads them over two zones", () => {
    const { awsvpcConfiguration, AwsvpcConfiguration = awsvpcConfiguration } =
      one("AWS::ECS::Service").properties.NetworkConfiguration;
    expect(AwsvpcConfiguration.AssignPublicIp).toBe("DISABLED");
    expect(AwsvpcConfiguration.Subnets).toHaveLength(2);
  });
});

describe("the balancer", () => {
  it("hands on clients' own addresses, and cuts no live connection of a task that drains", () => {
    const groups = made.of("AWS::ElasticLoadBalancingV2::TargetGroup");
    expect(groups).toHaveLength(3);
    for (const { id, properties } of groups) {
      const attributes = Object.fromEntries(
        (properties.TargetGroupAttributes as { Key: string; Value: string }[]).map(({ Key, Value }) => [Key, Value]),
      );
      expect(attributes, id).toMatchObject({
        "preserve_client_ip.enabled": "true",
        "deregistration_delay.timeout_seconds": "120",
        "deregistration_delay.connection_termination.enabled": "false",
        "target_health_state.unhealthy.connection_termination.enabled": "false",
      });
      expect(properties).toMatchObject({
        HealthCheckProtocol: "HTTP",
        HealthCheckPath: "/health",
        HealthCheckPort: "8080",
      });
    }
  });

  it("forgets no silent connection that the gateway's keepalive still proves alive", () => {
    const sources = ["gateway-task/postgres/listener.ts", "gateway-task/ssh/listener.ts"];
    const keepalives = sources.map((file) =>
      Number(/KEEPALIVE_MS = ([\d_]+)/.exec(readFileSync(file, "utf8"))?.[1]?.replaceAll("_", "")),
    );
    const listeners = made.of("AWS::ElasticLoadBalancingV2::Listener");
    expect(listeners.map(({ properties }) => properties.Port as number).toSorted((a, b) => a - b)).toEqual([
      2222, 5432, 8443,
    ]);
    for (const { properties } of listeners) {
      expect(properties.Protocol).toBe("TCP");
      const [{ Value }] = properties.ListenerAttributes;
      for (const keepalive of keepalives) expect(2 * keepalive).toBeLessThan(Number(Value) * 1000);
    }
  });

  it("cannot be deleted in passing, since clients know its name", () => {
    const attributes = one("AWS::ElasticLoadBalancingV2::LoadBalancer").properties.LoadBalancerAttributes;
    expect(attributes).toContainEqual({ Key: "deletion_protection.enabled", Value: "true" });
  });
});

describe("tasks", () => {
  it("run as nobody's root, on a root file system that nobody writes, and are given two minutes to end", () => {
    const [container] = one("AWS::ECS::TaskDefinition").properties.ContainerDefinitions;
    expect(container).toMatchObject({ User: "1000", ReadonlyRootFilesystem: true, StopTimeout: 120 });
    expect(container.Privileged).toBeUndefined();
    expect(container.MountPoints).toEqual([{ ContainerPath: "/spool", ReadOnly: false, SourceVolume: "spool" }]);
  });

  it("are replaced one after the other, by a deployment that takes itself back where they do not run", () => {
    expect(one("AWS::ECS::Service").properties).toMatchObject({
      DeploymentConfiguration: {
        DeploymentCircuitBreaker: { Enable: true, Rollback: true },
        MinimumHealthyPercent: 100,
        MaximumPercent: 200,
      },
      EnableExecuteCommand: false,
    });
  });

  it("may keep themselves from being stopped while sessions live, for less than CloudFormation waits", () => {
    const [protection] = grantsOf(made).filter(({ actions }) => actions.includes("ecs:UpdateTaskProtection"));
    expect(protection?.id).toContain("GatewayRole");
    const [container] = one("AWS::ECS::TaskDefinition").properties.ContainerDefinitions;
    const hours = (container.Environment as { Name: string; Value: string }[]).find(
      ({ Name }) => Name === "SALLYPORT_PROTECTION_HOURS",
    );
    expect(Number(hours?.Value)).toBeLessThan(3);
  });

  it("grow in number with live sessions and with CPU", () => {
    const policies = made.of("AWS::ApplicationAutoScaling::ScalingPolicy");
    const targets = policies.map(({ properties }) => properties.TargetTrackingScalingPolicyConfiguration);
    expect(targets).toContainEqual(
      expect.objectContaining({
        CustomizedMetricSpecification: expect.objectContaining({
          Namespace: "Sallyport",
          MetricName: "LiveSessions",
          Statistic: "Average",
        }),
        TargetValue: 200,
      }),
    );
    expect(targets).toContainEqual(
      expect.objectContaining({
        PredefinedMetricSpecification: { PredefinedMetricType: "ECSServiceAverageCPUUtilization" },
      }),
    );
  });

  it("start anew when a key that they hold is replaced", () => {
    const [container] = one("AWS::ECS::TaskDefinition").properties.ContainerDefinitions;
    expect(container.DockerLabels).toEqual({ secrets: "1.1" });
  });
});
