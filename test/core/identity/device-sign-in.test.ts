import { randomBytes } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  DEVICE_LIFETIME_MS,
  hashDeviceCode,
  isOpen,
  judgePoll,
  mintDeviceCode,
  mintUserCode,
  parseUserCode,
  showUserCode,
} from "../../../core/identity/device-sign-in.ts";
import type { Principal, PrincipalId } from "../../../core/identity/principal.ts";
import type { DeviceRow } from "../../../core/ports/sign-in-store.ts";

const NOW = 1_800_000_000_000;
const alice: Principal = { kind: "user", id: "i|alice" as PrincipalId, name: "alice", groups: [] };
const row: DeviceRow = {
  deviceCode: mintDeviceCode(randomBytes).hash,
  userCode: mintUserCode(randomBytes),
  label: "sallyport on laptop",
  address: "192.0.2.7",
  connection: undefined,
  requestedAt: NOW,
  expiresAt: NOW + DEVICE_LIFETIME_MS,
  decision: { kind: "pending" },
  lastPolledAt: undefined,
};
const approved: DeviceRow = { ...row, decision: { kind: "approved", principal: alice } };

describe("a user code", () => {
  test("is understood however a person types it", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        const code = mintUserCode(() => bytes);
        expect(code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{8}$/);
        const shown = showUserCode(code);
        for (const typed of [code, shown, shown.toLowerCase(), ` ${shown}\n`, code.split("").join(" ")])
          expect(parseUserCode(typed)).toBe(code);
      }),
    );
  });

  test.each(["", "BCDF", "BCDF-GHJ", "BCDF-GHJKL", "AAAA-AAAA", "BCDF GHJ0", "ВCDF-GHJK", "B".repeat(1 << 20), "%00"])(
    "is not %j",
    (typed) => {
      expect(parseUserCode(typed)).toBeUndefined();
    },
  );
});

describe("a device code", () => {
  test("is stored as a hash that only its text gives", () => {
    const { text, hash } = mintDeviceCode(randomBytes);
    expect(hashDeviceCode(text)).toBe(hash);
    expect(hash).not.toContain(text);
    expect(mintDeviceCode(randomBytes).text).not.toBe(text);
  });

  test.each(["", "x", "a".repeat(42), "a".repeat(44), `${"a".repeat(42)}=`, "ä".repeat(43), "a".repeat(1 << 20)])(
    "is not %.50j",
    (text) => {
      expect(hashDeviceCode(text)).toBeUndefined();
    },
  );
});

describe("a device that polls", () => {
  test.each([
    ["an unknown code", undefined, undefined, NOW, "invalid_grant"],
    ["a code that was used", { ...row, decision: { kind: "used" as const } }, undefined, NOW, "invalid_grant"],
    ["the code of somebody's ssh", { ...approved, connection: "web-1" }, undefined, NOW, "invalid_grant"],
    ["no decision yet", row, undefined, NOW, "authorization_pending"],
    ["no decision yet, five seconds after the last poll", row, NOW - 5000, NOW, "authorization_pending"],
    ["no decision yet, two seconds after the last poll", row, NOW - 2000, NOW, "slow_down"],
    ["approval, but too soon after the last poll", approved, NOW - 10, NOW, "slow_down"],
    ["approval", approved, NOW - 5000, NOW, "approved"],
    ["denial", { ...row, decision: { kind: "denied" as const } }, undefined, NOW, "access_denied"],
    ["a request that expires now", row, undefined, row.expiresAt, "expired_token"],
    ["approval that came too late", approved, undefined, row.expiresAt, "expired_token"],
    ["an unreadable expiry", { ...approved, expiresAt: Number.NaN }, undefined, NOW, "expired_token"],
  ] as const)("with %s gets its answer", (_what, found, previous, now, verdict) => {
    expect(judgePoll(found, previous, now)).toBe(verdict);
  });

  test("is open to a decision only while it is pending and unexpired", () => {
    expect(isOpen(row, NOW)).toBe(true);
    expect(isOpen(row, row.expiresAt)).toBe(false);
    expect(isOpen(approved, NOW)).toBe(false);
    expect(isOpen(undefined, NOW)).toBe(false);
  });
});
