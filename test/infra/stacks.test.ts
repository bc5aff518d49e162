import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { type Resource, type Synthesised, synthesise } from "./synthesised.ts";

let made: Synthesised;

beforeAll(() => {
  made = synthesise();
}, 120_000);

/** The only resource of a type whose id contains a text. */
function one(type: string, part = ""): Resource {
  const found = made.of(type).filter(({ id }) => id.includes(part));
  expect(found, `${type} ${part}`).toHaveLength(1);
  return found[0] as Resource;
}

interface Statement {
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

/** Every statement that grants something to a role of ours, with the policy's id. */
function grants(): { readonly id: string; readonly actions: string[]; readonly resources: string[] }[] {
  const policies = made.of("AWS::IAM::Policy");
  const roles = made.of("AWS::IAM::Role").flatMap(({ id, properties }) =>
    ((properties.Policies ?? []) as { PolicyDocument: { Statement: Statement[] } }[]).map((policy) => ({
      id,
      document: policy.PolicyDocument,
    })),
  );
  const all = [
    ...policies.map(({ id, properties }) => ({
      id,
      document: properties.PolicyDocument as { Statement: Statement[] },
    })),
    ...roles,
  ];
  return all.flatMap(({ id, document }) =>
    document.Statement.map(({ Action, Resource: on }) => ({
      id,
      actions: [Action].flat(),
      resources: [on].flat().map((text) => (typeof text === "string" ? text : JSON.stringify(text))),
    })),
  );
}

/** What can be pointed to in the runbook. */
const HEADINGS = readFileSync("docs/runbook.md", "utf8")
  .split("\n")
  .flatMap((line) => /^#+ (.+)$/.exec(line)?.[1]?.toLowerCase() ?? []);

describe("permissions", () => {
  it("name each action", () => {
    const wild = grants().flatMap(({ id, actions }) => actions.filter((action) => action.includes("*")).map(() => id));
    expect(wild).toEqual([]);
  });

  it("are for everything only where the service knows no narrower resource", () => {
    const everywhere = grants().filter(({ resources }) => resources.includes("*"));
    expect(everywhere.flatMap(({ actions }) => actions).toSorted()).toEqual([
      "dynamodb:ListStreams",
      "ecr:GetAuthorizationToken",
    ]);
  });

  it("let no program of ours delete evidence, shorten its lock, or go round it", () => {
    const destroying =
      /^s3:(Delete|Bypass|PutBucket|PutObjectLegalHold|PutObjectRetention|PutLifecycle)|^kms:(ScheduleKeyDeletion|Disable)/;
    expect(grants().flatMap(({ actions }) => actions.filter((action) => destroying.test(action)))).toEqual([]);
  });

  it("let no program of ours scan a table", () => {
    expect(grants().flatMap(({ actions }) => actions)).not.toContain("dynamodb:Scan");
  });

  it("come by no managed policy", () => {
    for (const { id, properties } of made.of("AWS::IAM::Role"))
      expect(properties.ManagedPolicyArns, id).toBeUndefined();
  });

  it("let only tasks sign, and only notify send mail, from the configured address alone", () => {
    const holders = (action: string) =>
      grants()
        .filter(({ actions }) => actions.includes(action))
        .map(({ id }) => id);
    expect(holders("kms:Sign")).toEqual([expect.stringContaining("GatewayRole")]);
    expect(holders("ses:SendEmail")).toEqual([expect.stringContaining("NotifyFunctionRole")]);
    const [mail] = made
      .of("AWS::IAM::Policy")
      .flatMap(({ properties }) => properties.PolicyDocument.Statement as Statement[])
      .filter(({ Action }) => [Action].flat().includes("ses:SendEmail"));
    expect(mail?.Condition).toEqual({ StringEquals: { "ses:FromAddress": "sallyport@shop.example" } });
    const senders = made
      .of("AWS::Lambda::Function")
      .map(({ properties }) => properties.Environment.Variables.SALLYPORT_MAIL_FROM as string | undefined)
      .filter((from) => from !== undefined);
    expect(senders).toEqual(["sallyport@shop.example"]);
  });

  it("let notify read requests for consent, and change none", () => {
    const table = one("AWS::DynamoDB::Table", "Approvals").id;
    const writers = grants()
      .filter(({ actions, resources }) => actions.includes("dynamodb:PutItem") && resources.join().includes(table))
      .map(({ id }) => id);
    expect(writers.some((id) => id.includes("Approvals"))).toBe(true);
    expect(writers.filter((id) => id.includes("Notify"))).toEqual([]);
  });

  it("bound the targets' secrets by their prefix", () => {
    const [prefixed] = grants().filter(({ resources }) =>
      resources.some((text) => text.includes("sallyport/targets/*")),
    );
    expect(prefixed?.actions).toEqual(["secretsmanager:GetSecretValue"]);
  });
});

describe("buckets", () => {
  it("are private, encrypted, without ACLs, and kept when their stack goes", () => {
    expect(made.of("AWS::S3::Bucket").length).toBeGreaterThanOrEqual(6);
    for (const { id, properties, deletionPolicy } of made.of("AWS::S3::Bucket")) {
      expect(Object.values(properties.PublicAccessBlockConfiguration), id).toEqual([true, true, true, true]);
      expect(properties.BucketEncryption, id).toBeDefined();
      expect(properties.OwnershipControls.Rules[0].ObjectOwnership, id).toMatch(/^BucketOwner/);
      expect(deletionPolicy, id).toBe("Retain");
    }
  });

  it("are encrypted with our key, but for logs, which their services deliver to none that is", () => {
    const others = made
      .of("AWS::S3::Bucket")
      .filter(({ properties }) => {
        const [rule] = properties.BucketEncryption.ServerSideEncryptionConfiguration;
        return rule.ServerSideEncryptionByDefault.SSEAlgorithm !== "aws:kms";
      })
      .map(({ id }) => id.replace(/[0-9A-F]{8}$/, ""));
    expect(others.toSorted()).toEqual(["AccessLogs", "EdgeLogs"]);
  });

  it("refuse what does not come by TLS 1.2 or newer", () => {
    const policies = made.of("AWS::S3::BucketPolicy");
    expect(policies).toHaveLength(made.of("AWS::S3::Bucket").length);
    for (const { id, properties } of policies) {
      const denied = (properties.PolicyDocument.Statement as Statement[]).filter(({ Effect }) => Effect === "Deny");
      const conditions = denied.map(({ Condition }) => Condition);
      expect(conditions, id).toContainEqual({ Bool: { "aws:SecureTransport": "false" } });
      expect(conditions, id).toContainEqual({ NumericLessThan: { "s3:TlsVersion": 1.2 } });
    }
  });

  it("of evidence are versioned, and locked for the retention", () => {
    for (const part of ["RecordingsBucket", "AuditBucket"]) {
      const { properties } = one("AWS::S3::Bucket", part);
      expect(properties.VersioningConfiguration).toEqual({ Status: "Enabled" });
      expect(properties.ObjectLockEnabled).toBe(true);
      expect(properties.ObjectLockConfiguration.Rule.DefaultRetention).toEqual({ Days: 365, Mode: "GOVERNANCE" });
    }
  });

  it("of evidence take no object in the place of another, whoever puts it", () => {
    for (const part of ["RecordingsBucket", "AuditBucket"]) {
      const { properties } = one("AWS::S3::BucketPolicy", part);
      expect(properties.PolicyDocument.Statement, part).toContainEqual(
        expect.objectContaining({
          Effect: "Deny",
          Principal: { AWS: "*" },
          Action: "s3:PutObject",
          Condition: { Null: { "s3:if-none-match": "true" } },
        }),
      );
    }
  });

  it("of evidence expire after the lock, and not before", () => {
    for (const part of ["RecordingsBucket", "AuditBucket"]) {
      const [rule] = one("AWS::S3::Bucket", part).properties.LifecycleConfiguration.Rules;
      expect(rule.ExpirationInDays).toBeGreaterThan(365);
      expect(rule.Transitions.map(({ StorageClass }: { StorageClass: string }) => StorageClass)).toEqual([
        "STANDARD_IA",
        "GLACIER_IR",
      ]);
    }
  });

  it("of configurations keep every version", () => {
    const { properties } = one("AWS::S3::Bucket", "ConfigurationsBucket");
    expect(properties.VersioningConfiguration).toEqual({ Status: "Enabled" });
    expect(JSON.stringify(properties.LifecycleConfiguration)).not.toMatch(/Expiration/);
  });
});

describe("a token key that is replaced", () => {
  it("starts every function anew that signs or checks by it: those that are warm keep what they have read", () => {
    const later = synthesise({ tokenKeyGeneration: 2 });
    const variables = (of: Synthesised) =>
      of
        .of("AWS::Lambda::Function")
        .map(({ properties }) => properties.Environment.Variables as Record<string, unknown>)
        .filter((names) => "SALLYPORT_TOKEN_KEY_SECRET" in names);
    const [before, after] = [variables(made), variables(later)];
    expect(before).toHaveLength(5);
    for (const [index, names] of before.entries()) expect(names).not.toEqual(after[index]);
  });
});

describe("state", () => {
  it("is in tables that can be restored, cannot be deleted in passing, and are under our key", () => {
    expect(made.of("AWS::DynamoDB::Table")).toHaveLength(6);
    for (const { id, properties, deletionPolicy } of made.of("AWS::DynamoDB::Table")) {
      expect(properties.PointInTimeRecoverySpecification, id).toEqual({ PointInTimeRecoveryEnabled: true });
      expect(properties.DeletionProtectionEnabled, id).toBe(true);
      expect(properties.SSESpecification, id).toMatchObject({ SSEEnabled: true, SSEType: "KMS" });
      expect(properties.TimeToLiveSpecification, id).toEqual({ AttributeName: "ttl", Enabled: true });
      expect(properties.BillingMode, id).toBe("PAY_PER_REQUEST");
      expect(deletionPolicy, id).toBe("Retain");
    }
    expect(one("AWS::DynamoDB::Table", "Approvals").properties.StreamSpecification.StreamViewType).toBe("NEW_IMAGE");
  });

  it("is signed by a key that only KMS holds", () => {
    const { properties, deletionPolicy } = one("AWS::KMS::Key", "SigningKey");
    expect(properties).toMatchObject({ KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY", PendingWindowInDays: 30 });
    expect(deletionPolicy).toBe("Retain");
  });

  it("is encrypted by keys that rotate and are kept", () => {
    const symmetric = made.of("AWS::KMS::Key").filter(({ properties }) => properties.KeySpec === undefined);
    expect(symmetric.map(({ stack }) => stack)).toEqual(["network", "data"]);
    for (const { properties, deletionPolicy } of symmetric) {
      expect(properties.EnableKeyRotation).toBe(true);
      expect(deletionPolicy).toBe("Retain");
    }
  });

  it("of sessions that are not stored yet is on an encrypted file system, reached by TLS, by the task's role, at one folder", () => {
    const { properties, deletionPolicy } = one("AWS::EFS::FileSystem");
    expect(properties.Encrypted).toBe(true);
    expect(properties.KmsKeyId).toBeDefined();
    expect(deletionPolicy).toBe("Retain");
    expect(JSON.stringify(properties.FileSystemPolicy)).not.toContain('"Principal":{"AWS":"*"},"Action":"*"');
    const [volume] = one("AWS::ECS::TaskDefinition").properties.Volumes;
    expect(volume.EFSVolumeConfiguration).toMatchObject({
      TransitEncryption: "ENABLED",
      AuthorizationConfig: { IAM: "ENABLED", AccessPointId: expect.anything() },
    });
    expect(one("AWS::EFS::AccessPoint").properties.PosixUser).toEqual({ Uid: "1000", Gid: "1000" });
  });

  it("that is secret has no value in any template, and outlives the stack", () => {
    const secrets = made.of("AWS::SecretsManager::Secret");
    expect(secrets).toHaveLength(6);
    for (const { id, properties, deletionPolicy } of secrets) {
      expect(properties.SecretString, id).toBeUndefined();
      expect(properties.GenerateSecretString, id).toBeUndefined();
      expect(properties.KmsKeyId, id).toBeDefined();
      expect(deletionPolicy, id).toBe("Retain");
    }
  });

  it("cannot be taken away by deleting its stack in passing", () => {
    const remaining = ["AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::EFS::FileSystem"];
    for (const { id, type, deletionPolicy } of made.resources)
      if (remaining.includes(type)) expect(deletionPolicy, id).toBe("Retain");
  });
});

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
    ]);
  });

  it("lets tasks be reached from the balancer, and the spool from tasks, and nothing else", () => {
    const rules = made.of("AWS::EC2::SecurityGroupIngress");
    for (const { properties } of rules) expect(properties.SourceSecurityGroupId).toBeDefined();
    const ports = rules.map(({ properties }) => properties.FromPort as number);
    expect(ports.toSorted((a, b) => a - b)).toEqual([2049, 2222, 5432, 8080]);
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
    expect(groups).toHaveLength(2);
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
      2222, 5432,
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
    const [protection] = grants().filter(({ actions }) => actions.includes("ecs:UpdateTaskProtection"));
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

describe("logs", () => {
  it("are kept for as long as the setting says, under our key, also without their stack", () => {
    const groups = made.of("AWS::Logs::LogGroup");
    expect(groups.length).toBeGreaterThan(9);
    for (const { id, properties, deletionPolicy } of groups) {
      expect(properties.RetentionInDays, id).toBe(365);
      expect(properties.KmsKeyId, id).toBeDefined();
      expect(deletionPolicy, id).toBe("Retain");
    }
  });

  it("of requests hold no query, header or body, where codes and links stand", () => {
    const { Format } = one("AWS::ApiGatewayV2::Stage").properties.AccessLogSettings;
    expect(Format).not.toMatch(/query|header|body|routeKey|authorizer/i);
  });
});

describe("the way to pages and API", () => {
  it("has a bound on requests", () => {
    const { DefaultRouteSettings } = one("AWS::ApiGatewayV2::Stage").properties;
    expect(DefaultRouteSettings).toMatchObject({ ThrottlingRateLimit: 200, ThrottlingBurstLimit: 400 });
  });

  it("is TLS 1.2 or newer, and shows the API that it came this way by a secret that no template holds", () => {
    const { DistributionConfig } = one("AWS::CloudFront::Distribution").properties;
    expect(DistributionConfig.ViewerCertificate.MinimumProtocolVersion).toBe("TLSv1.2_2021");
    expect(DistributionConfig.DefaultCacheBehavior.ViewerProtocolPolicy).toBe("redirect-to-https");
    const [origin] = DistributionConfig.Origins;
    expect(origin.CustomOriginConfig).toMatchObject({
      OriginProtocolPolicy: "https-only",
      OriginSSLProtocols: ["TLSv1.2"],
    });
    const [header] = origin.OriginCustomHeaders;
    expect(header.HeaderName).toBe("x-sallyport-origin");
    expect(JSON.stringify(header.HeaderValue)).toContain("{{resolve:secretsmanager:");
  });

  it("passes the viewer's address as CloudFront knows it, and no Host, which would name no API", () => {
    const { HeadersConfig } = one("AWS::CloudFront::OriginRequestPolicy").properties.OriginRequestPolicyConfig;
    expect(HeadersConfig.HeaderBehavior).toBe("whitelist");
    expect(HeadersConfig.Headers).toContain("CloudFront-Viewer-Address");
    expect(HeadersConfig.Headers).not.toContain("Host");
  });

  it("gives no answer to anybody but who asked with the same credentials", () => {
    const { ParametersInCacheKeyAndForwardedToOrigin: by, DefaultTTL } =
      one("AWS::CloudFront::CachePolicy").properties.CachePolicyConfig;
    expect(DefaultTTL).toBe(0);
    expect(by.CookiesConfig.CookieBehavior).toBe("all");
    expect(by.QueryStringsConfig.QueryStringBehavior).toBe("all");
    expect(by.HeadersConfig.Headers).toEqual(["Authorization"]);
  });

  it("adds strict headers where an app sends none", () => {
    const { SecurityHeadersConfig: headers } = one("AWS::CloudFront::ResponseHeadersPolicy").properties
      .ResponseHeadersPolicyConfig;
    expect(headers.StrictTransportSecurity.AccessControlMaxAgeSec).toBeGreaterThanOrEqual(31_536_000);
    expect(headers.FrameOptions.FrameOption).toBe("DENY");
    expect(headers.ContentSecurityPolicy.ContentSecurityPolicy).toContain("default-src 'none'");
  });
});

describe("functions", () => {
  it("run on Node 24, each with a role of its own", () => {
    const functions = made.of("AWS::Lambda::Function");
    for (const { id, properties } of functions) expect(properties.Runtime, id).toBe("nodejs24.x");
    const roles = functions.map(({ properties }) => JSON.stringify(properties.Role));
    expect(new Set(roles).size).toBe(functions.length);
  });
});

describe("whoever is on call", () => {
  it("is told by an encrypted topic of all that matters, and where to read what to do", () => {
    const alarms = made.of("AWS::CloudWatch::Alarm").filter(({ stack }) => stack === "observability");
    const names = alarms.map(({ id }) => id.replace(/^Watch|[0-9A-F]{8}$/g, ""));
    expect(names.toSorted()).toEqual([
      "AbandonedSpools",
      "DeniedSpike",
      "FunctionErrors",
      "LostEvents",
      "RecorderLag",
      "ServerErrors",
      "SpoolAge",
      "TaskErrors",
      "TasksAtCpuLimit",
      "UnhealthyTasks",
      "UploadFailures",
    ]);
    for (const { id, properties } of alarms) {
      expect(properties.AlarmActions, id).toHaveLength(1);
      const [, anchor] = /docs\/runbook\.md#([a-z]+)\.$/.exec(properties.AlarmDescription) ?? [];
      expect(HEADINGS, id).toContain(anchor);
    }
    expect(one("AWS::SNS::Topic").properties.KmsMasterKeyId).toBeDefined();
    const statements = one("AWS::SNS::TopicPolicy").properties.PolicyDocument.Statement as Statement[];
    expect(statements).toContainEqual(
      expect.objectContaining({
        Effect: "Allow",
        Action: "sns:Publish",
        Principal: { Service: "cloudwatch.amazonaws.com" },
      }),
    );
  });

  it("is told when no task writes figures any more", () => {
    expect(one("AWS::CloudWatch::Alarm", "RecorderLag").properties.TreatMissingData).toBe("breaching");
  });
});

describe("the templates", () => {
  it("are made without asking an account for anything", () => {
    expect(made.missing).toEqual([]);
  });

  it("are as they were", () => {
    for (const [name, template] of Object.entries(made.templates)) {
      // The names of assets are digests of code, which these are not about.
      const text = JSON.stringify(template.toJSON(), undefined, 1).replaceAll(/\b[0-9a-f]{64}\b/g, "ASSET");
      expect(JSON.parse(text), name).toMatchSnapshot(name);
    }
  });
});
