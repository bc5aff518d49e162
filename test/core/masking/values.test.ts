import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rewriteArrayText, rewriteBinaryArray, rewriteBinaryRecord } from "../../../core/masking/arrays.ts";
import { binaryValue } from "../../../gateway-task/postgres/binary-values.ts";
import { STYLES, binaryArray, binaryRecord, int4, int8, maskingOf, ruleOf } from "./kit.ts";

const masking = maskingOf({});
const TEXTS = { text: 25, varchar: 1043, bpchar: 1042, name: 19, unknown: 705, xml: 142 };
/** Types that have no room for a mask. */
const NULLED = {
  bool: 16,
  int2: 21,
  float4: 700,
  float8: 701,
  numeric: 1700,
  date: 1082,
  time: 1083,
  timestamptz: 1184,
};
const NULLED_TOO = { interval: 1186, inet: 869, money: 790, point: 600, tsvector: 3614, int4range: 3904, enum: 99_999 };

function mask(style: (typeof STYLES)[number], value: Buffer | string, type: number, format: 0 | 1 = 0) {
  return masking.maskValue(ruleOf(style), Buffer.from(value), type, format);
}

describe("a value of a masked column", () => {
  test.each(Object.entries(TEXTS))("of type %s is a text in either format", (_, type) => {
    for (const format of [0, 1] as const) expect(mask("full", "secret value", type, format)?.toString()).toBe("****");
  });

  test.each(Object.entries({ ...NULLED, ...NULLED_TOO }))("of type %s is NULL in every style", (_, type) => {
    for (const style of STYLES)
      for (const format of [0, 1] as const)
        for (const value of ["1", "2026-11-23", "\0\0\0\x01", "\0".repeat(8)])
          expect(mask(style, value, type, format)).toBeUndefined();
  });

  test("of an integer type is hashed to an integer, the same in either format, else NULL", () => {
    for (const value of [0, 1, -1, 2 ** 31 - 1, 123456]) {
      const text = mask("hash", String(value), 23)?.toString();
      expect(text).toMatch(/^[0-9]{1,10}$/);
      expect(mask("hash", int4(value), 23, 1)?.readInt32BE(0).toString()).toBe(text);
      const long = mask("hash", String(value), 20)?.toString();
      expect(Number.isSafeInteger(Number(long))).toBe(true);
      expect(
        mask("hash", int8(BigInt(value)), 20, 1)
          ?.readBigInt64BE(0)
          .toString(),
      ).toBe(long);
    }
    for (const style of ["full", "partial", "null", "format-preserving"] as const) {
      expect(mask(style, "12", 23)).toBeUndefined();
      expect(mask(style, int8(12n), 20, 1)).toBeUndefined();
    }
  });

  test.each([
    [23, "", 0],
    [23, "1e9", 0],
    [23, "\0\0", 1],
    [20, "\0\0\0\0", 1],
    [2950, "not a uuid", 0],
    [2950, "\0\0", 1],
    [3802, "\x02{}", 1],
    [3802, "", 1],
    [1009, "{a", 0],
    [1009, "a,b", 0],
    [1009, '{"a}', 0],
    [1009, "{}{}", 0],
    [1009, "{a}b", 0],
    [1009, "\0\0", 1],
    [2249, "a,b", 0],
    [2249, "\0\0\0\x01", 1],
  ] as const)("that is none of its type %i (%j) is replaced by NULL, never passed", (type, value, format) => {
    expect(mask("hash", value, type, format)).toBeUndefined();
  });

  test("of type uuid is hashed to a uuid, the same in either format", () => {
    const text = "550e8400-e29b-41d4-a716-446655440000";
    const bytes = Buffer.from(text.replaceAll("-", ""), "hex");
    const masked = mask("hash", text, 2950)?.toString() ?? "";
    expect(masked).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(mask("hash", bytes, 2950, 1)?.toString("hex")).toBe(masked.replaceAll("-", ""));
  });

  test("of type bytea is other bytes in the same format", () => {
    expect(mask("full", "\\x616263", 17)?.toString()).toBe("\\x2a2a2a2a");
    expect(mask("full", "abc", 17, 1)?.toString()).toBe("****");
    const hash = mask("hash", "\\x616263", 17)?.toString().slice(2);
    expect(mask("hash", "abc", 17, 1)?.toString("hex")).toBe(hash);
  });

  test.each([
    ['"alice@example.com"', '"****"'],
    ['{"a": [1, "x"]}', '"****"'],
    ["4242424242424242", '"****"'],
    ["null", '"****"'],
    ["not json", '"****"'],
  ])("of type json or jsonb is a JSON string: %s", (value, masked) => {
    expect(mask("full", value, 114)?.toString()).toBe(masked);
    expect(mask("full", value, 3802)?.toString()).toBe(masked);
    expect(mask("full", `\x01${value}`, 3802, 1)?.toString()).toBe(`\x01${masked}`);
    for (const style of ["partial", "hash", "format-preserving"] as const)
      expect(typeof JSON.parse(mask(style, value, 114)?.toString() ?? "")).toBe("string");
  });
});

