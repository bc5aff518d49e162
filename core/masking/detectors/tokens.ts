import { ALPHANUMERIC, BASE64, CLASSES, DIGIT, TOKEN, UPPER, isAt, runEnd, runStart } from "./byte-classes.ts";
import { nextLiteral } from "./custom.ts";
import { nextMark } from "./run-marks.ts";
import type { RunSought, ValueSearch } from "./value-search.ts";
import type { Found } from "./hits.ts";

/** Which kinds of token are looked for. */
export interface TokenKinds {
  readonly jwt: boolean;
  readonly awsKey: boolean;
  readonly privateKey: boolean;
  readonly bearerToken: boolean;
}

/** The shortest of them, an AWS access key's id: a byte of each stretch of this length is probed. */
const MIN_RUN = 20;
/** A header, a payload and a signature, each of a few bytes. */
const MIN_JWT = 36;
const AWS_SECRET_BYTES = 40;
/** A line of a PEM's body has 64 characters (RFC 7468 §2). */
const MIN_PEM_LINE = 40;
const BEARER_BYTES = 6;
/** Between `Bearer` and its token. */
const MAX_GAP = 4;
export const PEM_MARK = Buffer.from("PRIVATE KEY-----");
export const PEM_BEGIN = Buffer.from("-----BEGIN ");
export const PEM_END = Buffer.from("-----END ");
/** `ENCRYPTED`, `OPENSSH`, `RSA`, … */
export const MAX_PEM_LABEL = 40;
export const DASHES = Buffer.from("-----");
const DOT = 0x2e;
const SMALL_B = 0x62;
const SMALL_R = 0x72;

/** Each maximal run of TOKEN bytes in [from, to) that is long enough. */
function forTokenRuns(bytes: Buffer, from: number, to: number, visit: (start: number, end: number) => void): void {
  for (let at = from + MIN_RUN - 1, behind = from; at < to; at += MIN_RUN) {
    if (((CLASSES[bytes[at] ?? 0] ?? 0) & TOKEN) === 0) continue;
    const start = runStart(bytes, at, behind, TOKEN);
    const end = runEnd(bytes, at, to, TOKEN);
    if (end - start >= MIN_RUN) visit(start, end);
    at = behind = end;
  }
}

/** Whether a token of one of the kinds may be there, whatever the bytes around the value. */
export function mayHoldToken(bytes: Buffer, from: number, to: number, kinds: TokenKinds): boolean {
  let searched = !kinds.privateKey;
  for (let at = from + MIN_RUN - 1, behind = from; at < to; at += MIN_RUN) {
    if (((CLASSES[bytes[at] ?? 0] ?? 0) & TOKEN) === 0) continue;
    const start = runStart(bytes, at, behind, TOKEN);
    const end = runEnd(bytes, at, to, TOKEN);
    at = behind = end;
    if (end - start < MIN_RUN) continue;
    if (kinds.bearerToken && bearerBefore(bytes, start, from) >= 0) return true;
    if ((kinds.jwt || kinds.awsKey) && looksLikeKey(bytes, start, end, kinds)) return true;
    if (searched || end - start < MIN_PEM_LINE) continue;
    searched = true;
    if (indexWithin(bytes, PEM_MARK, from, to) >= 0) return true;
  }
  return false;
}

/** Runs that may hold a token of one of the kinds; where there are marks, for a bearer's token see `nextBearer`. */
export function tokenRuns(kinds: TokenKinds): RunSought {
  return {
    classes: TOKEN,
    length: MIN_RUN,
    kind: "token",
    holds: (bytes, start, end, from) =>
      (kinds.bearerToken && bearerBefore(bytes, start, from) >= 0) ||
      ((kinds.jwt || kinds.awsKey) && looksLikeKey(bytes, start, end, kinds)),
  };
}

/** The next word `Bearer` before a run that is long enough for a token: where that begins. */
export function nextBearer({ bytes, from, to, marks }: ValueSearch, at: number): number {
  if (marks === undefined) return to;
  for (let mark = nextMark(marks.bearer, at - from); mark < to - from; mark = nextMark(marks.bearer, mark + 1)) {
    const gap = from + mark + BEARER_BYTES;
    let token = gap;
    while (token - gap < MAX_GAP && isGap(bytes[token] ?? 0)) token++;
    if (!isAt(bytes, token, from, to, TOKEN) || bearerBefore(bytes, token, at) < 0) continue;
    if (runEnd(bytes, token, to, TOKEN) - token >= MIN_RUN) return token;
  }
  return to;
}

/** Where the next mark of a private key is. */
export function nextPrivateKey({ bytes, to }: ValueSearch, at: number): number {
  return nextLiteral(PEM_MARK, bytes, at, to);
}

/** One pass over a run for all that its bytes show. */
function looksLikeKey(bytes: Buffer, start: number, end: number, kinds: TokenKinds): boolean {
  if (end - start < MIN_JWT) return kinds.awsKey && holdsAccessKey(bytes, start, end);
  let run = 0;
  let seen = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    const classes = CLASSES[byte] ?? 0;
    if (kinds.jwt && byte === 0x65 && isEyJ(bytes, at, end)) return true;
    if (!kinds.awsKey) continue;
    if (byte === 0x41 && isAccessKey(bytes, at, end)) return true;
    if ((classes & BASE64) === 0) {
      run = seen = 0;
      continue;
    }
    run++;
    seen |= kindOf(classes);
    if (run >= AWS_SECRET_BYTES && seen === ALL_KINDS) return true;
  }
  return false;
}

