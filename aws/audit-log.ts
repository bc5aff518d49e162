import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { PutObjectCommand, type S3Client, S3ServiceException } from "@aws-sdk/client-s3";
import { type AuditObject, auditObjects, ndjson } from "../core/audit/batch.ts";
import type { AuditLog } from "../core/ports/audit-log.ts";
import { answered } from "./answered.ts";

/** RFC 9110 §15.5.13: there is an object under this key. */
const PRECONDITION_FAILED = 412;
/** Another writes it at this moment (Amazon S3, ConditionalRequestConflict): whether it stays is known when it is tried again. */
const CONFLICT = 409;
const MAX_CONFLICTS = 5;
/** A chunk's events are compressed to a few megabytes at most, which may take a slow moment. */
const DEADLINE_MS = 15_000;

const compressed = promisify(gzip);

/**
 * Audit events in S3, under the keys of `core/audit/batch.ts`. An object is put on the condition that there is none (If-None-Match), so
 * that the first stays, and with its SHA-256, which S3 checks. How long it is locked is the bucket's own default (Object Lock),
 * and so is its key of KMS.
 */
export function s3AuditLog(client: Pick<S3Client, "send">, bucket: string): AuditLog {
  const put = async ({ key, events }: AuditObject): Promise<void> => {
    const Body = await compressed(ndjson(events));
    const ChecksumSHA256 = createHash("sha256").update(Body).digest("base64");
    // No Content-Encoding: readers know the compression by the name's end, and some would undo it twice.
    const object = {
      Bucket: bucket,
      Key: key,
      Body,
      ChecksumSHA256,
      ContentType: "application/gzip",
      IfNoneMatch: "*",
    };
    const write = (abortSignal: AbortSignal) => putOnce(client, new PutObjectCommand(object), abortSignal);
    await answered("write audit events", write, { deadlineMs: DEADLINE_MS });
  };
  return {
    append: async (batch) => {
      for (const object of auditObjects(batch)) await put(object);
    },
  };
}

async function putOnce(client: Pick<S3Client, "send">, put: PutObjectCommand, abortSignal: AbortSignal): Promise<void> {
  for (let conflicts = 0; ; conflicts++) {
    try {
      await client.send(put, { abortSignal });
      return;
    } catch (thrown) {
      const status = thrown instanceof S3ServiceException ? thrown.$metadata.httpStatusCode : undefined;
      if (status === PRECONDITION_FAILED) return;
      if (status !== CONFLICT || conflicts === MAX_CONFLICTS) throw thrown;
    }
  }
}
