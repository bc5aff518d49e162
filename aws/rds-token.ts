import { Signer } from "@aws-sdk/rds-signer";
import { SallyportError } from "../core/errors.ts";
import type { TargetTokens } from "../core/ports/target-tokens.ts";
import { answered } from "./answered.ts";

type Credentials = NonNullable<ConstructorParameters<typeof Signer>[0]["credentials"]>;

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
  return {
    token: (target) =>
      answered("make a token for the target", async () => {
        const where = target.region ?? region;
        try {
          return await new Signer({
            hostname: target.host,
            port: target.port,
            username: target.user,
            ...(where === undefined ? {} : { region: where }),
            ...(credentials === undefined ? {} : { credentials }),
          }).getAuthToken();
        } catch (cause) {
          throw new SallyportError(
            "store-unavailable",
            "the gateway has no credentials to make a token for the target with",
            {
              cause,
              hint: "The task's role must be there, and be allowed rds-db:connect as that user; the region must be known.",
            },
          );
        }
      }),
  };
}
