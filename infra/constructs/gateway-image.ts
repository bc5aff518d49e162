import { IgnoreMode } from "aws-cdk-lib";
import { DockerImageAsset, Platform } from "aws-cdk-lib/aws-ecr-assets";
import { ContainerImage, CpuArchitecture } from "aws-cdk-lib/aws-ecs";
import type { Construct } from "constructs";
import path from "node:path";
import type { Settings } from "../settings.ts";

const ROOT = path.resolve(import.meta.dirname, "../..");

export const ARCHITECTURES = {
  arm64: { platform: Platform.LINUX_ARM64, cpu: CpuArchitecture.ARM64 },
  x86_64: { platform: Platform.LINUX_AMD64, cpu: CpuArchitecture.X86_64 },
} as const;

/** The image of `gateway-task/Dockerfile`. Docker builds it when it is deployed; synth only reads the files. */
export function gatewayImage(scope: Construct, { architecture }: Settings): ContainerImage {
  const asset = new DockerImageAsset(scope, "Image", {
    directory: ROOT,
    file: "gateway-task/Dockerfile",
    platform: ARCHITECTURES[architecture].platform,
    // By .dockerignore: what the image is not made of neither reaches Docker nor changes the image's name.
    ignoreMode: IgnoreMode.DOCKER,
  });
  return ContainerImage.fromDockerImageAsset(asset);
}
