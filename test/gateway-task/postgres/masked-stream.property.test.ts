import fc from "fast-check";
import { serialize } from "pg-protocol/dist/serializer.js";
import { beforeAll, describe, expect, test } from "vitest";
import { parseMasking } from "../../../core/masking/config.ts";
import { loadSqlParser } from "../../../core/policy/sql-parser.ts";
import { Catalog } from "../../../gateway-task/postgres/masking/catalog.ts";
import type { CatalogRows } from "../../../gateway-task/postgres/masking/catalog-rows.ts";
import { StreamMasker } from "../../../gateway-task/postgres/masking/stream-masker.ts";
import {
  commandComplete,
  copyData,
  copyOutResponse,
  dataRow,
  errorResponse,
  message,
  readyForQuery,
} from "../../setup/backend-bytes.ts";

const RULES = {
  columns: [{ name: "emails", columns: ["customers.email"], style: "hash" }],
  detectors: [{ name: "found", detect: "email", style: "partial" }],
};
const ROWS: CatalogRows = [
  [
    [
      70_000,
      "public",
      "customers",
      "r",
      [
        [1, "id", 23, false],
        [2, "email", 25, false],
        [3, "note", 25, false],
      ],
    ],
  ],
  [],
  [],
  [],
  [],
];
const column = (name: string, attribute: number, type: number): Buffer => {
  const tail = Buffer.alloc(18);
  tail.writeUInt32BE(attribute === 0 ? 0 : 70_000, 0);
  tail.writeUInt16BE(attribute, 4);
  tail.writeUInt32BE(type, 6);
  return Buffer.concat([Buffer.from(`${name}\0`), tail]);
};
const described = message("T", Buffer.from([0, 3]), column("id", 1, 23), column("e", 2, 25), column("l", 0, 25));
const ASKED = [
  serialize.query("select id, email as e, lower(email) as l from customers"),
  serialize.query("copy customers to stdout (format csv)"),
  serialize.query("select email::int from customers"),
];
const ANSWERED = Buffer.concat([
  described,
  ...Array.from({ length: 5 }, (_, n) => dataRow(String(n), `canary${n}@canary.example`, n === 3 ? null : "canary")),
  commandComplete("SELECT 5"),
  readyForQuery(),
  copyOutResponse(false),
  copyData('1,canary1@canary.example,"a ""note""\n of two lines"\n2,"canary, 2",'),
  copyData("write to canary@canary.example\n3,,x\n"),
  copyData("4,canary,x\n"),
  message("c"),
  commandComplete("COPY 4"),
  readyForQuery(),
  errorResponse("22P02", 'invalid input syntax for type integer: "canary"'),
  readyForQuery(),
]);

beforeAll(() => loadSqlParser());

async function masked(pieces: readonly Buffer[]): Promise<{ forward: Buffer; counts: unknown }> {
  const masking = parseMasking(RULES, Buffer.alloc(32, 1)).forConnection("shop", "test");
  const catalog = new Catalog(masking, () => 0);
  const masker = new StreamMasker({ masking, unmasked: false, catalog, ask: async () => ROWS });
  await masker.open();
  for (const asked of ASKED) masker.asked(asked);
  const shown: Buffer[] = [];
  for (const piece of pieces) {
    const buffer = Buffer.from(piece);
    const { forward } = await masker.push(buffer);
    shown.push(Buffer.from(forward));
    buffer.fill(0x58); // its owner reads into it again
  }
  return { forward: Buffer.concat(shown), counts: masker.takeCounts() };
}

/** The data of all CopyData messages in a stream. */
function copied(bytes: Buffer): string {
  let data = "";
  for (let at = 0; at < bytes.length; at += 1 + bytes.readUInt32BE(at + 1))
    if (bytes[at] === 0x64) data += bytes.toString("latin1", at + 5, at + 1 + bytes.readUInt32BE(at + 1));
  return data;
}

