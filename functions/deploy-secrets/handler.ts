import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { CloudFormationCustomResourceEvent } from "aws-lambda";
import { clientOptions } from "../../aws/client-options.ts";
import { secretsManagerVault } from "../../aws/secret-vault.ts";
import { respond } from "./respond.ts";

/** S3 answers within a second; the deployment waits for it. */
const ANSWER_WITHIN_MS = 20_000;

const vault = secretsManagerVault(new SecretsManagerClient(clientOptions()));

/** The custom resource `infra/constructs/deployed-secret.ts`. */
export async function handler(event: CloudFormationCustomResourceEvent): Promise<void> {
  await respond({ vault, now: () => new Date(), answer: put }, event);
}

async function put(url: string, body: string): Promise<void> {
  const response = await fetch(url, {
    method: "PUT",
    // The address is signed for a request without a type.
    headers: { "content-type": "" },
    body,
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
  });
  // Lambda tries an event twice more when the function fails.
  if (!response.ok) throw new Error(`CloudFormation's address answered ${response.status}`);
}
