import type { Digest } from "../core/brand.ts";
import { bundleOf, historyOf, isVersion, MAX_BUNDLE_JSON_BYTES } from "../core/config/bundle-json.ts";
import { SallyportError } from "../core/errors.ts";
import type { ConfigurationStore, PublishedVersion } from "../core/ports/configuration-store.ts";
import { answered } from "./answered.ts";
import { getBounded, type Place } from "./s3-objects.ts";

export const CURRENT = "current.json";
/** A publishing has some 150 bytes, its author at most a few hundred. */
const MAX_CURRENT_BYTES = 1 << 20;
/** Functions and tasks wait for it at their start. */
const DEADLINE_MS = 10_000;
export const bounded = { deadlineMs: DEADLINE_MS };

interface History {
  readonly etag: string;
  readonly entries: readonly PublishedVersion[];
}

/** What is read by whoever checks nothing: those who only follow a configuration need neither Cedar nor a parser of SQL. */
export type ConfigurationReader = Pick<ConfigurationStore, "current" | "versions" | "get">;

/** The publishings as they are now, for whoever replaces them. */
export type ReadHistory = (signal: AbortSignal) => Promise<History | undefined>;

/** Remembers what it has seen: a poll that finds nothing new moves no bytes (If-None-Match). */
export function readingHistory(place: Place): ReadHistory {
  let seen: History | undefined;
  return async (signal) => {
    const there = await getBounded(place, CURRENT, MAX_CURRENT_BYTES, signal, seen?.etag);
    if (there === "unchanged") return seen;
    seen = there && { etag: there.etag, entries: historyOf(there.bytes.toString("utf8")) };
    return seen;
  };
}

/** The reading half of `s3ConfigurationStore`. */
export function s3ConfigurationReader(place: Place, history = readingHistory(place)): ConfigurationReader {
  return {
    current: () =>
      answered("tell the configuration in force", async (signal) => (await history(signal))?.entries[0], bounded),
    versions: (limit) =>
      answered(
        "list configurations",
        async (signal) => (await history(signal))?.entries.slice(0, limit) ?? [],
        bounded,
      ),
    get: (version) =>
      answered(
        "read a configuration",
        async (signal) => {
          const there = isVersion(version) && (await getBounded(place, keyOf(version), MAX_BUNDLE_JSON_BYTES, signal));
          if (!there) throw new SallyportError("not-found", "there is no such version of the configuration");
          return bundleOf(there.bytes.toString("utf8"), version);
        },
        bounded,
      ),
  };
}

export const keyOf = (version: Digest): string => `versions/${version}.json`;
