import { randomBytes } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  PASS_LENGTH,
  PASS_PATTERN,
  REDACTED_PASS,
  hashPass,
  judgePass,
  looksLikePass,
  mintPass,
  parsePass,
  redactPasses,
} from "../../../core/identity/pass.ts";
import type { PrincipalId } from "../../../core/identity/principal.ts";
import type { Pass, PassId } from "../../../core/ports/pass-store.ts";

const random30 = fc.uint8Array({ minLength: 30, maxLength: 30 });
const NOW = 1_800_000_000_000;
const pass: Pass = {
  id: "p1" as PassId,
  principal: { kind: "user", id: "https://idp.example|alice" as PrincipalId, name: "alice", groups: [] },
  connection: undefined,
  label: "",
  issuedAt: NOW - 1000,
  expiresAt: NOW + 1000,
  revokedAt: undefined,
};

describe("the text of a pass", () => {
  test("is recognised, has one length, and hashes to what was stored", () => {
    fc.assert(
      fc.property(random30, (bytes) => {
        const { text, hash } = mintPass(() => bytes);
        expect(text).toMatch(/^sp_[0-9A-Za-z]+$/);
        expect(text).toHaveLength(PASS_LENGTH);
        expect(parsePass(text)).toBe(text);
        expect(hashPass(text)).toBe(hash);
        expect(hash).toMatch(/^[0-9a-f]{64}$/);
      }),
    );
  });

  test("carries all the randomness that it was given: other bytes, another pass", () => {
    fc.assert(
      fc.property(random30, fc.nat({ max: 239 }), (bytes, bit) => {
        const other = Uint8Array.from(bytes);
        other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(mintPass(() => other).text).not.toBe(mintPass(() => bytes).text);
      }),
    );
  });

  test("is as documented, so that secret scanners can check it", () => {
    const { text, hash } = mintPass(() => new Uint8Array(30).fill(7));
    expect({ text, hash }).toMatchInlineSnapshot(`
      {
        "hash": "3195e81cccb91a8dd04d256c0697ecd9a2007bade59628e463c824ee01523885",
        "text": "sp_063j5IOhFXnWo9ie5bBbpIEuoOasiIorqThcSWk8V0JC4Bd",
      }
    `);
  });

  test("is refused with any one character changed, as its checksum shows", () => {
    const { text } = mintPass(randomBytes);
    for (let at = 0; at < text.length; at++)
      for (const other of ["0", "Z", "z", "_", " ", "\0"])
        if (text[at] !== other) expect(looksLikePass(text.slice(0, at) + other + text.slice(at + 1))).toBe(false);
  });

  const { text: good } = mintPass(randomBytes);
  const hostile = [
    "",
    "sp_",
    "password",
    good.slice(0, -1),
    `${good}0`,
    ` ${good}`,
    `${good}\n`,
    `${good}\0`,
    good.toLowerCase(),
    good.replace("sp_", "SP_"),
    good.replace("sp_", "ѕp_"),
    "sp_".padEnd(PASS_LENGTH, "0"),
    "sp_".padEnd(1 << 20, "a"),
    "sp_".repeat(100_000),
  ];
  test.each(hostile.map((text) => [JSON.stringify(text.slice(0, 60)), text]))("is not %s", (_shown, text) => {
    expect(parsePass(text)).toBeUndefined();
  });

  test("is not any text of its shape: only one in four thousand million has the right checksum", () => {
    const shaped = fc.stringMatching(/^sp_[0-9A-Za-z]{47}$/);
    fc.assert(fc.property(shaped, (text) => !looksLikePass(text)));
  });

  test("is not minted from a random source that falls short", () => {
    expect(() => mintPass(() => new Uint8Array(29))).toThrow(RangeError);
  });
});

describe("redactPasses", () => {
  test("leaves no pass in any text, wherever it stands and however often", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), random30)), (parts) => {
        const passes = parts.map(([, bytes]) => mintPass(() => bytes).text);
        const redacted = redactPasses(parts.map(([before], index) => before + (passes[index] ?? "")).join(""));
        for (const text of passes) expect(redacted).not.toContain(text.slice(3));
        expect(PASS_PATTERN.test(redacted)).toBe(false);
      }),
    );
  });

  test("hides a pass with a wrong checksum too, and runs of letters around it do not hide it", () => {
    const { text } = mintPass(randomBytes);
    expect(redactPasses(`x${text.slice(0, -1)}!`)).toBe(`x${text.slice(0, -1)}!`);
    expect(redactPasses(`dbname=x${text.slice(0, -1)}0abc`)).toBe(`dbname=x${REDACTED_PASS}abc`);
  });

  test("leaves names alone that only begin like a pass", () => {
    for (const text of ["EXEC sp_who2", "sp_executesql", "sp_GetCustomerOrdersByRegionAndDate", ""])
      expect(redactPasses(text)).toBe(text);
  });
});

describe("judgePass", () => {
  test("lets a live pass through, for any connection or for its own", () => {
    expect(judgePass(pass, "shop", NOW)).toBeUndefined();
    expect(judgePass({ ...pass, connection: "shop" }, "shop", NOW)).toBeUndefined();
  });

  test.each([
    ["an unknown pass", undefined, "pass-invalid"],
    ["a revoked pass", { ...pass, revokedAt: NOW - 1 }, "pass-revoked"],
    ["a pass revoked at the epoch", { ...pass, revokedAt: 0 }, "pass-revoked"],
    ["a pass that expires this very millisecond", { ...pass, expiresAt: NOW }, "pass-expired"],
    ["a pass without a readable expiry", { ...pass, expiresAt: Number.NaN }, "pass-expired"],
    ["a pass for another connection", { ...pass, connection: "billing" }, "pass-wrong-connection"],
    ["a pass for a connection without a name", { ...pass, connection: "" }, "pass-wrong-connection"],
    ["a revoked and expired pass as revoked", { ...pass, revokedAt: 1, expiresAt: 2 }, "pass-revoked"],
  ])("refuses %s", (_what, shown, code) => {
    expect(judgePass(shown, "shop", NOW)?.code).toBe(code);
  });
});
