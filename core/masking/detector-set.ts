import { customDetector } from "./detectors/custom.ts";
import { findEmails, mayHoldEmail } from "./detectors/email.ts";
import { findCards, findIbans, findPhones, findSsns } from "./detectors/find-numbers.ts";
import { mergedHits, type Found, type Hit } from "./detectors/hits.ts";
import { mayHoldNumber } from "./detectors/numbers.ts";
import { findAwsKeys, findBearerTokens, findJwts, findPrivateKeys, mayHoldToken } from "./detectors/tokens.ts";
import type { MaskRule } from "./masking.ts";
import type { BuiltInDetector, DetectorRule } from "./schema.ts";

type Find = (bytes: Buffer, from: number, to: number, found: Found) => void;

const FINDERS: Readonly<Record<BuiltInDetector, Find>> = {
  email: findEmails,
  card: findCards,
  iban: findIbans,
  "us-ssn": findSsns,
  phone: findPhones,
  jwt: findJwts,
  "aws-key": findAwsKeys,
  "private-key": findPrivateKeys,
  "bearer-token": findBearerTokens,
};

/** The detectors of a connection, in the order of their rules. */
export interface DetectorSet {
  readonly rules: readonly MaskRule[];
  /** Whether one of them is for payment cards, which also hide in integers. */
  readonly cards: boolean;
  /** Monotone: true of a stretch of bytes if it is true of any part of it. */
  mayContain(bytes: Buffer, from: number, to: number): boolean;
  /** What is found in the whole of some bytes, in order and without overlaps. Nothing is where `mayContain` says no. */
  find(bytes: Buffer): readonly Hit[];
}

export function detectorSet(rules: readonly DetectorRule[]): DetectorSet {
  const finders: readonly Find[] = rules.map((rule) =>
    rule.detect === "custom" ? customDetector(rule.pattern, rule.contains).find : FINDERS[rule.detect],
  );
  const mayContain = prefilter(rules);
  return {
    rules,
    cards: rules.some((rule) => rule.detect === "card"),
    mayContain,
    find: (bytes) => {
      if (!mayContain(bytes, 0, bytes.length)) return NOTHING;
      const hits: Hit[] = [];
      for (const [rule, find] of finders.entries())
        find(bytes, 0, bytes.length, (start, end) => hits.push({ start, end, rule }));
      return mergedHits(hits);
    },
  };
}

const NOTHING: readonly Hit[] = [];

type MayContain = DetectorSet["mayContain"];

function prefilter(rules: readonly DetectorRule[]): MayContain {
  const on = new Set(rules.map((rule) => rule.detect));
  const email = on.has("email");
  const numbers = { card: on.has("card"), ssn: on.has("us-ssn"), phone: on.has("phone"), iban: on.has("iban") };
  const tokens = {
    jwt: on.has("jwt"),
    awsKey: on.has("aws-key"),
    privateKey: on.has("private-key"),
    bearerToken: on.has("bearer-token"),
  };
  const anyNumber = Object.values(numbers).includes(true);
  const anyToken = Object.values(tokens).includes(true);
  const customs = rules.flatMap((rule) =>
    rule.detect === "custom" ? [customDetector(rule.pattern, rule.contains).mayHold] : [],
  );
  return (bytes, from, to) =>
    (email && mayHoldEmail(bytes, from, to)) ||
    (anyNumber && mayHoldNumber(bytes, from, to, numbers)) ||
    (anyToken && mayHoldToken(bytes, from, to, tokens)) ||
    customs.some((mayHold) => mayHold(bytes, from, to));
}
