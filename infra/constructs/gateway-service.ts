import { Duration, Size, Stack, Validations } from "aws-cdk-lib";
import { Metric } from "aws-cdk-lib/aws-cloudwatch";
import {
  AvailabilityZoneRebalancing,
  AwsLogDriverMode,
  Cluster,
  type ContainerDefinition,
  type ICluster,
  ContainerInsights,
  FargateService,
  FargateTaskDefinition,
  LogDrivers,
  OperatingSystemFamily,
  PropagatedTagSource,
  UlimitName,
} from "aws-cdk-lib/aws-ecs";
import { type IPrincipal, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { LogGroup } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { type Program, allow } from "../program.ts";
import type { Settings } from "../settings.ts";
import type { NetworkStack } from "../stacks/network-stack.ts";
import { ARCHITECTURES, gatewayImage } from "./gateway-image.ts";
import { LISTENERS } from "./listeners.ts";
import { keptLogs } from "./logs-key.ts";
import { METRICS } from "./metrics.ts";
import { INSIDE } from "./network.ts";
import { type Spool, TASK_USER } from "./spool.ts";
import { HEALTH_PORT } from "./task-ports.ts";

/** The longest that Fargate waits between SIGTERM and SIGKILL. Who lives longer is kept by the task's own protection. */
export const STOP_TIMEOUT = Duration.seconds(120);
/**
 * A task that is never idle keeps a deployment from its end for so long at most. CloudFormation waits three hours for a service to
 * be steady, and would then take the deployment back.
 */
const PROTECTION = Duration.hours(2);
/** A task proves within this that it runs; pulling the image and reading the configuration take most of it. */
const START_GRACE = Duration.seconds(120);
/** Above it new sessions find too little CPU for their handshakes. */
const CPU_TARGET_PERCENT = 60;
/** Each session has two sockets and a spool file. */
const OPEN_FILES = 65_536;
/** What lies in memory while CloudWatch does not take it: the data path waits for no log. */
const LOG_BUFFER_MIB = 25;

export interface GatewayServiceProps {
  readonly settings: Settings;
  readonly network: NetworkStack;
  readonly spool: Spool;
  /** Origin of pages and API. */
  readonly publicUrl: string;
}

/** The gateway's tasks, over the zones of the VPC. It is a program: grants reach the task's role and the container's variables. */
export class GatewayService extends Construct implements Program {
  readonly grantPrincipal: IPrincipal;
  readonly service: FargateService;
  readonly logs: LogGroup;
  readonly containerName = "gateway";
  private readonly container: ContainerDefinition;

  constructor(scope: Construct, id: string, props: GatewayServiceProps) {
    super(scope, id);
    const { settings, network } = props;
    const cluster = new Cluster(this, "Cluster", {
      vpc: network.network.vpc,
      containerInsightsV2: ContainerInsights.ENABLED,
    });
    this.logs = keptLogs(this, "Logs", settings, network.logsKey);
    const role = roleIn(this, cluster);
    this.grantPrincipal = role.grantPrincipal;
    const task = this.task(role, settings);
    this.container = this.containerIn(task, settings);
    this.container.addMountPoints(props.spool.mountIn(task, this));
    this.addEnvironment(ENVIRONMENT.publicUrl, props.publicUrl);
    this.addEnvironment(ENVIRONMENT.gatewayHost, network.gatewayHost);
    this.addEnvironment(ENVIRONMENT.protectionHours, String(PROTECTION.toHours()));
    this.addEnvironment(ENVIRONMENT.logLevel, settings.logLevel);
    this.service = new FargateService(this, "Service", {
      cluster: cluster as ICluster,
      taskDefinition: task,
      securityGroups: [network.entrance.tasks],
      vpcSubnets: INSIDE,
      assignPublicIp: false,
      desiredCount: settings.minTasks,
      // A new task serves before an old one is told to go.
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
      circuitBreaker: { rollback: true },
      healthCheckGracePeriod: START_GRACE,
      availabilityZoneRebalancing: AvailabilityZoneRebalancing.ENABLED,
      enableExecuteCommand: false,
      propagateTags: PropagatedTagSource.SERVICE,
    });
    this.scale(settings);
  }

  addEnvironment(name: string, value: string): void {
    this.container.addEnvironment(name, value);
  }

  private task(taskRole: Role, { cpu, memory, architecture }: Settings): FargateTaskDefinition {
    const task = new FargateTaskDefinition(this, "Task", {
      cpu,
      memoryLimitMiB: memory,
      runtimePlatform: {
        cpuArchitecture: ARCHITECTURES[architecture].cpu,
        operatingSystemFamily: OperatingSystemFamily.LINUX,
      },
      taskRole,
    });
    this.acknowledge(task);
    return task;
  }

  private containerIn(task: FargateTaskDefinition, settings: Settings): ContainerDefinition {
    const { tlsGeneration, sshHostKeyGeneration } = settings;
    const container = task.addContainer(this.containerName, {
      image: gatewayImage(this, settings),
      user: TASK_USER,
      readonlyRootFilesystem: true,
      stopTimeout: STOP_TIMEOUT,
      portMappings: [...LISTENERS.map(({ port }) => port), HEALTH_PORT].map((containerPort) => ({ containerPort })),
      healthCheck: {
        command: ["CMD", "node", "healthcheck.js"],
        interval: Duration.seconds(10),
        timeout: Duration.seconds(5),
        startPeriod: START_GRACE,
        retries: 3,
      },
      // A key that is replaced makes a new version of the task, so that all tasks start again and read it.
      dockerLabels: { secrets: [tlsGeneration, sshHostKeyGeneration].join(".") },
      logging: LogDrivers.awsLogs({
        logGroup: this.logs,
        streamPrefix: this.containerName,
        mode: AwsLogDriverMode.NON_BLOCKING,
        maxBufferSize: Size.mebibytes(LOG_BUFFER_MIB),
      }),
    });
    container.addUlimits({ name: UlimitName.NOFILE, softLimit: OPEN_FILES, hardLimit: OPEN_FILES });
    return container;
  }

  private scale({ minTasks, maxTasks, sessionsPerTask }: Settings): void {
    const scaling = this.service.autoScaleTaskCount({ minCapacity: minTasks, maxCapacity: maxTasks });
    scaling.scaleOnCpuUtilization("Cpu", { targetUtilizationPercent: CPU_TARGET_PERCENT });
    // Each task writes the figure once a minute: the average of what was written is the sessions of a task.
    scaling.scaleToTrackCustomMetric("LiveSessions", {
      metric: new Metric({ ...METRICS.liveSessions, statistic: "Average", period: Duration.minutes(1) }),
      targetValue: sessionsPerTask,
    });
  }

  private acknowledge(task: FargateTaskDefinition): void {
    Validations.of(task).acknowledge(
      {
        id: "AwsSolutions-ECS2",
        reason:
          "The variables are names, ARNs and addresses; what is secret the task reads from Secrets Manager itself.",
      },
      {
        id: "AwsSolutions-IAM5[Resource::*]",
        reason: "Of the execution role: ecr:GetAuthorizationToken has no resource that it could be narrowed to.",
      },
    );
  }
}

/** What a task may do that no store grants: keep itself from being stopped while sessions live. */
function roleIn(scope: Construct, cluster: Cluster): Role {
  const { partition, account, region } = Stack.of(scope);
  const role = new Role(scope, "Role", {
    assumedBy: new ServicePrincipal("ecs-tasks.amazonaws.com", {
      conditions: { StringEquals: { "aws:SourceAccount": account } },
    }),
    description: "Sallyport: a gateway task",
  });
  allow(role, {
    actions: ["ecs:UpdateTaskProtection", "ecs:GetTaskProtection"],
    resources: [`arn:${partition}:ecs:${region}:${account}:task/${cluster.clusterName}/*`],
    because: "A task's id is made when it starts; the cluster is ours alone.",
  });
  return role;
}
