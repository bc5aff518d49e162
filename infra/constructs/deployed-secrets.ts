import { CustomResource, RemovalPolicy, Validations } from "aws-cdk-lib";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { CfnSecret } from "aws-cdk-lib/aws-secretsmanager";
import { Construct } from "constructs";
import { ENVIRONMENT } from "../../aws/environment.ts";
import { DECRYPT, type Program, USE_KEY, allow } from "../program.ts";
import type { Settings } from "../settings.ts";
import { type FunctionContext, SallyportFunction } from "./sallyport-function.ts";

const NO_ROTATION = [
  {
    id: "AwsSolutions-SMG4",
    reason:
      "It is replaced by raising its generation at a deployment, which also restarts the tasks that use it: a rotation on a timer would leave tasks and functions with different values.",
  },
];

/** Secrets that the first deployment makes, all tasks share, and no deployment overwrites. */
export class DeployedSecrets extends Construct {
  private readonly maker: SallyportFunction;
  private readonly key: IKey;
  private readonly settings: Settings;
  private readonly tokenKey: CfnSecret;
  private readonly maskingKey: CfnSecret;
  private readonly tls: CfnSecret;
  private readonly sshHostKey: CfnSecret;
  private readonly origin: CfnSecret;

  constructor(scope: Construct, id: string, gatewayHost: string, key: IKey, context: FunctionContext) {
    super(scope, id);
    this.key = key;
    const { settings } = context;
    this.settings = settings;
    this.maker = new SallyportFunction(
      this,
      "Maker",
      "deploySecrets",
      { description: "makes the secrets that a deployment has none of yet", timeoutSeconds: 60, memory: 512 },
      context,
    );
    this.tokenKey = this.secret("TokenKey", "signs the tokens of who has signed in");
    this.made("TokenKey", this.tokenKey, { kind: "key", generation: settings.tokenKeyGeneration });
    this.maskingKey = this.secret("MaskingKey", "hashes what is masked, the same everywhere and for ever");
    this.made("MaskingKey", this.maskingKey, { kind: "key", generation: 1 });
    this.origin = this.secret("Origin", "shows the API that a request came through the distribution");
    this.made("Origin", this.origin, { kind: "key", generation: 1 });
    this.sshHostKey = this.secret("SshHostKey", "the gateway's SSH host key");
    this.made("SshHostKey", this.sshHostKey, {
      kind: "ssh",
      generation: settings.sshHostKeyGeneration,
    });
    const authority = this.secret("TlsAuthority", "the authority of the gateway's certificate");
    this.tls = this.secret("Tls", "the gateway's certificate, its key and its authority");
    this.made("Tls", this.tls, {
      kind: "tls",
      generation: settings.tlsGeneration,
      authority: authority.ref,
      name: gatewayHost,
    });
  }

  /** A warm function would go on with the key that it has read: with the generation a variable changes, and Lambda starts it anew. */
  grantTokenKey(program: Program): void {
    this.grant(program, ENVIRONMENT.tokenKeySecret, this.tokenKey);
    program.addEnvironment(ENVIRONMENT.tokenKeyGeneration, String(this.settings.tokenKeyGeneration));
  }

  grantMaskingKey(program: Program): void {
    this.grant(program, ENVIRONMENT.maskingKeySecret, this.maskingKey);
  }

  grantTls(program: Program): void {
    this.grant(program, ENVIRONMENT.tlsSecret, this.tls);
  }

  grantSshHostKey(program: Program): void {
    this.grant(program, ENVIRONMENT.sshHostKeySecret, this.sshHostKey);
  }

  /**
   * Its public half, which the maker answers: who shows it need not read the private one. It is asked for in the stack of the program:
   * as an export of this one CloudFormation would refuse to let it change for as long as the other stack imports it.
   */
  tellSshPublicKey(program: Program & Construct): void {
    const asked = new CustomResource(program, "SshPublicKey", {
      serviceToken: this.maker.functionArn,
      resourceType: "Custom::SallyportSecret",
      // The same generation always: it asks for what is there. With the other number it asks again.
      properties: { secret: this.sshHostKey.ref, kind: "ssh", generation: 1, of: this.settings.sshHostKeyGeneration },
    });
    program.addEnvironment(ENVIRONMENT.sshPublicHostKey, asked.getAttString("publicKey"));
  }

  grantOrigin(program: Program): void {
    this.grant(program, ENVIRONMENT.originSecret, this.origin);
  }

  /** The ARN of what the distribution shows to the API. */
  get originArn(): string {
    return this.origin.ref;
  }

  private grant(program: Program, variable: string, { ref }: CfnSecret): void {
    program.addEnvironment(variable, ref);
    allow(program, { actions: ["secretsmanager:GetSecretValue"], resources: [ref] });
    allow(program, { actions: DECRYPT, resources: [this.key.keyArn] });
  }

  /** Without a value: CDK's own construct would have CloudFormation generate a password, which is no key. */
  private secret(id: string, description: string): CfnSecret {
    const secret = new CfnSecret(this, id, { description: `Sallyport: ${description}`, kmsKeyId: this.key.keyArn });
    secret.applyRemovalPolicy(RemovalPolicy.RETAIN);
    Validations.of(secret).acknowledge(...NO_ROTATION);
    allow(this.maker, {
      actions: ["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"],
      resources: [secret.ref],
    });
    allow(this.maker, { actions: USE_KEY, resources: [this.key.keyArn] });
    return secret;
  }

  private made(id: string, secret: CfnSecret, properties: Readonly<Record<string, string | number>>): void {
    const made = new CustomResource(this, `${id}Made`, {
      serviceToken: this.maker.functionArn,
      resourceType: "Custom::SallyportSecret",
      properties: { secret: secret.ref, ...properties },
    });
    // Not before its maker may read and write it.
    made.node.addDependency(this.maker.role ?? this.maker);
  }
}
