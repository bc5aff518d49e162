import { Stack, Validations } from "aws-cdk-lib";
import { type IGrantable, PolicyStatement } from "aws-cdk-lib/aws-iam";
import { flattenCfnReference } from "cdk-nag/lib/utils/flatten-cfn-reference.js";

/** A function or a task: what runs our code. A grant gives it the permission and, by its shared name, the variable. */
export interface Program extends IGrantable {
  addEnvironment(name: string, value: string): unknown;
}

/** What reading under a customer key needs, and what writing needs too. No wildcard, unlike CDK's own grants. */
export const DECRYPT: readonly string[] = ["kms:Decrypt"];
export const USE_KEY: readonly string[] = ["kms:Decrypt", "kms:GenerateDataKey"];

export interface Permission {
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  /** `StringEquals` conditions. */
  readonly only?: Readonly<Record<string, string>>;
  /** Why a resource with a wildcard in it is no narrower. Without it, cdk-nag stops synth. */
  readonly because?: string;
}

/** Adds a statement to the program's role, and acknowledges the wildcards that have a reason. */
export function allow(program: IGrantable, { actions, resources, only, because }: Permission): void {
  const role = program.grantPrincipal;
  role.addToPrincipalPolicy(
    new PolicyStatement({
      actions: [...actions],
      resources: [...resources],
      ...(only && { conditions: { StringEquals: only } }),
    }),
  );
  if (because === undefined || !("node" in role)) return;
  const construct = role as unknown as Parameters<typeof Validations.of>[0];
  for (const resource of resources) {
    const flat = flattenCfnReference(Stack.of(construct).resolve(resource));
    if (flat.includes("*"))
      Validations.of(construct).acknowledge({ id: `AwsSolutions-IAM5[Resource::${flat}]`, reason: because });
  }
}

/**
 * A value of one stack as another stack's template will write it. An acknowledgement names the finding by that text, which
 * CDK itself only fixes when it synthesises.
 */
export function seenFrom(program: IGrantable, owner: Stack, value: string): string {
  const role = program.grantPrincipal as unknown as Parameters<typeof Stack.of>[0];
  return Stack.of(role) === owner ? value : owner.exportValue(value);
}
