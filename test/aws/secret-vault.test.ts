import { CreateSecretCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clientOptions } from "../../aws/client-options.ts";
import { secretsManagerVault } from "../../aws/secret-vault.ts";
import { secretVaultContract } from "../contract/secret-vault.ts";
import { memoryVault } from "../functions/deploy-secrets/memory-vault.ts";
import { ANYBODY, type Moto, describeWithMoto, startMoto } from "../setup/moto.ts";

describe("a vault in memory", () => {
  secretVaultContract(() => Promise.resolve({ vault: memoryVault(), secret: "arn:secret" }));
});

describeWithMoto("the vault in Secrets Manager", () => {
  let moto: Moto;
  let client: SecretsManagerClient;
  beforeAll(async () => {
    moto = await startMoto();
    client = new SecretsManagerClient({ ...clientOptions(), ...ANYBODY, endpoint: moto.endpoint });
  });
  afterAll(() => moto.close());

  secretVaultContract(async () => {
    const { ARN = "" } = await client.send(new CreateSecretCommand({ Name: `made-${randomUUID()}` }));
    return { vault: secretsManagerVault(client), secret: ARN };
  });
});

describe("the vault while Secrets Manager is not there", () => {
  it("has neither a value nor none: it fails, so that nothing is overwritten", async () => {
    const client = new SecretsManagerClient({
      ...clientOptions(),
      ...ANYBODY,
      endpoint: "http://127.0.0.1:9",
      maxAttempts: 1,
    });
    const vault = secretsManagerVault(client);
    await expect(vault.current("arn:secret")).rejects.toMatchObject({ code: "store-unavailable" });
    await expect(vault.put("arn:secret", "one", randomUUID())).rejects.toMatchObject({ code: "store-unavailable" });
  });
});
