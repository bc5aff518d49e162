import { App } from "aws-cdk-lib";
import { Code } from "aws-cdk-lib/aws-lambda";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { env, exit, stderr } from "node:process";
import { SallyportError } from "../core/errors.ts";
import { bundleFunction } from "./bundling.ts";
import { sallyport } from "./sallyport.ts";
import { readSettings } from "./settings.ts";

const app = new App();
const bundles = mkdtempSync(path.join(tmpdir(), "sallyport-functions-"));

try {
  const settings = readSettings({
    context: (name) => app.node.tryGetContext(name) as unknown,
    environment: env,
  });
  sallyport(app, settings, (name) => Code.fromAsset(bundleFunction(name, path.join(bundles, name)).folder));
} catch (thrown) {
  if (!(thrown instanceof SallyportError)) throw thrown;
  stderr.write(`\nSallyport: ${thrown.message}.\n${thrown.hint ?? ""}\n\n`);
  exit(1);
}
app.synth();
