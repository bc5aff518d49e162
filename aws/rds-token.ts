import { Signer } from "@aws-sdk/rds-signer";
import { SallyportError } from "../core/errors.ts";
import { boundedMap } from "../core/policy/bounded-map.ts";
import type { TargetTokens, TokenFor } from "../core/ports/target-tokens.ts";
import { answered } from "./answered.ts";

type Credentials = NonNullable<ConstructorParameters<typeof Signer>[0]["credentials"]>;

/** Targets whose signers are kept: each remembers the role's credentials, which would else be asked for at each log-in. */
const MAX_SIGNERS = 1_000;

export interface RdsTokensOptions {
  /** Of targets that name none; undefined: as the SDK finds it. */
  readonly region?: string | undefined;
  /** Undefined: as the SDK finds them, the task's role. */
  readonly credentials?: Credentials;
}

/**
 * Tokens of RDS IAM authentication: a presigned request `connect`, good for 15 minutes, made in this process. Nothing is asked but
 * for the role's own credentials. What it signs is the host's name as given, which has to be the instance's own.
 */
export function rdsTokens({ region, credentials }: RdsTokensOptions = {}): TargetTokens {
  const signers = boundedMap<string, Signer>(MAX_SIGNERS);
  const signerFor = (target: TokenFor): Signer => {
    const key = JSON.stringify([target.host, target.port, target.user, target.region]);
    const where = target.region ?? region;
    const signer =
      signers.get(key) ??
      new Signer({
        hostname: target.host,
        port: target.port,
        username: target.user,
        ...(where === undefined ? {} : { region: where }),
        ...(credentials === undefined ? {} : { credentials }),
      });
    signers.set(key, signer);
    return signer;
  };
  return {
    token: (target) =>
      answered("make a token for the target", async () => {
        try {
          return await signerFor(target).getAuthToken();
        } catch (cause) {
          throw new SallyportError("store-unavailable", "the gateway has nothing to make a token for the target with", {
            cause,
            hint: "The task's role must be there, and be allowed rds-db:connect as that user; the region must be known.",
          });
        }
      }),
  };
}