/** In a run that is too short for anything else, and for two keys: its byte at a key's length is one of any key's in it. */
function holdsAccessKey(bytes: Buffer, start: number, end: number): boolean {
  const first = runStart(bytes, start + MIN_RUN, start, UPPER | DIGIT);
  for (let at = first; at < start + MIN_RUN; at++) if (isAccessKey(bytes, at, end)) return true;
  return false;
}

const ALL_KINDS = 7;

function kindOf(classes: number): number {
  if ((classes & DIGIT) !== 0) return 1;
  if ((classes & UPPER) !== 0) return 2;
  return (classes & ALPHANUMERIC) !== 0 ? 4 : 0;
}

/** base64url of `{"`, with which a JOSE header begins (RFC 7515 §3.1). */
function isEyJ(bytes: Buffer, at: number, end: number): boolean {
  return at + 2 < end && bytes[at] === 0x65 && bytes[at + 1] === 0x79 && bytes[at + 2] === 0x4a;
}

/** `AKIA` or `ASIA` and sixteen capitals and digits. */
function isAccessKey(bytes: Buffer, at: number, end: number): boolean {
  const second = bytes[at + 1];
  if (at + MIN_RUN > end || bytes[at] !== 0x41 || (second !== 0x4b && second !== 0x53)) return false;
  if (bytes[at + 2] !== 0x49 || bytes[at + 3] !== 0x41) return false;
  for (let i = at + 4; i < at + MIN_RUN; i++) if (!isAt(bytes, i, at, end, UPPER | DIGIT)) return false;
  return true;
}

function indexWithin(bytes: Buffer, what: Buffer, from: number, to: number): number {
  const at = bytes.indexOf(what, from);
  return at >= 0 && at + what.length <= to ? at : -1;
}

/** Where the word `Bearer`, in any case, starts that stands before `start` behind white space or a colon; -1 if it does not. */
function bearerBefore(bytes: Buffer, start: number, from: number): number {
  let at = start;
  while (at > from && start - at < MAX_GAP && isGap(bytes[at - 1] ?? 0)) at--;
  if (at === start || at - BEARER_BYTES < from) return -1;
  // Before nearly every run there is another word: the text is made only where two letters fit.
  if (((bytes[at - 1] ?? 0) | 0x20) !== SMALL_R || ((bytes[at - BEARER_BYTES] ?? 0) | 0x20) !== SMALL_B) return -1;
  return bytes.toString("latin1", at - BEARER_BYTES, at).toLowerCase() === "bearer" ? at - BEARER_BYTES : -1;
}

function isGap(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x3a;
}

/** JSON web tokens in compact form (RFC 7515 §3.1, RFC 7516 §3.1): `eyJ…` and at least one dot. */
export function findJwts(bytes: Buffer, from: number, to: number, found: Found): void {
  forTokenRuns(bytes, from, to, (start, end) => {
    for (let at = start; at + MIN_JWT <= end; at++) {
      if (!isEyJ(bytes, at, end)) continue;
      if (bytes.subarray(at, end).indexOf(DOT) < 0) break;
      found(at, end);
      break;
    }
  });
}

/** AWS access keys' ids, and their secrets: exactly forty characters of base64, of capitals, small letters and digits. */
export function findAwsKeys(bytes: Buffer, from: number, to: number, found: Found): void {
  forTokenRuns(bytes, from, to, (start, end) => {
    for (let at = start; at + MIN_RUN <= end; at++) {
      if (!isAccessKey(bytes, at, end) || isAt(bytes, at - 1, start, end, ALPHANUMERIC)) continue;
      if (!isAt(bytes, at + MIN_RUN, start, end, ALPHANUMERIC)) found(at, at + MIN_RUN);
    }
    for (let at = start; at < end; at++) {
      const run = base64Run(bytes, at, end);
      if (run === AWS_SECRET_BYTES) found(at, at + run);
      at += Math.abs(run);
    }
  });
}

/** How long the run of base64 from `at` is; negative where it is not of all kinds of character. */
function base64Run(bytes: Buffer, at: number, end: number): number {
  let seen = 0;
  let i = at;
  for (; isAt(bytes, i, at, end, BASE64); i++) seen |= kindOf(CLASSES[bytes[i] ?? 0] ?? 0);
  return seen === ALL_KINDS ? i - at : at - i;
}

/** `Bearer` and a token (RFC 6750 §2.1): the token. */
export function findBearerTokens(bytes: Buffer, from: number, to: number, found: Found): void {
  forTokenRuns(bytes, from, to, (start, end) => {
    if (bearerBefore(bytes, start, from) >= 0) found(start, end);
  });
}

/** Private keys in PEM (RFC 7468 §10-11, and the older labels) from their first line to their last; to the end where that is missing. */
export function findPrivateKeys(bytes: Buffer, from: number, to: number, found: Found): void {
  for (let mark = indexWithin(bytes, PEM_MARK, from, to); mark >= 0;) {
    const begin = bytes.lastIndexOf(PEM_BEGIN, mark);
    let end = mark + PEM_MARK.length;
    if (begin >= from && mark - begin <= MAX_PEM_LABEL) {
      const last = indexWithin(bytes, PEM_END, end, to);
      const close = last < 0 ? -1 : indexWithin(bytes, DASHES, last + PEM_END.length, to);
      end = close < 0 ? to : close + DASHES.length;
      found(begin, end);
    }
    mark = indexWithin(bytes, PEM_MARK, end, to);
  }
}
