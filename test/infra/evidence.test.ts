import { beforeAll, describe, expect, it } from "vitest";
import type { Statement } from "./policy-statements.ts";
import { only, type Resource, type Synthesised, synthesise } from "./synthesised.ts";

let made: Synthesised;

beforeAll(() => {
  made = synthesise();
}, 120_000);

const one = (type: string, part = ""): Resource => only(made, type, part);

describe("buckets", () => {
  it("are private, encrypted, without ACLs, and kept when their stack goes", () => {
    expect(made.of("AWS::S3::Bucket").length).toBeGreaterThanOrEqual(6);
    for (const { id, properties, deletionPolicy } of made.of("AWS::S3::Bucket")) {
      expect(Object.values(properties.PublicAccessBlockConfiguration), id).toEqual([true, true, true, true]);
      expect(properties.BucketEncryption, id).toBeDefined();
      expect(properties.OwnershipControls.Rules[0].ObjectOwnership, id).toMatch(/^BucketOwner/);
      expect(deletionPolicy, id).toBe("Retain");
    }
  });

  it("are encrypted with our key, but for logs, which their services deliver to none that is", () => {
    const others = made
      .of("AWS::S3::Bucket")
      .filter(({ properties }) => {
        const [rule] = properties.BucketEncryption.ServerSideEncryptionConfiguration;
        return rule.ServerSideEncryptionByDefault.SSEAlgorithm !== "aws:kms";
      })
      .map(({ id }) => id.replace(/[0-9A-F]{8}$/, ""));
    expect(others.toSorted()).toEqual(["AccessLogs", "EdgeLogs"]);
  });

  it("refuse what does not come by TLS 1.2 or newer", () => {
    const policies = made.of("AWS::S3::BucketPolicy");
    expect(policies).toHaveLength(made.of("AWS::S3::Bucket").length);
    for (const { id, properties } of policies) {
      const denied = (properties.PolicyDocument.Statement as Statement[]).filter(({ Effect }) => Effect === "Deny");
      const conditions = denied.map(({ Condition }) => Condition);
      expect(conditions, id).toContainEqual({ Bool: { "aws:SecureTransport": "false" } });
      expect(conditions, id).toContainEqual({ NumericLessThan: { "s3:TlsVersion": 1.2 } });
    }
  });

  it("of evidence are versioned, and locked for the retention", () => {
    for (const part of ["RecordingsBucket", "AuditBucket"]) {
      const { properties } = one("AWS::S3::Bucket", part);
      expect(properties.VersioningConfiguration).toEqual({ Status: "Enabled" });
      expect(properties.ObjectLockEnabled).toBe(true);
      expect(properties.ObjectLockConfiguration.Rule.DefaultRetention).toEqual({ Days: 365, Mode: "GOVERNANCE" });
    }
  });

  it("of evidence take no object in the place of another, whoever puts it", () => {
    for (const part of ["RecordingsBucket", "AuditBucket"]) {
      const { properties } = one("AWS::S3::BucketPolicy", part);
      expect(properties.PolicyDocument.Statement, part).toContainEqual(
        expect.objectContaining({
          Effect: "Deny",
          Principal: { AWS: "*" },
          Action: "s3:PutObject",
          Condition: { Null: { "s3:if-none-match": "true" } },
        }),
      );
    }
  });

  it("of evidence expire after the lock, and not before", () => {
    for (const part of ["RecordingsBucket", "AuditBucket"]) {
      const [rule] = one("AWS::S3::Bucket", part).properties.LifecycleConfiguration.Rules;
      expect(rule.ExpirationInDays).toBeGreaterThan(365);
      expect(rule.Transitions.map(({ StorageClass }: { StorageClass: string }) => StorageClass)).toEqual([
        "STANDARD_IA",
        "GLACIER_IR",
      ]);
    }
  });

  it("of configurations keep every version", () => {
    const { properties } = one("AWS::S3::Bucket", "ConfigurationsBucket");
    expect(properties.VersioningConfiguration).toEqual({ Status: "Enabled" });
    expect(JSON.stringify(properties.LifecycleConfiguration)).not.toMatch(/Expiration/);
  });
});

