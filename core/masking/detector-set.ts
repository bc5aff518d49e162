import { customDetector, nextLiteral } from "./detectors/custom.ts";
import { findEmails, mayHoldEmail, nextEmail } from "./detectors/email.ts";
import { findCards, findIbans, findPhones, findSsns } from "./detectors/find-numbers.ts";
import { mergedHits, type Found, type Hit } from "./detectors/hits.ts";
import { hashDismissal, mayHoldNumber, numberRuns } from "./detectors/numbers.ts";
import {
  findAwsKeys,
  findBearerTokens,
  findJwts,
  findPrivateKeys,
  mayHoldToken,
  nextBearer,
  nextPrivateKey,
  tokenRuns,
} from "./detectors/tokens.ts";
import type { MaskRule } from "./masking.ts";
import type { BuiltInDetector, DetectorRule } from "./schema.ts";
import { ValueSearch, type RunSought, type Seek } from "./detectors/value-search.ts";

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

/** Detectors that look for the same bytes: none of them finds anything where `mayHold` says no. */
interface Family {
  readonly mayHold: (bytes: Buffer, from: number, to: number) => boolean;
  /** Each value of which `mayHold` is true is found by one of these. */
  readonly seeks: readonly Seek[];
  readonly members: readonly { readonly rule: number; readonly find: Find }[];
}

/** The detectors of a connection, in the order of their rules. */
export interface DetectorSet {
  readonly rules: readonly MaskRule[];
  /** Whether one of them is for payment cards, which also hide in integers. */
  readonly cards: boolean;
  /** Whether one of them is for e-mail addresses; whether one is a pattern of the configuration. */
  readonly hasMails: boolean;
  readonly hasCustom: boolean;
  /** The first rule for private keys; -1 where there is none. */
  readonly privateKey: number;
  /** Monotone: true of a stretch of bytes if it is true of any part of it. */
  mayContain(bytes: Buffer, from: number, to: number): boolean;
  /** Asks of each value in a stretch what `mayContain` says of it; yes more often, where one `mayContain` needs others to be sure. */
  search(bytes: Buffer, from: number, to: number): ValueSearch;
  /** What is found in the whole of some bytes, in order and without overlaps. Nothing is where `mayContain` says no. */
  find(bytes: Buffer): readonly Hit[];
}

const NOTHING: readonly Hit[] = [];

export function detectorSet(rules: readonly DetectorRule[]): DetectorSet {
  const families = familiesOf(rules);
  const seeks = families.flatMap((family) => family.seeks);
  return {
    rules,
    cards: rules.some((rule) => rule.detect === "card"),
    hasMails: rules.some((rule) => rule.detect === "email"),
    hasCustom: rules.some((rule) => rule.detect === "custom"),
    privateKey: rules.findIndex((rule) => rule.detect === "private-key"),
    mayContain: (bytes, from, to) => {
      for (const family of families) if (family.mayHold(bytes, from, to)) return true;
      return false;
    },
    search: (bytes, from, to) => new ValueSearch(bytes, from, to, seeks),
    find: (bytes) => {
      let hits: Hit[] | undefined;
      for (const family of families) {
        if (!family.mayHold(bytes, 0, bytes.length)) continue;
        const all = (hits ??= []);
        for (const { rule, find } of family.members)
          find(bytes, 0, bytes.length, (start, end) => all.push({ start, end, rule }));
      }
      return hits === undefined ? NOTHING : mergedHits(hits);
    },
  };
}

function familiesOf(rules: readonly DetectorRule[]): Family[] {
  const on = new Set<string>(rules.map((rule) => rule.detect));
  const members = (...kinds: readonly BuiltInDetector[]) =>
    rules.flatMap((row, rule) =>
      row.detect !== "custom" && kinds.includes(row.detect) ? [{ rule, find: FINDERS[row.detect] }] : [],
    );
  const numbers = { card: on.has("card"), ssn: on.has("us-ssn"), phone: on.has("phone"), iban: on.has("iban") };
  const tokens = {
    jwt: on.has("jwt"),
    awsKey: on.has("aws-key"),
    privateKey: on.has("private-key"),
    bearerToken: on.has("bearer-token"),
  };
  const customs = rules.flatMap((row, rule): Family[] => {
    if (row.detect !== "custom") return [];
    const { literal, find } = customDetector(row.pattern, row.contains);
    const mayHold = (bytes: Buffer, from: number, to: number) => nextLiteral(literal, bytes, from, to) < to;
    return [{ mayHold, seeks: [literalSeek(literal)], members: [{ rule, find }] }];
  });
  const families: Family[] = [
    {
      mayHold: mayHoldEmail,
      seeks: [{ next: ({ bytes, to }, at) => nextEmail(bytes, at, to) }],
      members: members("email"),
    },
    {
      mayHold: (bytes, from, to) => mayHoldNumber(bytes, from, to, numbers),
      seeks: [{ ...runSeek(numberRuns(numbers)), dismiss: hashDismissal(numbers) }],
      members: members("card", "us-ssn", "phone", "iban"),
    },
    {
      mayHold: (bytes, from, to) => mayHoldToken(bytes, from, to, tokens),
      seeks: [
        runSeek(tokenRuns(tokens)),
        ...(tokens.bearerToken ? [{ next: nextBearer }] : []),
        ...(tokens.privateKey ? [{ next: nextPrivateKey }] : []),
      ],
      members: members("jwt", "aws-key", "private-key", "bearer-token"),
    },
    ...customs,
  ];
  return families.filter((family) => family.members.length > 0);
}

function runSeek(sought: RunSought): Seek {
  return { next: (search, at) => search.firstRun(at, sought) };
}

function literalSeek(literal: Buffer): Seek {
  return { next: ({ bytes, to }, at) => nextLiteral(literal, bytes, at, to) };
}
