import type { S3Client } from "@aws-sdk/client-s3";
import { checkBundle } from "../core/config/bundle.ts";
import { bundleJson } from "../core/config/bundle-json.ts";
import { SallyportError } from "../core/errors.ts";
import type { Clock } from "../core/ports/clock.ts";
import { type ConfigurationStore, HISTORY, type PublishedVersion } from "../core/ports/configuration-store.ts";
import { answered } from "./answered.ts";
import { bounded, CURRENT, keyOf, readingHistory, s3ConfigurationReader } from "./configuration-reader.ts";
import { type Place, putIf, putOnce } from "./s3-objects.ts";

const MAX_BY = 320;
const JSON_TYPE = "application/json";

export interface S3ConfigurationStoreOptions {
  readonly client: S3Client;
  readonly bucket: string;
  readonly clock: Clock;
}

/**
 * Configurations in a bucket: `versions/<SHA-256>.json`, which are never changed, and `current.json`, the publishings, the newest
 * first, which is replaced only by whoever has seen what it replaces (If-Match on its ETag).
 */
export function s3ConfigurationStore({ client, bucket, clock }: S3ConfigurationStoreOptions): ConfigurationStore {
  const place: Place = { client, bucket };
  const history = readingHistory(place);
  return {
    publish: async (files, by, expected) => {
      const { version } = checkBundle(files);
      const entry: PublishedVersion = { version, by: by.slice(0, MAX_BY), at: clock() };
      const publish = async (signal: AbortSignal): Promise<PublishedVersion> => {
        const before = await history(signal);
        if (expected !== undefined && before?.entries[0]?.version !== expected) throw overtaken();
        await putOnce(
          place,
          { Key: keyOf(version), Body: Buffer.from(bundleJson(files)), ContentType: JSON_TYPE },
          signal,
        );
        const entries = [entry, ...(before?.entries ?? [])].slice(0, HISTORY);
        const condition = before ? { IfMatch: before.etag } : { IfNoneMatch: "*" };
        const put = { Key: CURRENT, Body: Buffer.from(JSON.stringify(entries)), ContentType: JSON_TYPE, ...condition };
        // A put whose answer was lost is made again by the SDK, and then stands in its own way.
        if ((await putIf(place, put, signal)) === false && !same((await history(signal))?.entries[0], entry))
          throw overtaken();
        return entry;
      };
      return answered("publish a configuration", publish, bounded);
    },
    ...s3ConfigurationReader(place, history),
  };
}

function same(one: PublishedVersion | undefined, other: PublishedVersion): boolean {
  return one?.version === other.version && one.by === other.by && one.at === other.at;
}

function overtaken(): SallyportError {
  return new SallyportError("conflict", "another configuration was published meanwhile", {
    hint: "Look at what is in force now, then publish again.",
  });
}