describe("state", () => {
  it("is in tables that can be restored, cannot be deleted in passing, and are under our key", () => {
    expect(made.of("AWS::DynamoDB::Table")).toHaveLength(6);
    for (const { id, properties, deletionPolicy } of made.of("AWS::DynamoDB::Table")) {
      expect(properties.PointInTimeRecoverySpecification, id).toEqual({ PointInTimeRecoveryEnabled: true });
      expect(properties.DeletionProtectionEnabled, id).toBe(true);
      expect(properties.SSESpecification, id).toMatchObject({ SSEEnabled: true, SSEType: "KMS" });
      expect(properties.TimeToLiveSpecification, id).toEqual({ AttributeName: "ttl", Enabled: true });
      expect(properties.BillingMode, id).toBe("PAY_PER_REQUEST");
      expect(deletionPolicy, id).toBe("Retain");
    }
    expect(one("AWS::DynamoDB::Table", "Approvals").properties.StreamSpecification.StreamViewType).toBe("NEW_IMAGE");
  });

  it("is signed by a key that only KMS holds", () => {
    const { properties, deletionPolicy } = one("AWS::KMS::Key", "SigningKey");
    expect(properties).toMatchObject({ KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY", PendingWindowInDays: 30 });
    expect(deletionPolicy).toBe("Retain");
  });

  it("is encrypted by keys that rotate and are kept", () => {
    const symmetric = made.of("AWS::KMS::Key").filter(({ properties }) => properties.KeySpec === undefined);
    expect(symmetric.map(({ stack }) => stack)).toEqual(["network", "data"]);
    for (const { properties, deletionPolicy } of symmetric) {
      expect(properties.EnableKeyRotation).toBe(true);
      expect(deletionPolicy).toBe("Retain");
    }
  });

  it("of sessions that are not stored yet is on an encrypted file system, reached by TLS, by the task's role, at one folder", () => {
    const { properties, deletionPolicy } = one("AWS::EFS::FileSystem");
    expect(properties.Encrypted).toBe(true);
    expect(properties.KmsKeyId).toBeDefined();
    expect(deletionPolicy).toBe("Retain");
    expect(JSON.stringify(properties.FileSystemPolicy)).not.toContain('"Principal":{"AWS":"*"},"Action":"*"');
    const [volume] = one("AWS::ECS::TaskDefinition").properties.Volumes;
    expect(volume.EFSVolumeConfiguration).toMatchObject({
      TransitEncryption: "ENABLED",
      AuthorizationConfig: { IAM: "ENABLED", AccessPointId: expect.anything() },
    });
    expect(one("AWS::EFS::AccessPoint").properties.PosixUser).toEqual({ Uid: "1000", Gid: "1000" });
  });

  it("that is secret has no value in any template, and outlives the stack", () => {
    const secrets = made.of("AWS::SecretsManager::Secret");
    expect(secrets).toHaveLength(6);
    for (const { id, properties, deletionPolicy } of secrets) {
      expect(properties.SecretString, id).toBeUndefined();
      expect(properties.GenerateSecretString, id).toBeUndefined();
      expect(properties.KmsKeyId, id).toBeDefined();
      expect(deletionPolicy, id).toBe("Retain");
    }
  });

  it("cannot be taken away by deleting its stack in passing", () => {
    const remaining = ["AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::EFS::FileSystem"];
    for (const { id, type, deletionPolicy } of made.resources)
      if (remaining.includes(type)) expect(deletionPolicy, id).toBe("Retain");
  });
});

describe("a token key that is replaced", () => {
  it("starts every function anew that signs or checks by it: those that are warm keep what they have read", () => {
    const later = synthesise({ tokenKeyGeneration: 2 });
    const variables = (of: Synthesised) =>
      of
        .of("AWS::Lambda::Function")
        .map(({ properties }) => properties.Environment.Variables as Record<string, unknown>)
        .filter((names) => "SALLYPORT_TOKEN_KEY_SECRET" in names);
    const [before, after] = [variables(made), variables(later)];
    expect(before).toHaveLength(5);
    for (const [index, names] of before.entries()) expect(names).not.toEqual(after[index]);
  });
});
