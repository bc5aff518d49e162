import {
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
} from "@aws-sdk/client-s3";
import { createHash } from "node:crypto";
import { addAbortSignal, type Readable } from "node:stream";
import { SallyportError } from "../core/errors.ts";

/** S3 answers 409 where another write of the key is under way: who asks again finds who has won (PutObject, ConditionalRequestConflict). */
const MAX_CONFLICT_TRIES = 5;
const CONFLICT_WAIT_MS = 50;

/** The HTTP status of a refusal by the service; undefined for any other failure. */
export function statusOf(thrown: unknown): number | undefined {
  const { $metadata } = (thrown ?? {}) as { $metadata?: { httpStatusCode?: number } };
  return $metadata?.httpStatusCode;
}

/** An object that was read, and its ETag. */
export interface StoredObject {
  readonly bytes: Buffer;
  readonly etag: string;
}

export interface Place {
  readonly client: S3Client;
  readonly bucket: string;
}

const sha256Of = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("base64");

/**
 * Puts an object with the SHA-256 that S3 verifies before it keeps anything, under a condition.
 * @returns its ETag; false where the condition does not hold (412, and 404 for an ETag of what is gone)
 */
export async function putIf(
  { client, bucket }: Place,
  put: Omit<PutObjectCommandInput, "Bucket"> & { readonly Body: Uint8Array },
  abortSignal: AbortSignal,
): Promise<string | false> {
  const command = new PutObjectCommand({
    ...put,
    Bucket: bucket,
    ContentLength: put.Body.length,
    ChecksumAlgorithm: "SHA256",
    ChecksumSHA256: sha256Of(put.Body),
  });
  for (let tries = 1; ; tries++) {
    try {
      return (await client.send(command, { abortSignal })).ETag ?? "";
    } catch (thrown) {
      const status = statusOf(thrown);
      if (status === 412 || (status === 404 && put.IfMatch !== undefined && nameOf(thrown) === "NoSuchKey"))
        return false;
      if (status !== 409 || tries >= MAX_CONFLICT_TRIES) throw thrown;
      await new Promise((done) => setTimeout(done, CONFLICT_WAIT_MS * tries));
    }
  }
}

function nameOf(thrown: unknown): string | undefined {
  return thrown instanceof Error ? thrown.name : undefined;
}

/**
 * Reads a whole object of at most `limit` bytes; undefined where there is none, "unchanged" where its ETag is `unless`.
 * A larger one, or one that breaks off, is `store-unavailable`.
 */
export async function getBounded(
  { client, bucket }: Place,
  key: string,
  limit: number,
  abortSignal: AbortSignal,
): Promise<StoredObject | undefined>;
export async function getBounded(
  { client, bucket }: Place,
  key: string,
  limit: number,
  abortSignal: AbortSignal,
  unless: string | undefined,
): Promise<StoredObject | "unchanged" | undefined>;
export async function getBounded(
  { client, bucket }: Place,
  key: string,
  limit: number,
  abortSignal: AbortSignal,
  unless?: string,
): Promise<StoredObject | "unchanged" | undefined> {
  const command = new GetObjectCommand({ Bucket: bucket, Key: key, IfNoneMatch: unless, ChecksumMode: "ENABLED" });
  let answer;
  try {
    answer = await client.send(command, { abortSignal });
  } catch (thrown) {
    if (statusOf(thrown) === 304) return "unchanged";
    if (nameOf(thrown) === "NoSuchKey") return undefined;
    throw thrown;
  }
  const body = answer.Body as Readable;
  const tooLarge = new SallyportError("store-unavailable", "a stored object is larger than any of ours");
  if ((answer.ContentLength ?? 0) > limit) {
    body.destroy();
    throw tooLarge;
  }
  // At the stream's end the SDK has compared it with the checksum that S3 keeps.
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of addAbortSignal(abortSignal, body) as AsyncIterable<Uint8Array>) {
    length += part.length;
    if (length > limit) throw tooLarge;
    parts.push(part);
  }
  if (answer.ContentLength !== undefined && length !== answer.ContentLength)
    throw new SallyportError("store-unavailable", "a stored object broke off while it was read");
  return { bytes: Buffer.concat(parts), etag: answer.ETag ?? "" };
}

/**
 * Stores an object that is never changed: the same bytes again are fine, others are a `conflict`, whether they lost a race or came
 * later. A put that was cut off, or whose answer was lost, may be made again.
 */
export async function putOnce(
  place: Place,
  put: Omit<PutObjectCommandInput, "Bucket" | "IfNoneMatch" | "Body"> & {
    readonly Key: string;
    readonly Body: Uint8Array;
  },
  abortSignal: AbortSignal,
): Promise<void> {
  if ((await putIf(place, { ...put, IfNoneMatch: "*" }, abortSignal)) !== false) return;
  const { client, bucket } = place;
  const head = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: put.Key, ChecksumMode: "ENABLED" }), {
    abortSignal,
  });
  const conflict = new SallyportError("conflict", "another object is stored under this name");
  if (head.ContentLength !== put.Body.length) throw conflict;
  if (head.ChecksumSHA256 === sha256Of(put.Body)) return;
  if (head.ChecksumSHA256 !== undefined) throw conflict;
  const there = await getBounded(place, put.Key, put.Body.length, abortSignal);
  if (there?.bytes.equals(put.Body) !== true) throw conflict;
}
