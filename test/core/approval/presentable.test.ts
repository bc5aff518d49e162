import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { presentable, scrub } from "../../../core/approval/presentable.ts";

const CANARY = "c4naryc4naryc4nary";

const ACTING = /(?![\n\t])[\p{Cc}\p{Cf}\p{DI}\p{Zl}\p{Zp}\p{Cs}]/u;

describe("what people are shown of a statement", () => {
  test.each([
    `ALTER ROLE app PASSWORD '${CANARY}'`,
    `ALTER ROLE app PASSWORD E'${CANARY}'`,
    `ALTER ROLE app password '${CANARY}`,
    `update users set api_key = '${CANARY}'`,
    `update users set access_token='${CANARY}', x = 1`,
    `select dblink('host=db password=x', '${"a".repeat(3)}'), 'postgres://u:${CANARY}@h/db'`,
    `select 'Bearer ${CANARY}'`,
    `select '{"client_secret": "x", "authorization": "bearer ${CANARY}=="}'`,
    `select 'eyJhbGciOiJIUzI1NiJ9.${CANARY}.${CANARY}'`,
    `-----BEGIN RSA PRIVATE KEY-----\n${CANARY}\n-----END RSA PRIVATE KEY-----`,
    `-----BEGIN PRIVATE KEY-----\n${CANARY}`,
  ])("has nothing in it that looks like a secret: %s", (sql) => {
    expect(scrub(sql)).not.toContain(CANARY);
    expect(presentable(sql, 50).text).not.toContain(CANARY);
  });

  test("has no pass and no AWS key in it", () => {
    const pass = `sp_${"a".repeat(47)}`;
    expect(scrub(`select '${pass}', 'AKIAIOSFODNN7EXAMPLE'`)).toBe("select 'sp_[redacted]', '[redacted]'");
  });

  test("keeps what is no secret", () => {
    for (const sql of ["delete from passwords where id = 7", "select token from sessions limit 1", "grant app to bob"])
      expect(presentable(sql, 1_000)).toEqual({ text: sql, cut: 0 });
  });

  test("shows every character and lets none act: no control, no direction mark, nothing invisible", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.integer({ min: 0, max: 40 }), (text, length) => {
        const shown = presentable(text, length);
        expect(shown.text).not.toMatch(ACTING);
      }),
    );
    expect(presentable("a\u0000b\u202ec\u001b[2J", 99).text).toBe("a␀b<U+202E>c␛[2J");
  });

  test("is as long as asked for, and says how much is not shown", () => {
    expect(presentable("x".repeat(100), 60)).toEqual({ text: "x".repeat(60), cut: 40 });
    expect(presentable("x".repeat(100_000), 60)).toEqual({ text: "x".repeat(60), cut: 99_940 });
    expect(presentable("\ud83d\ude00", 1)).toEqual({ text: "", cut: 2 });
  });

  test("is cut after the secrets are taken out, so that no half of one is left", () => {
    const sql = `update t set x = 'eyJhbGciOiJIUzI1NiJ9.${CANARY}.${CANARY}'`;
    for (let length = 0; length < sql.length; length++) expect(presentable(sql, length).text).not.toContain("eyJh");
  });
});

test.each(["eyJaaaaaaaaaa-", "password '", "://a:a", "Bearer a ", "-----BEGIN PRIVATE KEY-----", "tokentoken"])(
  "a text made to be slow is read to its end: %s",
  (piece) => {
    // In more than linear time this would not come to an end while anybody looks.
    expect(scrub(piece.repeat(20_000)).length).toBeGreaterThan(0);
  },
);
