import { RemovalPolicy } from "aws-cdk-lib";
import type { ISecurityGroup, IVpc } from "aws-cdk-lib/aws-ec2";
import { type AccessPoint, FileSystem, LifecyclePolicy, PerformanceMode, ThroughputMode } from "aws-cdk-lib/aws-efs";
import type { FargateTaskDefinition, MountPoint } from "aws-cdk-lib/aws-ecs";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { Construct } from "constructs";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { type Program, allow } from "../program.ts";
import { INSIDE } from "./network.ts";

/** The image's user, who is not root: what its Dockerfile says. */
export const TASK_USER = "1000";
/** Where the image has its only place to write. */
const MOUNT_PATH = "/spool";
const VOLUME = "spool";

/** The spools of all tasks: a file system that outlives them, so that another task takes over what a dead one left. */
export class Spool extends Construct {
  readonly fileSystem: FileSystem;
  private readonly accessPoint: AccessPoint;

  constructor(scope: Construct, id: string, vpc: IVpc, key: IKey, securityGroup: ISecurityGroup) {
    super(scope, id);
    this.fileSystem = new FileSystem(this, "FileSystem", {
      vpc,
      vpcSubnets: INSIDE,
      securityGroup,
      encrypted: true,
      kmsKey: key,
      enableAutomaticBackups: true,
      // A spool is read once and deleted; what lies for a month was forgotten, and its alarm rings long before.
      lifecyclePolicy: LifecyclePolicy.AFTER_30_DAYS,
      performanceMode: PerformanceMode.GENERAL_PURPOSE,
      throughputMode: ThroughputMode.ELASTIC,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    this.accessPoint = this.fileSystem.addAccessPoint("Tasks", {
      path: "/spool",
      createAcl: { ownerUid: TASK_USER, ownerGid: TASK_USER, permissions: "0700" },
      posixUser: { uid: TASK_USER, gid: TASK_USER },
    });
  }

  /** Lets a task mount it: over TLS, by its role, through the access point alone. Returns the container's mount point. */
  mountIn(task: FargateTaskDefinition, program: Program): MountPoint {
    task.addVolume({
      name: VOLUME,
      efsVolumeConfiguration: {
        fileSystemId: this.fileSystem.fileSystemId,
        transitEncryption: "ENABLED",
        authorizationConfig: { accessPointId: this.accessPoint.accessPointId, iam: "ENABLED" },
      },
    });
    allow(program, {
      actions: ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
      resources: [this.fileSystem.fileSystemArn],
      only: { "elasticfilesystem:AccessPointArn": this.accessPoint.accessPointArn },
    });
    program.addEnvironment(ENVIRONMENT.spool, MOUNT_PATH);
    return { containerPath: MOUNT_PATH, sourceVolume: VOLUME, readOnly: false };
  }
}
