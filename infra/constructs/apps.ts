import { Construct } from "constructs";
import { ENVIRONMENT } from "../../aws/environment.ts";
import type { Identity } from "../identity.ts";
import type { DataStack } from "../stacks/data-stack.ts";
import type { Routed } from "./http-api.ts";
import { type FunctionContext, type FunctionShape, SallyportFunction } from "./sallyport-function.ts";
import { type WebAppProps, grantIdentity, tellApp } from "./web-app.ts";

/** API Gateway gives up after 30 s: an app that has not answered by then does so to nobody. */
const TIMEOUT_SECONDS = 29;
const SHAPES = {
  auth: { description: "signs people in and gives passes", timeoutSeconds: TIMEOUT_SECONDS, memory: 512 },
  approvals: { description: "shows and decides requests for consent", timeoutSeconds: TIMEOUT_SECONDS, memory: 512 },
  replay: { description: "shows recordings", timeoutSeconds: TIMEOUT_SECONDS, memory: 1024 },
  config: { description: "checks and publishes configurations", timeoutSeconds: TIMEOUT_SECONDS, memory: 1024 },
} as const satisfies Record<Routed, FunctionShape>;

export interface AppsProps extends WebAppProps {
  readonly data: DataStack;
  readonly gatewayHost: string;
  readonly identity: Identity;
  readonly context: FunctionContext;
}

/** The apps that people and their tools meet, each with what it needs and no more. */
export class Apps extends Construct {
  readonly functions: Readonly<Record<Routed, SallyportFunction>>;

  constructor(scope: Construct, id: string, props: AppsProps) {
    super(scope, id);
    const { data, identity, gatewayHost } = props;
    const auth = this.app("auth", "Auth", props);
    auth.addEnvironment(ENVIRONMENT.gatewayHost, gatewayHost);
    grantIdentity(auth, identity);
    data.tables.grantReadWrite(auth, "passes", "signIns", "people");
    data.tables.grantRead(auth, "sessions");
    data.configurations.grantRead(auth);
    data.secrets.grantTls(auth);
    data.secrets.tellSshPublicKey(auth);
    data.audit.grantWrite(auth);

    const approvals = this.app("approvals", "Approvals", props);
    data.tables.grantReadWrite(approvals, "approvals");
    data.tables.grantRead(approvals, "signIns", "people");
    data.audit.grantWrite(approvals);

    const replay = this.app("replay", "Replay", props);
    data.tables.grantRead(replay, "sessions", "signIns");
    data.recordings.grantRead(replay);
    data.signingKey.grantPublicKey(replay);

    const config = this.app("config", "Config", props);
    data.tables.grantRead(config, "signIns");
    data.configurations.grantPublish(config);
    data.audit.grantWrite(config);
    this.functions = { auth, approvals, replay, config };
  }

  private app(name: Routed, id: string, { data, context, ...app }: AppsProps): SallyportFunction {
    const made = new SallyportFunction(this, id, name, SHAPES[name], context);
    tellApp(made, app);
    data.secrets.grantTokenKey(made);
    data.secrets.grantOrigin(made);
    return made;
  }
}
