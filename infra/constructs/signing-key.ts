import { Duration, RemovalPolicy } from "aws-cdk-lib";
import { Key, KeySpec, KeyUsage } from "aws-cdk-lib/aws-kms";
import { Construct } from "constructs";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { type Program, allow } from "../program.ts";

/** A key that is deleted in error can be taken back for as long as KMS allows at most. */
const PENDING = Duration.days(30);

/** Signs manifests (ES256). Its private half never leaves KMS; without it nobody can make evidence, with its public half anybody can check. */
export class SigningKey extends Construct {
  readonly key: Key;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.key = new Key(this, "Key", {
      description: "Sallyport: signs the manifests of recordings",
      keySpec: KeySpec.ECC_NIST_P256,
      keyUsage: KeyUsage.SIGN_VERIFY,
      pendingWindow: PENDING,
      removalPolicy: RemovalPolicy.RETAIN,
    });
  }

  grantSign(program: Program): void {
    this.grant(program, ["kms:Sign", "kms:GetPublicKey", "kms:DescribeKey"]);
  }

  /** Only what whoever verifies may know anyway. */
  grantPublicKey(program: Program): void {
    this.grant(program, ["kms:GetPublicKey", "kms:DescribeKey"]);
  }

  private grant(program: Program, actions: readonly string[]): void {
    program.addEnvironment(ENVIRONMENT.signingKey, this.key.keyArn);
    allow(program, { actions, resources: [this.key.keyArn] });
  }
}
