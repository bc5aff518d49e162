import { CreateKeyCommand, KMSClient } from "@aws-sdk/client-kms";
import { CreateBucketCommand, DeleteObjectCommand, ListObjectVersionsCommand, S3Client } from "@aws-sdk/client-s3";
import { CreateSecretCommand, PutSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { createHash, randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { s3ChunkStore } from "../../aws/chunk-store.ts";
import { clientOptions } from "../../aws/client-options.ts";
import { s3ConfigurationStore } from "../../aws/configuration-store.ts";
import { kmsSigner } from "../../aws/kms-signer.ts";
import { managedSecrets } from "../../aws/secrets.ts";
import type { Digest } from "../../core/brand.ts";
import { chunkStoreContract } from "../contract/chunk-store.ts";
import { configurationStoreContract } from "../contract/configuration-store.ts";
import { secretsContract } from "../contract/secrets.ts";
import { signerContract } from "../contract/signer.ts";
import { ANYBODY, describeWithMoto, type Moto, startMoto } from "../setup/moto.ts";
import { sessionIdAt } from "../setup/session-ids.ts";

const SESSION = sessionIdAt(1_800_000_000_000);
/** moto does one thing at a time: what waits behind sixteen bodies is not lost. */
const PATIENT_MS = 20_000;

describeWithMoto("the contracts of S3, KMS and Secrets Manager on moto", () => {
  let moto: Moto;
  let s3: S3Client;
  const config = () => ({ ...clientOptions(PATIENT_MS), ...ANYBODY, endpoint: moto.endpoint });
  beforeAll(async () => {
    moto = await startMoto();
    s3 = new S3Client({ ...config(), forcePathStyle: true });
  });
  afterAll(() => moto.close());

  const bucketOf = async (locked: boolean): Promise<string> => {
    const Bucket = `b-${randomUUID()}`;
    const CreateBucketConfiguration = { LocationConstraint: ANYBODY.region };
    await s3.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration, ObjectLockEnabledForBucket: locked }));
    return Bucket;
  };

  chunkStoreContract("S3 with Object Lock", async () =>
    s3ChunkStore({
      client: s3,
      bucket: await bucketOf(true),
      retention: { mode: "COMPLIANCE", days: 1 },
      clock: Date.now,
      page: 4,
    }),
  );

  it("a chunk that is locked cannot be deleted for good", async () => {
    const bucket = await bucketOf(true);
    const retention = { mode: "COMPLIANCE", days: 30 } as const;
    const store = s3ChunkStore({ client: s3, bucket, retention, clock: Date.now });
    const body = Buffer.from("evidence");
    await store.put({ session: SESSION, sequence: 0 }, body, createHash("sha256").update(body).digest("hex") as Digest);
    const { Versions = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket: bucket }));
    expect(Versions).toHaveLength(1);
    for (const { Key, VersionId } of Versions)
      await expect(s3.send(new DeleteObjectCommand({ Bucket: bucket, Key, VersionId }))).rejects.toMatchObject({
        name: "AccessDenied",
      });
    expect(Buffer.from(await store.get({ session: SESSION, sequence: 0 })).equals(body)).toBe(true);
  });

  configurationStoreContract("S3", async (clock) => {
    const bucket = await bucketOf(false);
    return [s3ConfigurationStore({ client: s3, bucket, clock }), s3ConfigurationStore({ client: s3, bucket, clock })];
  });

  signerContract("KMS", async () => {
    const client = new KMSClient(config());
    const made = await client.send(new CreateKeyCommand({ KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY" }));
    return kmsSigner(client, made.KeyMetadata?.Arn ?? "");
  });

  secretsContract("Secrets Manager", async () => {
    const client = new SecretsManagerClient(config());
    const prefix = `sallyport/${randomUUID()}/`;
    const there = new Set<string>();
    return {
      secrets: managedSecrets({ client, prefix, clock: Date.now }),
      put: async (name, SecretString) => {
        const id = prefix + name;
        if (there.has(name)) await client.send(new PutSecretValueCommand({ SecretId: id, SecretString }));
        else await client.send(new CreateSecretCommand({ Name: id, SecretString }));
        there.add(name);
      },
    };
  });
});
