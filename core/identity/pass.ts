import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import type { Branded, Instant } from "../brand.ts";
import { SallyportError } from "../errors.ts";
import type { Pass, PassHash } from "../ports/pass-store.ts";

/** The text of a pass that has the right form and checksum. Never stored, never logged. */
export type PassText = Branded<string, "PassText">;

/** How long a new pass lives unless its issuer says otherwise: one hour. */
export const PASS_LIFETIME_MS = 60 * 60 * 1000;

const PREFIX = "sp_";
const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** 240 bits: far beyond guessing, so that a plain SHA-256 is a sufficient hash for storage. */
const RANDOM_BYTES = 30;
/** The least n with 62^n >= 2^240. */
const BODY_DIGITS = 41;
/** The least n with 62^n >= 2^32. */
const CHECKSUM_DIGITS = 6;
const DIGITS = BODY_DIGITS + CHECKSUM_DIGITS;

/** Length of every pass, in characters. */
export const PASS_LENGTH = PREFIX.length + DIGITS;

/**
 * A pass in free text. Not anchored, not global. The checksum is not looked at: a mistyped pass is nearly a pass.
 * A prefix of `sp_` alone is common in SQL (stored procedures), so the whole length is demanded.
 */
export const PASS_PATTERN: RegExp = new RegExp(`${PREFIX}[0-9A-Za-z]{${DIGITS}}`);

const EVERY_PASS = new RegExp(PASS_PATTERN, "g");
const WHOLE_PASS = new RegExp(`^${PASS_PATTERN.source}$`);

/** What stands where a pass was. */
export const REDACTED_PASS = "sp_[redacted]";

/**
 * A new pass.
 * @param random gives that many cryptographically secure bytes, as `crypto.randomBytes` does
 * @returns the text to show once, and the hash to store
 */
export function mintPass(random: (size: number) => Uint8Array): { text: PassText; hash: PassHash } {
  const bytes = random(RANDOM_BYTES);
  if (bytes.length !== RANDOM_BYTES) throw new RangeError("the random source gave too few bytes");
  const body = PREFIX + base62(BigInt(`0x${Buffer.from(bytes).toString("hex")}`), BODY_DIGITS);
  const text = (body + checksum(body)) as PassText;
  return { text, hash: hashPass(text) };
}

/** The SHA-256 of a pass's text, as 64 hexadecimal digits: the key under which a store knows it. */
export function hashPass(text: PassText): PassHash {
  return createHash("sha256").update(text, "utf8").digest("hex") as PassHash;
}

/** The same text, known to be a pass by its form and checksum; undefined for anything else, however long. */
export function parsePass(text: string): PassText | undefined {
  if (text.length !== PASS_LENGTH || !WHOLE_PASS.test(text)) return undefined;
  const body = text.slice(0, -CHECKSUM_DIGITS);
  return text === body + checksum(body) ? (text as PassText) : undefined;
}

/** Does it have the form and the checksum of a pass? Says nothing about whether it was ever issued. */
export function looksLikePass(text: string): boolean {
  return parsePass(text) !== undefined;
}

/** The text with every pass in it replaced, so that it can be logged or stored. */
export function redactPasses(text: string): string {
  return text.replace(EVERY_PASS, REDACTED_PASS);
}

/** The same bytes with every pass in them overwritten, so that lengths around it stay right; the same buffer if there is none. */
export function overwritePasses(bytes: Buffer): Buffer {
  const text = bytes.toString("latin1");
  const without = text.replace(EVERY_PASS, (pass) => REDACTED_PASS.padEnd(pass.length, "*"));
  return without === text ? bytes : Buffer.from(without, "latin1");
}

/**
 * May this pass open this connection now? Pure.
 * @param pass what the store answered; undefined where it knows no such pass
 * @param connection the connection's name
 * @returns why not (`pass-invalid`, `pass-revoked`, `pass-expired`, `pass-wrong-connection`), or undefined if it may
 */
export function judgePass(pass: Pass | undefined, connection: string, now: Instant): SallyportError | undefined {
  if (pass === undefined) return unknownPass();
  return PASS_CHECKS.map((check) => check(pass, connection, now)).find((refusal) => refusal !== undefined);
}

/** What a client is told whose password is no pass that we issued. */
export function unknownPass(): SallyportError {
  return new SallyportError("pass-invalid", "this is not a pass of this gateway", { hint: GET_ONE });
}

const GET_ONE = "get a pass with `sallyport pass`, or on the gateway's web page, and use it as the password";

type PassCheck = (pass: Pass, connection: string, now: Instant) => SallyportError | undefined;

/** In the order in which a person should learn of them; a time that is no number refuses, too. */
const PASS_CHECKS: readonly PassCheck[] = [
  (pass) =>
    pass.revokedAt === undefined
      ? undefined
      : new SallyportError("pass-revoked", "this pass was revoked", { hint: GET_ONE }),
  (pass, _connection, now) =>
    now < pass.expiresAt ? undefined : new SallyportError("pass-expired", "this pass has expired", { hint: GET_ONE }),
  (pass, connection) =>
    pass.connection === undefined || pass.connection === connection
      ? undefined
      : new SallyportError("pass-wrong-connection", "this pass was issued for another connection", { hint: GET_ONE }),
];

/** CRC-32 (ISO 3309, as zlib computes it) of prefix and body: tells a typing mistake or a look-alike without a look-up. */
function checksum(body: string): string {
  return base62(BigInt(crc32(body)), CHECKSUM_DIGITS);
}

function base62(value: bigint, digits: number): string {
  let text = "";
  for (let rest = value; text.length < digits; rest /= 62n) text = BASE62.charAt(Number(rest % 62n)) + text;
  return text;
}