describe("an array of a masked column", () => {
  const element = fc.option(fc.string({ unit: "binary", maxLength: 12 }), { nil: undefined });

  test("keeps its dimensions and its NULLs, and masks each element, in binary", () => {
    fc.assert(
      fc.property(fc.array(element, { maxLength: 6 }), (elements) => {
        const bytes = binaryArray(
          25,
          elements.map((value) => (value === undefined ? undefined : Buffer.from(value))),
        );
        const right = binaryArray(
          25,
          elements.map((value) => (value === undefined ? undefined : Buffer.from("****"))),
        );
        expect(mask("full", bytes, 1009, 1)).toEqual(right);
      }),
    );
  });

  test.each([
    ["{}", "{}"],
    ["{a,NULL,b}", "{****,NULL,****}"],
    ['{"NULL",""}', "{****,****}"],
    ['{"a\\"}{,",b}', "{****,****}"],
    ["{{a,b},{c,d}}", "{{****,****},{****,****}}"],
    ["[0:1]={a,b}", "[0:1]={****,****}"],
    ["[1:1][-2:-1]={{a,b}}", "[1:1][-2:-1]={{****,****}}"],
  ])("keeps its shape in text: %s", (value, masked) => {
    expect(mask("full", value, 1009)?.toString()).toBe(masked);
  });

  test("quotes what must be quoted, and unquotes what was", () => {
    expect(mask("partial", '{"123456\\\\\\" ,"}', 1009)?.toString()).toBe('{"****\\\\\\" ,"}');
  });

  test("of types without a mask is an array of NULLs", () => {
    expect(mask("full", "{1,2}", 1007)?.toString()).toBe("{NULL,NULL}");
    expect(mask("full", "{2026-01-01}", 1182)?.toString()).toBe("{NULL}");
    const masked = mask("full", binaryArray(23, [int4(1), int4(2)]), 1007, 1) ?? Buffer.alloc(0);
    expect(masked).toEqual(binaryArray(23, [undefined, undefined]));
    expect(binaryValue(1007, masked)).toBe("{NULL,NULL}");
  });

  test("and a record that nothing is changed in are the identical Buffers", () => {
    const same = (value: Buffer) => value;
    const array = binaryArray(25, [Buffer.from("a"), undefined, Buffer.alloc(0)]);
    const record = binaryRecord([
      [25, Buffer.from("a")],
      [23, undefined],
    ]);
    const text = Buffer.from('{"a b",NULL,{c}}');
    expect(rewriteBinaryArray(array, same)).toBe(array);
    expect(rewriteBinaryRecord(record, same)).toBe(record);
    expect(rewriteArrayText(text, 25, same)).toBe(text);
  });

  test("never makes the reader throw or run on, whatever the bytes", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 80 }),
        fc.constantFrom(1009, 1007, 2249, 2287, 3802, 114, 17),
        (bytes, type) => {
          for (const format of [0, 1] as const) mask("full", Buffer.from(bytes), type, format);
        },
      ),
      { numRuns: 2_000 },
    );
    const huge = Buffer.concat([
      int4(6),
      int4(0),
      int4(25),
      ...Array.from({ length: 6 }, () => [int4(2 ** 30), int4(1)]).flat(),
    ]);
    expect(mask("full", huge, 1009, 1)).toBeUndefined();
  });
});

describe("a record of a masked column", () => {
  test("masks each field by its own type, in binary", () => {
    const record = binaryRecord([
      [25, Buffer.from("alice")],
      [23, int4(7)],
      [25, undefined],
      [1009, binaryArray(25, [Buffer.from("x")])],
    ]);
    expect(mask("full", record, 2249, 1)).toEqual(
      binaryRecord([
        [25, Buffer.from("****")],
        [23, undefined],
        [25, undefined],
        [1009, binaryArray(25, [Buffer.from("****")])],
      ]),
    );
  });

  test.each([
    ["(1,alice,)", "(,,)"],
    ['("a,b","(x)")', "(,)"],
    ['("a""b\\"c",d)', "(,)"],
    ["()", "()"],
  ])("has as many NULLs in text, where its fields' types are not told: %s", (value, masked) => {
    expect(mask("full", value, 2249)?.toString()).toBe(masked);
  });

  test("within records within records ends as NULL, not as an overflow", () => {
    let record: Buffer = Buffer.from("secret");
    let type = 25;
    for (let depth = 0; depth < 60; depth++) {
      record = binaryRecord([[type, record]]);
      type = 2249;
    }
    expect(mask("full", record, 2249, 1)?.includes("secret")).toBe(false);
  });
});
