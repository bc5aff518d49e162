import type { ConnectionConfig } from "../core/config/connections.ts";
import { SallyportError } from "../core/errors.ts";
import type { Secrets } from "../core/ports/secrets.ts";
import type { TargetTokens } from "../core/ports/target-tokens.ts";

export interface TargetSecretDeps {
  readonly secrets: Secrets;
  /** Where the account's identities open targets; not given: nowhere. */
  readonly targetTokens?: TargetTokens | undefined;
}

/**
 * What a connection logs in to its target with: a password, a private key, an authority's, or a token that is made for the moment. Undefined where the
 * target asks for nothing. Asked for each log-in anew: tokens expire, and passwords are rotated, while sessions live.
 */
export type SecretSource = (fresh?: "fresh") => Promise<string | undefined>;

/** Rejects with `configuration-invalid` where tokens are demanded and there is nobody to make them. */
export function secretSource({ secrets, targetTokens }: TargetSecretDeps, connection: ConnectionConfig): SecretSource {
  const { credentials, target, name } = connection;
  if (!("iam" in credentials) || credentials.iam !== true) {
    const named = secretIn(credentials);
    return async (fresh) => named && secrets.get(named.secret, fresh);
  }
  // RDS knows itself by the name that its certificate has; a connection may reach it by another.
  const host = ("tls" in target && target.tls.serverName) || target.host;
  const { user, region } = credentials;
  return async () => {
    if (targetTokens) return targetTokens.token({ host, port: target.port, user, region });
    throw new SallyportError("configuration-invalid", `"${name}" logs in by IAM, which a gateway outside AWS cannot`, {
      hint: "Give the connection's credentials a password, or run the gateway in the account.",
    });
  };
}

function secretIn(credentials: ConnectionConfig["credentials"]): { readonly secret: string } | undefined {
  if ("key" in credentials) return credentials.key;
  if ("certificateAuthority" in credentials) return credentials.certificateAuthority;
  return "password" in credentials ? credentials.password : undefined;
}

/** Logs in with a secret, and once more where the target refused it and there is a newer one. */
export async function withSecret<T>(
  source: SecretSource,
  logIn: (secret: string | undefined) => Promise<T>,
): Promise<T> {
  const known = await source();
  try {
    return await logIn(known);
  } catch (thrown) {
    if (!(thrown instanceof SallyportError) || thrown.code !== "target-refused") throw thrown;
    const fresh = await source("fresh").catch(() => known);
    if (fresh === known) throw thrown;
    return logIn(fresh);
  }
}
