import {
  GetSecretValueCommand,
  PutSecretValueCommand,
  ResourceExistsException,
  ResourceNotFoundException,
  type SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import { asSallyportError } from "../core/errors.ts";
import type { SecretVault } from "../core/ports/secret-vault.ts";

/** The vault in Secrets Manager; secrets are named by ARN, and the stack has made them. */
export function secretsManagerVault(client: SecretsManagerClient): SecretVault {
  return {
    async current(secret) {
      try {
        return (await client.send(new GetSecretValueCommand({ SecretId: secret }))).SecretString;
      } catch (thrown) {
        // Also what a secret without any version answers.
        if (thrown instanceof ResourceNotFoundException) return undefined;
        throw asSallyportError(thrown, "store-unavailable", "Secrets Manager did not give the secret");
      }
    },
    async put(secret, value, request) {
      try {
        await client.send(
          new PutSecretValueCommand({ SecretId: secret, SecretString: value, ClientRequestToken: request }),
        );
      } catch (thrown) {
        // The same request before us, with a value of its own.
        if (thrown instanceof ResourceExistsException) return;
        throw asSallyportError(thrown, "store-unavailable", "Secrets Manager did not take the secret");
      }
    },
  };
}
