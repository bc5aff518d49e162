import * as fc from "fast-check";
import { serialize } from "pg-protocol/dist/serializer.js";
import { describe, expect, test } from "vitest";
import { redactErrorReply, redactMessage } from "../../../gateway-task/postgres/redact.ts";
import { expectWellFormed } from "./well-formed.ts";

const SECRET = "c4n4ry_Zq7";

const space = fc
  .array(fc.constantFrom(" ", "\t", "\n", "\r", "\f", "\v", "/* c */", "/*a/*'*/\"*/", "-- it's\n", "--\n"), {
    minLength: 1,
    maxLength: 4,
  })
  .map((parts) => ` ${parts.join("")}`);
const cased = (word: string): fc.Arbitrary<string> =>
  fc
    .array(fc.boolean(), { minLength: word.length, maxLength: word.length })
    .map((upper) => word.replaceAll(/./g, (c, i: number) => (upper[i] ? c.toUpperCase() : c)));
const junk = fc.string({ maxLength: 8 }).map((s) => s.replaceAll("\0", ""));
const quotedSecret = fc.tuple(junk, junk, fc.integer({ min: 0, max: 6 }), space).map(([a, b, how, gap]) => {
  const secret = `${a}${SECRET}${b}`;
  const doubled = secret.replaceAll("'", "''");
  const plain = doubled.replaceAll("\\", "/");
  if (how === 0) return `'${plain}'`;
  if (how === 1) return `E'${secret.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  if (how === 2) return `e'${doubled.replaceAll("\\", "\\\\")}'`;
  if (how === 3) return `$t$${secret.replaceAll("$", "")}$t$`;
  if (how === 4) return `$$${secret.replaceAll("$", "")}$$`;
  if (how === 5) return `U&'${doubled.replaceAll("\\", "\\\\")}'`;
  return `'first'${gap.replaceAll(/\/\*.*?\*\/(?:"\*\/)?/g, " ")}\n'${plain}'`;
});
const roleStatement = fc
  .tuple(
    fc.constantFrom("create", "alter").chain(cased),
    fc.constantFrom("role", "user", "group").chain(cased),
    fc.constantFrom("bob", '"o\'brien"', '"a ""b"', "password", "é"),
    fc.constantFrom("", "with", "login", "with encrypted", "unencrypted", "valid until 'x'").chain(cased),
    cased("password"),
    quotedSecret,
    fc.array(space, { minLength: 6, maxLength: 6 }),
    fc.constantFrom("", "; select 1", " login", "\tvalid until 'infinity';"),
  )
  .map(([verb, kind, name, option, password, secret, s, tail]) =>
    [verb, s[0], kind, s[1], name, s[2], option, s[3], password, s[4], secret, tail].join(""),
  );
const harmless = fc.constantFrom(
  "",
  "select 'it''s';",
  "select $q$ ' $q$ ;",
  'select "\'" ;',
  "-- '\n",
  "/* ' */",
  "select E'\\'';",
);

describe("redactMessage, whatever the statement looks like", () => {
  test("never lets the password of a role statement through", () => {
    fc.assert(
      fc.property(harmless, roleStatement, fc.boolean(), (before, statement, parse) => {
        const sql = before + statement;
        const out = redactMessage(parse ? serialize.parse({ text: sql }) : serialize.query(sql));
        expectWellFormed(out);
        expect(out.toString("latin1")).not.toContain(SECRET);
      }),
      { numRuns: 2000 },
    );
  });

  test("never lets it through when the statement is cut off behind the secret or in it", () => {
    fc.assert(
      fc.property(roleStatement, fc.nat(), (statement, cut) => {
        const sql = statement.slice(0, statement.indexOf(SECRET) + SECRET.length + (cut % 12));
        expect(redactMessage(serialize.query(sql)).toString("latin1")).not.toContain(SECRET);
      }),
      { numRuns: 1000 },
    );
  });

  test("yields a well-formed message and throws nothing on text made of quotes and trigger words", () => {
    const part = fc.constantFrom(
      ..."' \" $ $a$ \\ ; ( ) , = : :: -- /* */ \n E' U&' password secret set alter role x to :// u:p@ set_config( %".split(
        " ",
      ),
      "\n",
      " ",
      "\0",
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 40 }), fc.boolean(), (parts, spaced) => {
        const sql = parts.join(spaced ? " " : "");
        for (const message of [serialize.query(sql), serialize.parse({ text: sql.replaceAll("\0", "") })]) {
          const out = redactMessage(message);
          if (out !== message) expectWellFormed(out);
        }
      }),
      { numRuns: 5000 },
    );
  });

  test("throws nothing on arbitrary bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom("P", "Q"), (bytes, tag) => {
        redactMessage(Buffer.concat([Buffer.from(`${tag}____`), bytes, Buffer.from("password")]));
        redactMessage(Buffer.from(bytes));
        redactErrorReply(Buffer.from(bytes));
      }),
    );
  });
});
