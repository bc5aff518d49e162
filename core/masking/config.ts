import { createHash } from "node:crypto";
import { z } from "zod";
import { SallyportError } from "../errors.ts";
import { columnPattern, type ColumnPattern } from "./column-pattern.ts";
import { detectText, detectTyped, hidesContents, showsContents } from "./detect.ts";
import { detectorSet } from "./detector-set.ts";
import { keyedDigest, type KeyedDigest } from "./keyed-digest.ts";
import { LineFinder } from "./line-finder.ts";
import type { ColumnName, Masking, MaskingConfig } from "./masking.ts";
import { maskingFile, type ColumnRule, type DetectorRule, type MaskingFile } from "./schema.ts";
import { maskToLength } from "./same-length.ts";
import { maskWriters } from "./text-styles.ts";
import { typeKind } from "./types.ts";
import { maskTyped } from "./value-mask.ts";

/** Half of the digest: 128 bits. */
const MIN_KEY_BYTES = 16;

/**
 * The rules of a parsed `masking.yaml`. Throws `configuration-invalid` naming every fault and its place.
 * @param key the deployment's secret for `hash` and `format-preserving`, which give the same for the same under the same key
 */
export function parseMasking(document: unknown, key: Uint8Array): MaskingConfig {
  if (key.length < MIN_KEY_BYTES)
    throw new SallyportError(
      "configuration-invalid",
      `the masking key has ${key.length} bytes, and needs ${MIN_KEY_BYTES}`,
    );
  const parsed = maskingFile.safeParse(document ?? {});
  if (!parsed.success)
    throw new SallyportError("configuration-invalid", `masking.yaml is not valid:\n${z.prettifyError(parsed.error)}`);
  const file = parsed.data;
  const version = createHash("sha256").update(JSON.stringify(file)).digest("hex");
  const digest = keyedDigest(key);
  const made = new Map<string, Masking>();
  return {
    version,
    forConnection: (connection, environment) => {
      const id = JSON.stringify([connection, environment]);
      const known = made.get(id);
      if (known !== undefined) return known;
      const applies: Applies = (rule) =>
        rule.connections?.includes(connection) !== false && rule.environments?.includes(environment) !== false;
      const masking = maskingOf(file, applies, version, digest);
      made.set(id, masking);
      return masking;
    },
  };
}

type Applies = (rule: ColumnRule | DetectorRule) => boolean;

function maskingOf(file: MaskingFile, applies: Applies, version: string, digest: KeyedDigest): Masking {
  const rules = [...file.columns, ...file.detectors].filter(applies);
  const isShown = rules.some((rule) => rule.where === "recording-only");
  const client = isShown
    ? maskingOf(file, (rule) => applies(rule) && rule.where !== "recording-only", version, digest)
    : undefined;
  const columns = file.columns.filter(applies).map((rule) => ({ rule, pattern: columnsOf(rule, file) }));
  const set = detectorSet(file.detectors.filter(applies));
  const look = { set, digest };
  const writers = maskWriters(digest);
  const byName = kept((column) => columns.find(({ pattern }) => pattern.mayMatch(column))?.rule);
  const masking: Masking = {
    version,
    hasColumnRules: columns.length > 0,
    hasDetectors: set.rules.length > 0,
    get clientView() {
      return client ?? masking;
    },
    columnRule: (column) => columns.find(({ pattern }) => pattern.matches(column))?.rule,
    columnRuleByName: (column) => (column === undefined ? columns[0]?.rule : byName(column)),
    maskValue: (rule, value, type, format) => maskTyped(rule.style, value, type, format, digest),
    writerOf: (rule, type) => (typeKind(type) === "text" ? writers[rule.style] : undefined),
    detectInValue: (value, type, format, count) => detectTyped(look, value, type, format, count),
    detectInText: (text, count) => detectText(look, text, count),
    search: (chunk, from, to) => set.search(chunk, from, to),
    lineFinder: () => new LineFinder(set),
    ruleOf: ({ rule }) => set.rules[rule],
    maskToLength: ({ rule }, value) => {
      const { style = "full" } = set.rules[rule] ?? {};
      return maskToLength(rule === set.privateKey && style === "partial" ? "full" : style, value, digest);
    },
    alwaysLook: (type, format) => hidesContents(set, type, format),
    isSearched: showsContents,
  };
  return masking;
}

/** Statements name the same columns over and over. */
const MAX_KEPT = 4_096;

function kept<T>(make: (name: string) => T): (name: string) => T {
  const known = new Map<string, T>();
  return (name) => {
    const found = known.get(name);
    if (found !== undefined || known.has(name)) return found as T;
    if (known.size >= MAX_KEPT) known.clear();
    const made = make(name);
    known.set(name, made);
    return made;
  };
}

function columnsOf(rule: ColumnRule, file: MaskingFile): ColumnPattern {
  const named = [...(rule.columns ?? []), ...(rule.tags ?? []).flatMap((tag) => file.tags[tag] ?? [])];
  const patterns = named.flatMap((pattern) => columnPattern(pattern) ?? []);
  const exceptions = (rule.except ?? []).flatMap((pattern) => columnPattern(pattern) ?? []);
  return {
    matches: (column: ColumnName) =>
      patterns.some((pattern) => pattern.matches(column)) && !exceptions.some((pattern) => pattern.matches(column)),
    mayMatch: (column) => patterns.some((pattern) => pattern.mayMatch(column)),
  };
}
