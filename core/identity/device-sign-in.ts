import { createHash } from "node:crypto";
import type { Instant } from "../brand.ts";
import type { DeviceCodeHash, DeviceRow, UserCode } from "../ports/sign-in-store.ts";

/** The device authorization grant (RFC 8628), where we are the authorization server and our CLI is the device. */
export const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";

/** Time enough to find a browser and sign in. */
export const DEVICE_LIFETIME_MS = 10 * 60 * 1000;
/** How long an expired request is remembered, so that its device is told `expired_token` rather than `invalid_grant`. */
export const DEVICE_MEMORY_MS = 60 * 60 * 1000;
/** RFC 8628 §3.2: the default interval. */
export const POLL_INTERVAL_SECONDS = 5;
/** A timer of the device may be early, and the network may hold one poll up more than the next. */
const POLL_TOLERANCE_MS = 1000;

/** Requests that may wait at once: a request costs its sender nothing, so that memory must have a bound. */
export const MAX_PENDING_DEVICES = 1000;
/** The same for one address, which may be a whole office behind one router. */
export const MAX_PENDING_DEVICES_PER_ADDRESS = 20;

/** RFC 8628 §5.1: 10 guesses at 20^8 codes, of which at most 1,000 are live, succeed with probability 4e-7. */
export const MAX_WRONG_CODES = 10;
export const WRONG_CODES_WINDOW_MS = 10 * 60 * 1000;

/** Consonants only (RFC 8628 §6.1): no word, no vowel, nothing that looks like a digit. */
const USER_CODE_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ";
const USER_CODE_LETTERS = 8;
const USER_CODE = new RegExp(`^[${USER_CODE_ALPHABET}]{${USER_CODE_LETTERS}}$`);
/** What a person may type around the letters, blanks and hyphens, has an end. */
const MAX_TYPED_LENGTH = 64;
const DEVICE_CODE_BYTES = 32;
/** Base64url of 32 bytes. */
const DEVICE_CODE = /^[A-Za-z0-9_-]{43}$/;

type Random = (size: number) => Uint8Array;

/** A new device code: the text for the device, once, and the hash to store. */
export function mintDeviceCode(random: Random): { text: string; hash: DeviceCodeHash } {
  const text = Buffer.from(random(DEVICE_CODE_BYTES)).toString("base64url");
  return { text, hash: createHash("sha256").update(text).digest("hex") as DeviceCodeHash };
}

/** The hash of what a device shows; undefined where that cannot be a device code. */
export function hashDeviceCode(text: string): DeviceCodeHash | undefined {
  if (!DEVICE_CODE.test(text)) return undefined;
  return createHash("sha256").update(text).digest("hex") as DeviceCodeHash;
}

export function mintUserCode(random: Random): UserCode {
  // 128 bits modulo 20^8: the bias is below 2^-90.
  let rest = BigInt(`0x${Buffer.from(random(16)).toString("hex")}`);
  let code = "";
  for (; code.length < USER_CODE_LETTERS; rest /= BigInt(USER_CODE_ALPHABET.length))
    code += USER_CODE_ALPHABET.charAt(Number(rest % BigInt(USER_CODE_ALPHABET.length)));
  return code as UserCode;
}

/** As people read it: `BCDF-GHJK`. */
export function showUserCode(code: UserCode): string {
  return `${code.slice(0, USER_CODE_LETTERS / 2)}-${code.slice(USER_CODE_LETTERS / 2)}`;
}

/** The page where a signed-in person decides on the request of this code, as `showUserCode` writes it. */
export function devicePage(origin: string, shown: string): string {
  return `${origin}/auth/device?user_code=${shown}`;
}

/** What a person typed, in any case and with any blanks or hyphens (RFC 8628 §6.1); undefined where it cannot be a code. */
export function parseUserCode(typed: string): UserCode | undefined {
  if (typed.length > MAX_TYPED_LENGTH) return undefined;
  const code = typed.replace(/[\s-]/g, "").toUpperCase();
  return USER_CODE.test(code) ? (code as UserCode) : undefined;
}

/** `approved`: the store may be asked to use it. All others are the error codes of RFC 8628 §3.5 and RFC 6749 §5.2. */
export type PollVerdict =
  "approved" | "authorization_pending" | "slow_down" | "access_denied" | "expired_token" | "invalid_grant";

/**
 * What a device that polls is told. Pure.
 * @param row what the store has under its device code, before this poll
 * @param previousPoll when it polled before; undefined the first time
 */
export function judgePoll(row: DeviceRow | undefined, previousPoll: Instant | undefined, now: Instant): PollVerdict {
  // What was asked for one SSH connection is no session of the command line.
  if (row === undefined || row.connection !== undefined || row.decision.kind === "used") return "invalid_grant";
  if (!(now < row.expiresAt)) return "expired_token";
  const earliest = (previousPoll ?? -Infinity) + POLL_INTERVAL_SECONDS * 1000 - POLL_TOLERANCE_MS;
  if (now < earliest) return "slow_down";
  return VERDICT_OF[row.decision.kind];
}

const VERDICT_OF = {
  pending: "authorization_pending",
  approved: "approved",
  denied: "access_denied",
  used: "invalid_grant",
} as const satisfies Record<DeviceRow["decision"]["kind"], PollVerdict>;

/** May a person still decide on it? */
export function isOpen(row: DeviceRow | undefined, now: Instant): row is DeviceRow {
  return row !== undefined && row.decision.kind === "pending" && now < row.expiresAt;
}