describe("a masked stream", () => {
  test("is the same however its bytes are cut, holds no masked value, and stays well-formed", async () => {
    const expected = await masked([ANSWERED]);
    const text = expected.forward.toString("latin1");
    expect(text).not.toContain("canary");
    expect(text).toContain('"a ""note""\n of two lines"\n');
    expect(expected.counts).toEqual({ emails: 5 + 4 + 3 + 1, found: 1 });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(ANSWERED.length), { maxLength: 40 }), async (cuts) => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), ANSWERED.length];
        const pieces = at.slice(1).map((end, n) => ANSWERED.subarray(at[n], end));
        expect(await masked(pieces)).toEqual(expected);
      }),
      { numRuns: 60 },
    );
    expect(await masked([...ANSWERED].map((byte) => Buffer.of(byte)))).toEqual(expected);
  });

  test("has room for what is longer than before, however many values that are", async () => {
    // Wherever in a value the room that was taken at first ends.
    for (let length = 250; length < 310; length++) {
      const rowsOf = (email: string, last: string): Buffer[] =>
        Array.from({ length }, (_, n) => dataRow(String(n), email, last));
      const { forward, counts } = await masked([Buffer.concat([described, ...rowsOf("z", "x")])]);
      const hash = /[0-9a-f]{32}/.exec(forward.toString("latin1"))?.[0] ?? "";
      expect(forward.equals(Buffer.concat([described, ...rowsOf(hash, "****")])), String(length)).toBe(true);
      expect(counts).toEqual({ emails: 2 * length });
    }
  });

  test("ends where a row is not well-formed: nothing of it passes", async () => {
    const broken = dataRow("1", "canary", "canary");
    broken.writeInt32BE(900, 7);
    await expect(masked([described, broken])).rejects.toMatchObject({ code: "protocol-violation" });
  });

  test("of a COPY masks rows whole that have another number of fields than is known of", async () => {
    const masking = parseMasking(RULES, Buffer.alloc(32, 1)).forConnection("shop", "test");
    const others: CatalogRows = [[[70_001, "public", "others", "r", [[1, "id", 23, false]]]], [], [], [], []];
    const masker = new StreamMasker({
      masking,
      unmasked: false,
      catalog: new Catalog(masking, () => 0),
      ask: async () => others,
    });
    await masker.open();
    masker.asked(serialize.query("copy others to stdout"));
    const rows = ["7\n", "8\tcanary\n", "9\n", "\n"].map((row) => copyData(row));
    const { forward } = await masker.push(Buffer.concat([copyOutResponse(false), ...rows, message("c")]));
    expect(copied(forward)).toBe("7\n\\N\t\\N\n9\n\n");
    expect(masker.takeCounts()).toEqual({ unresolved: 2 });
  });

  test("of a COPY shows each row as it is, or what becomes of its values, however rows and messages are cut", async () => {
    const detectors = [{ name: "found", detect: "email", style: "full" }];
    const masking = parseMasking({ detectors }, Buffer.alloc(32, 1)).forConnection("shop", "test");
    // As a value is written in text and in CSV; and as what it then becomes is.
    const values = {
      text: [
        ["plain", "plain"],
        ["", ""],
        ["a@example.com", "****"],
        ["a\\100example.com", "****"],
        ["two\\nlines", "two\\nlines"],
        ["\\\\", "\\\\"],
        ["0cc175b9c0f1b6a831c399e269772661 ".repeat(20), undefined],
      ],
      csv: [
        ["plain", "plain"],
        ["", ""],
        ["a@example.com", "****"],
        ['"b@example.com, ""x"""', '"****, ""x"""'],
        ['"two\nlines"', '"two\nlines"'],
        ['"x""y"', '"x""y"'],
        ["0cc175b9c0f1b6a831c399e269772661 ".repeat(20), undefined],
      ],
    } as const;
    for (const format of ["text", "csv"] as const) {
      const delimiter = format === "csv" ? "," : "\t";
      const value = fc.constantFrom(...values[format]);
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(value, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 40 }),
          fc.array(fc.nat(2_000), { maxLength: 3 }),
          fc.boolean(),
          fc.boolean(),
          async (rows, cuts, apart, header) => {
            const line = (row: (typeof rows)[number], becomes: 0 | 1) =>
              `${row.map((written) => written[becomes] ?? written[0]).join(delimiter)}\n`;
            const names = header ? "customer\n" : "";
            const all = names + rows.map((row) => line(row, 0)).join("");
            const at = [0, ...cuts.filter((cut) => cut < all.length).toSorted((a, b) => a - b), all.length];
            const pieces = apart
              ? [names, ...rows.map((row) => line(row, 0))]
              : at.slice(1).map((end, n) => all.slice(at[n], end));
            const masker = new StreamMasker({ masking, unmasked: false, catalog: undefined, ask: async () => ROWS });
            masker.asked(serialize.query(`copy customers to stdout (format ${format}, header ${header})`));
            const sent = Buffer.concat([copyOutResponse(false), ...pieces.map(copyData), message("c")]);
            const { forward } = await masker.push(sent);
            expect(copied(forward)).toBe(names + rows.map((row) => line(row, 1)).join(""));
            const { found } = masker.takeCounts() ?? {};
            expect(found ?? 0).toBe(rows.flat().filter(([, becomes]) => becomes?.includes("****")).length);
          },
        ),
        { numRuns: 200 },
      );
    }
  });

  test("of a COPY hides what is found in a field, however it is written there", async () => {
    const detectors = [{ name: "found", detect: "email", style: "full" }];
    const masking = parseMasking({ detectors }, Buffer.alloc(32, 1)).forConnection("shop", "test");
    for (const [options, written, shown] of [
      ["", "plain\ta@example.com\t\\N", "plain\t****\t\\N"],
      ["", "a\\100example.com", "****"],
      ["", "\\\\\ta\\x40example.com\tb@example.com", "\\\\\t****\t****"],
      ["(format csv)", 'plain,a@example.com,"x"', 'plain,****,"x"'],
      ["(format csv)", 'x,"a b, c@example.com"', 'x,"a b, ****"'],
      ["(format csv)", 'a"@"example.com', '"****"'],
    ] as const) {
      const ask = async () => ROWS;
      const masker = new StreamMasker({ masking, unmasked: false, catalog: undefined, ask });
      masker.asked(serialize.query(`copy customers to stdout ${options}`));
      const sent = Buffer.concat([copyOutResponse(false), copyData(`${written}\n`)]);
      const { forward } = await masker.push(sent);
      expect(forward).toEqual(Buffer.concat([copyOutResponse(false), copyData(`${shown}\n`)]));
    }
  });
});
