import { ListObjectsV2Command, type ObjectLockMode, type S3Client } from "@aws-sdk/client-s3";
import { createHash } from "node:crypto";
import type { Digest } from "../core/brand.ts";
import { SallyportError } from "../core/errors.ts";
import type { ChunkKey, ChunkStore } from "../core/ports/chunk-store.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { SessionId } from "../core/ports/session-store.ts";
import {
  chunkNameOf,
  folderNameOf,
  MANIFEST_NAME,
  MAX_CHUNK_BYTES,
  MAX_MANIFEST_BYTES,
  sequenceOf,
} from "../core/recording/object-names.ts";
import { answered } from "./answered.ts";
import { getBounded, type Place, putOnce } from "./s3-objects.ts";

/** One attempt at a chunk of 8 MB: a megabyte a second is a network in trouble. For `clientOptions`. */
export const CHUNK_REQUEST_TIMEOUT_MS = 9_000;
/** Retries included; the recorder gives a store 30 s (`gateway-task/recorder/timely-stores.ts`) and shall hear the reason before. */
const CHUNK_DEADLINE_MS = 28_000;
const MS_A_DAY = 86_400_000;
/** What S3 gives a page at most. */
const PAGE = 1_000;
const PREFIX = "recordings/";

/** How long objects cannot be deleted or replaced (S3 Object Lock), from when they are put. */
export interface Retention {
  /** COMPLIANCE: by nobody; GOVERNANCE: but by whoever has the permission to bypass it. */
  readonly mode: ObjectLockMode;
  readonly days: number;
}

export interface S3ChunkStoreOptions {
  readonly client: S3Client;
  readonly bucket: string;
  /** Undefined: as the bucket's default says. */
  readonly retention: Retention | undefined;
  readonly clock: Clock;
  /** Keys that are asked for at once. */
  readonly page?: number;
  readonly deadlineMs?: number;
}

/**
 * Recordings as objects: `recordings/<session>/<8 digits>.chunk` and `manifest.jws`. S3 verifies each one's SHA-256 before it keeps
 * it, and never lets a second take its name. Encryption is the bucket's default.
 */
export function s3ChunkStore(options: S3ChunkStoreOptions): ChunkStore {
  const { client, bucket, deadlineMs = CHUNK_DEADLINE_MS } = options;
  const place: Place = { client, bucket };
  const bounded = { deadlineMs };
  const locked = lock(options);
  const put = async (key: string, body: Uint8Array, type: string, signal: AbortSignal): Promise<void> =>
    putOnce(place, { Key: key, Body: body, ContentType: type, ...locked() }, signal);
  return {
    put: (key, body, sha256) =>
      answered(
        "store a chunk",
        async (signal) => put(chunkKey(key), checked(body, sha256), "application/octet-stream", signal),
        bounded,
      ),
    get: (key) =>
      answered(
        "read a chunk",
        async (signal) => {
          const there = await getBounded(place, chunkKey(key), MAX_CHUNK_BYTES, signal);
          if (!there) throw new SallyportError("not-found", `chunk ${key.sequence} of the recording is not there`);
          return there.bytes;
        },
        bounded,
      ),
    list: (session) => list(options, session),
    putManifest: (session, jws) =>
      answered(
        "store a manifest",
        async (signal) => {
          const bytes = Buffer.from(jws, "utf8");
          if (bytes.length > MAX_MANIFEST_BYTES) throw new SallyportError("limit-exceeded", "a manifest is too large");
          await put(manifestKey(session), bytes, "application/jose", signal);
        },
        bounded,
      ),
    getManifest: (session) =>
      answered(
        "read a manifest",
        async (signal) => {
          const there = await getBounded(place, manifestKey(session), MAX_MANIFEST_BYTES, signal);
          return there?.bytes.toString("utf8");
        },
        bounded,
      ),
  };
}

const folderKey = (session: SessionId): string => `${PREFIX}${folderNameOf(session)}/`;
const chunkKey = (key: ChunkKey): string => folderKey(key.session) + chunkNameOf(key);
const manifestKey = (session: SessionId): string => folderKey(session) + MANIFEST_NAME;

function checked(body: Uint8Array, sha256: Digest): Uint8Array {
  if (body.length > MAX_CHUNK_BYTES) throw new SallyportError("limit-exceeded", "a chunk is too large");
  if (createHash("sha256").update(body).digest("hex") !== sha256)
    throw new SallyportError("conflict", "the chunk's bytes are not those of its digest");
  return body;
}

function lock({ retention, clock }: S3ChunkStoreOptions): () => object {
  if (retention === undefined) return () => ({});
  const { mode, days } = retention;
  if (!Number.isInteger(days) || days < 1)
    throw new SallyportError("configuration-invalid", "a recording is locked for a whole number of days, at least one");
  return () => ({ ObjectLockMode: mode, ObjectLockRetainUntilDate: new Date(clock() + days * MS_A_DAY) });
}

/** Page by page: S3 lists keys in the order of their bytes, which is that of sequences of eight digits. */
async function* list(
  { client, bucket, page = PAGE, deadlineMs = CHUNK_DEADLINE_MS }: S3ChunkStoreOptions,
  session: SessionId,
): AsyncGenerator<ChunkKey> {
  const prefix = folderKey(session);
  let after: string | undefined;
  do {
    const command = new ListObjectsV2Command({
      Bucket: bucket,
      Prefix: prefix,
      MaxKeys: page,
      ContinuationToken: after,
    });
    const answer = await answered("list a session's chunks", (abortSignal) => client.send(command, { abortSignal }), {
      deadlineMs,
    });
    for (const { Key = "" } of answer.Contents ?? []) {
      const sequence = sequenceOf(Key.slice(prefix.length));
      if (sequence !== undefined) yield { session, sequence };
    }
    after = answer.IsTruncated === true ? answer.NextContinuationToken : undefined;
  } while (after !== undefined);
}
