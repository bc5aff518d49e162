import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  S3Client,
} from "@aws-sdk/client-s3";
import { createHash, randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { s3AuditLog } from "../../aws/audit-log.ts";
import { clientOptions } from "../../aws/client-options.ts";
import { type FakeS3, startFakeS3 } from "../setup/fake-s3.ts";
import { ANYBODY, describeWithMoto, type Moto, startMoto } from "../setup/moto.ts";
import { auditEvent, auditLogContract, linesOf } from "./audit-log.ts";

const clientOf = (endpoint: string): S3Client =>
  new S3Client({ ...ANYBODY, ...clientOptions(), endpoint, forcePathStyle: true });

describeWithMoto("the audit log on S3", () => {
  let moto: Moto;
  let client: S3Client;
  beforeAll(async () => {
    moto = await startMoto();
    client = clientOf(moto.endpoint);
  }, 60_000);
  afterAll(() => moto.close());

  const newBucket = async (): Promise<string> => {
    const Bucket = `audit-${randomUUID()}`;
    await client.send(
      new CreateBucketCommand({
        Bucket,
        ObjectLockEnabledForBucket: true,
        CreateBucketConfiguration: { LocationConstraint: "eu-central-1" },
      }),
    );
    return Bucket;
  };

  auditLogContract("S3", async () => {
    const Bucket = await newBucket();
    return {
      log: s3AuditLog(client, Bucket),
      objects: async () => {
        const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket }));
        const read = Contents.map(async ({ Key = "" }) => {
          const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
          return [Key, (await Body?.transformToByteArray()) ?? Buffer.alloc(0)] as const;
        });
        return new Map(await Promise.all(read));
      },
    };
  });

  test("writes no second version of an object that is there", async () => {
    const Bucket = await newBucket();
    const log = s3AuditLog(client, Bucket);
    const head = (): Promise<{ VersionId?: string | undefined; ContentType?: string | undefined }> =>
      client.send(new HeadObjectCommand({ Bucket, Key: "audit/date=2026-11-29/a.ndjson.gz" }));
    await log.append({ id: "a", events: [auditEvent("a")] });
    const first = await head();
    await log.append({ id: "a", events: [auditEvent("b")] });
    expect(await head()).toMatchObject({ VersionId: first.VersionId, ContentType: "application/gzip" });
  });
});

describe("the audit log on S3, when S3 fails,", () => {
  let s3: FakeS3;
  beforeEach(async () => {
    s3 = await startFakeS3();
    return () => s3.close();
  });
  const append = (): Promise<void> =>
    s3AuditLog(clientOf(s3.endpoint), "audit").append({ id: "a", events: [auditEvent("a")] });
  const KEY = "audit/date=2026-11-29/a.ndjson.gz";

  test("is sent with the condition that there is none, and the SHA-256 of its bytes", async () => {
    await append();
    const [asked] = s3.asked;
    const body = s3.objects.get(KEY)?.body ?? Buffer.alloc(0);
    expect(asked?.headers).toMatchObject({
      "if-none-match": "*",
      "x-amz-checksum-sha256": createHash("sha256").update(body).digest("base64"),
      "content-type": "application/gzip",
    });
    expect(asked?.headers["content-encoding"]).toBeUndefined();
  });

  test("tries again after a throttle, a fault, a lost answer and a write of another at the same moment", async () => {
    for (const fate of [
      { status: 503, code: "SlowDown" },
      { status: 500, code: "InternalError" },
      { status: 409, code: "ConditionalRequestConflict" },
      "lose-answer",
      "cut",
    ] as const) {
      s3.objects.clear();
      let tries = 0;
      s3.fate = () => (tries++ === 0 ? fate : "serve");
      await append();
      expect(linesOf(s3.objects.get(KEY)?.body), JSON.stringify(fate)).toEqual([auditEvent("a")]);
      expect(tries).toBe(2);
    }
  });

  test("answers store-unavailable where it goes on failing, and is refused, or conflicts for ever", async () => {
    for (const fate of [
      { status: 503, code: "SlowDown" },
      { status: 403, code: "AccessDenied" },
      { status: 400, code: "BadDigest" },
      { status: 409, code: "ConditionalRequestConflict" },
      { status: 404, code: "NoSuchBucket" },
    ] as const) {
      s3.fate = () => fate;
      await expect(append(), fate.code).rejects.toMatchObject({ code: "store-unavailable" });
    }
    expect(s3.objects.size).toBe(0);
  });
});
