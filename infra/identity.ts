import { z } from "zod";
import { parseIdentity } from "../core/config/identity.ts";
import { SallyportError } from "../core/errors.ts";
import type { Settings } from "./settings.ts";

/** What functions are told of who may say who somebody is, and which secrets they must read for it. */
export interface Identity {
  readonly json: string;
  readonly secretArns: readonly string[];
}

/** Ids that stand in addresses which are registered at the provider. */
const OIDC_ID = "oidc";
const SAML_ID = "saml";
const secretRef = z.object({ secret: z.string() });

/**
 * One provider by its own settings, or all of `identity`, whose shape `core/config/identity.ts` knows. Secrets stand in it by ARN.
 * Throws `configuration-invalid`.
 */
export function identityOf(settings: Settings): Identity {
  const given = settings.identity ?? { providers: [ownProvider(settings)] };
  const value = parseIdentity(given, "the setting identity");
  const secretArns = [...new Set(secretsIn(value))];
  for (const secret of secretArns)
    if (!/^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:/.test(secret))
      throw new SallyportError(
        "configuration-invalid",
        `the setting identity names the secret ${secret}, which is no ARN`,
        {
          hint: "Store it with `aws secretsmanager create-secret` and name it by the ARN that it answers.",
        },
      );
  return { json: JSON.stringify(value), secretArns };
}

function ownProvider(settings: Settings): unknown {
  const { issuer, clientId, clientSecretArn, scopes, groupsClaim, groupsMaxAgeMinutes, samlMetadataSecretArn } =
    settings;
  if (samlMetadataSecretArn !== undefined)
    return {
      id: SAML_ID,
      kind: "saml",
      metadata: { secret: samlMetadataSecretArn },
      groupsAttribute: groupsClaim,
      groupsMaxAgeMinutes,
    };
  const client = { issuer, clientId, clientSecret: { secret: clientSecretArn }, scopes };
  return { id: OIDC_ID, kind: "oidc", ...client, groupsClaim, groupsMaxAgeMinutes };
}

function* secretsIn(value: unknown): Generator<string> {
  const ref = secretRef.safeParse(value);
  if (ref.success) yield ref.data.secret;
  if (typeof value === "object" && value !== null) for (const one of Object.values(value)) yield* secretsIn(one);
}
