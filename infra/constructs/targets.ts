import type { Stack } from "aws-cdk-lib";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { type Program, allow } from "../program.ts";
import type { Settings } from "../settings.ts";

/** What a task needs to sign in at its targets: their secrets below the prefix, and tokens for the named users of RDS. */
export function grantTargets(stack: Stack, program: Program, { targetSecretPrefix, rdsUsers }: Settings): void {
  const { partition, region, account } = stack;
  program.addEnvironment(ENVIRONMENT.targetSecretPrefix, targetSecretPrefix);
  allow(program, {
    actions: ["secretsmanager:GetSecretValue"],
    resources: [`arn:${partition}:secretsmanager:${region}:${account}:secret:${targetSecretPrefix}*`],
    because: "Connections come and go with the configuration, without a deployment: the prefix bounds their secrets.",
  });
  if (rdsUsers.length > 0)
    allow(program, {
      actions: ["rds-db:connect"],
      resources: rdsUsers.map((user) => `arn:${partition}:rds-db:${region}:${account}:dbuser:${user}`),
    });
}
