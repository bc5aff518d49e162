import { CustomResource, Stack } from "aws-cdk-lib";
import { Asset } from "aws-cdk-lib/aws-s3-assets";
import { Construct } from "constructs";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { versionOf } from "../../core/config/bundle-files.ts";
import { bundleJson } from "../../core/config/bundle-json.ts";
import { configurationIn } from "../configuration-folder.ts";
import { allow } from "../program.ts";
import type { DataStack } from "../stacks/data-stack.ts";
import { type FunctionContext, SallyportFunction } from "./sallyport-function.ts";

/** The folder of the configuration, published when it is deployed, if it is valid; if not, the deployment fails with the reason. */
export class DeployedConfiguration extends Construct {
  constructor(scope: Construct, id: string, data: DataStack, context: FunctionContext) {
    super(scope, id);
    const files = configurationIn(context.settings.configFolder);
    const file = path.join(mkdtempSync(path.join(tmpdir(), "sallyport-configuration-")), "configuration.json");
    writeFileSync(file, bundleJson(files));
    const asset = new Asset(this, "Files", { path: file });
    const publisher = new SallyportFunction(
      this,
      "Publisher",
      "configDeployed",
      { description: "publishes the configuration that was deployed", timeoutSeconds: 60, memory: 1024 },
      context,
    );
    data.configurations.grantPublish(publisher);
    data.audit.grantWrite(publisher);
    allow(publisher, {
      actions: ["s3:GetObject"],
      resources: [`arn:${Stack.of(this).partition}:s3:::${asset.s3BucketName}/${asset.s3ObjectKey}`],
    });
    const published = new CustomResource(this, "Published", {
      serviceToken: publisher.functionArn,
      resourceType: "Custom::SallyportConfiguration",
      properties: { bucket: asset.s3BucketName, key: asset.s3ObjectKey, version: versionOf(files) },
    });
    published.node.addDependency(publisher.role ?? publisher);
  }
}
