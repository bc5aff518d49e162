import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { StatementEvent } from "../../../core/recording/events.ts";
import { type Cell, MAX_VALUE_BYTES } from "../../../functions/replay/cells.ts";
import { decodeResults } from "../../../functions/replay/results.ts";
import {
  commandComplete,
  copyData,
  copyOutResponse,
  dataRow,
  errorResponse,
  message,
  readyForQuery,
  rowDescription,
} from "../../setup/backend-bytes.ts";
import { statement } from "../../setup/make-recording.ts";

const ID = { name: "id", type: 23 };
const NAME = { name: "name", type: 25 };

const decode = (bytes: readonly Buffer[], over: Partial<StatementEvent> = {}, maxRows = 1_000) => {
  const all = Buffer.concat(bytes);
  return decodeResults(all, statement({ output: [0, all.length], ...over }), maxRows);
};
const rowsOf = (...decoded: Parameters<typeof decode>): (readonly Cell[])[] =>
  decode(...decoded).results.flatMap(({ rows }) => rows);

describe("the results of a statement", () => {
  it("are the rows that the client saw, under their columns", () => {
    const replies = [
      rowDescription(ID, NAME),
      dataRow("1", "Ana"),
      dataRow("2", null),
      dataRow("3", ""),
      commandComplete("SELECT 3"),
      readyForQuery(),
    ];
    expect(decode(replies)).toEqual({
      results: [
        {
          kind: "rows",
          columns: [
            { name: "id", type: 23, typeName: "int4", format: "text" },
            { name: "name", type: 25, typeName: "text", format: "text" },
          ],
          rows: [
            ["1", "Ana"],
            ["2", null],
            ["3", ""],
          ],
          tag: "SELECT 3",
          error: undefined,
        },
      ],
      incomplete: undefined,
    });
  });

  it("are as many as a query had, those without rows too, and the error that ended it", () => {
    const replies = [
      rowDescription(ID),
      commandComplete("SELECT 0"),
      commandComplete("INSERT 0 1"),
      rowDescription(NAME),
      dataRow("x"),
      errorResponse("22012", "division by zero"),
      readyForQuery(),
    ];
    const { results } = decode(replies);
    expect(results.map(({ rows, tag, error }) => [rows.length, tag, error])).toEqual([
      [0, "SELECT 0", undefined],
      [1, undefined, "22012: division by zero"],
    ]);
  });

  it("take their columns from the event where the replies describe none, or name them by number", () => {
    const columns = [
      { name: "id", type: 23, format: 0 as const },
      { name: "raw", type: 17, format: 1 as const },
    ];
    const replies = [message("2"), dataRow("7", Buffer.from([0, 255])), commandComplete("SELECT 1")];
    const { results } = decode(replies, { columns });
    expect(results[0]?.columns.map(({ name, format }) => [name, format])).toEqual([
      ["id", "text"],
      ["raw", "binary"],
    ]);
    expect(results[0]?.rows).toEqual([["7", "\\x00ff"]]);
    const [nameless] = decode(replies).results;
    expect(nameless?.columns.map(({ name }) => name)).toEqual(["column 1", "column 2"]);
  });

  it("believe the event where Describe could not know the format that Bind asked for", () => {
    const columns = [{ name: "id", type: 23, format: 1 as const }];
    expect(rowsOf([rowDescription(ID), dataRow(Buffer.from([0, 0, 0, 65]))], { columns })).toEqual([["\\x00000041"]]);
    expect(rowsOf([rowDescription({ ...ID, format: 1 }), dataRow("A")])).toEqual([["\\x41"]]);
  });

  it("show a value that is not UTF-8 in hex, and cut one that is too large without breaking a character", () => {
    const large = "é".repeat(MAX_VALUE_BYTES);
    const odd = `x${large}`;
    const [latin1, even, cut, hex] =
      rowsOf([dataRow(Buffer.from("Jos\xe9", "latin1"), large, odd, Buffer.alloc(100_000, 0xff))])[0] ?? [];
    expect(latin1).toBe("\\x4a6f73e9");
    expect(even).toEqual({ cut: "é".repeat(MAX_VALUE_BYTES / 2), bytes: 2 * MAX_VALUE_BYTES });
    expect(cut).toEqual({ cut: `x${"é".repeat(MAX_VALUE_BYTES / 2 - 1)}`, bytes: 2 * MAX_VALUE_BYTES + 1 });
    expect(hex).toEqual({ cut: `\\x${"ff".repeat(MAX_VALUE_BYTES)}`, bytes: 100_000 });
    expect(rowsOf([dataRow("a".repeat(MAX_VALUE_BYTES))])[0]?.[0]).toBe("a".repeat(MAX_VALUE_BYTES));
  });

  it("include what was copied out, as text or in hex", () => {
    const text = [
      copyOutResponse(false),
      copyData("1\tAna\n"),
      copyData("2\t\\N\n"),
      message("c"),
      commandComplete("COPY 2"),
    ];
    expect(decode(text).results).toMatchObject([
      { kind: "copy-out", rows: [["1\tAna\n"], ["2\t\\N\n"]], tag: "COPY 2" },
    ]);
    expect(rowsOf([copyOutResponse(true), copyData("PGCOPY")])).toEqual([["\\x5047434f5059"]]);
  });

  it("say that there are more than were asked for, and not when there are just as many", () => {
    const replies = [rowDescription(ID), dataRow("1"), dataRow("2"), dataRow("3"), commandComplete("SELECT 3")];
    expect(rowsOf(replies, {}, 2)).toEqual([["1"], ["2"]]);
    expect(decode(replies, {}, 2).incomplete).toBe("only the first 2 rows were decoded");
    expect(decode(replies, {}, 3).incomplete).toBeUndefined();
    const copies = [copyOutResponse(false), copyData("1"), copyData("2"), commandComplete("COPY 2")];
    expect(decode(copies, {}, 1).incomplete).toBe("only the first 1 rows were decoded");
  });

  it("say that their replies were cut, wherever, and give the whole rows before it", () => {
    const whole = Buffer.concat([rowDescription(ID), dataRow("1"), dataRow("2"), commandComplete("SELECT 2")]);
    for (let length = 0; length < whole.length; length++) {
      const { results, incomplete } = decodeResults(
        whole.subarray(0, length),
        statement({ output: [0, whole.length] }),
        9,
      );
      expect(incomplete).toContain("only the first");
      for (const [n, row] of (results[0]?.rows ?? []).entries()) expect(row).toEqual([String(n + 1)]);
    }
  });

  it("never fail on bytes, whatever they are", () => {
    const tag = fc.constantFrom(...Array.from("TDHdCEIsZ12nSNA\0"));
    const noise = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
    const framed = fc.tuple(tag, noise).map(([letter, body]) => message(letter, body));
    const wrong = fc.constantFrom(
      Buffer.from("D\0\0\0\0"),
      Buffer.from("T\xff\xff\xff\xff", "latin1"),
      message("T", Buffer.from([255, 255])),
      message("D", Buffer.from([0, 1, 255, 255, 255, 254])),
      message("D", Buffer.from([0, 1, 127, 255, 255, 255])),
      dataRow("1"),
      rowDescription(ID),
      copyOutResponse(false),
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(framed, wrong, noise), { maxLength: 8 }), (parts) => {
        const { results } = decode(parts, {}, 5);
        expect(results.reduce((sum, { rows }) => sum + rows.length, 0)).toBeLessThanOrEqual(5);
      }),
      { numRuns: 2_000 },
    );
  });

  it("stop at what is no message of a server's, and say so", () => {
    const not = "what was recorded here is not what a PostgreSQL server sends";
    const hostile = [
      message("T", Buffer.from([0, 9, 65])),
      message("D", Buffer.from([0, 2, 0, 0, 0, 0])),
      message("D", Buffer.from([255, 255])),
      message("D", Buffer.from([0, 0, 1])),
      message("E", "Sno end"),
      message("T", Buffer.alloc((1 << 20) + 1)),
      message("E", ""),
      message("C", ""),
      message("C", "SELECT 1"),
      message("C", "SELECT\0 1\0"),
    ];
    for (const bytes of hostile) expect(decode([rowDescription(ID), dataRow("1"), bytes]).incomplete).toBe(not);
  });

  it("stay few, however many were forged", () => {
    const { results, incomplete } = decode([Buffer.concat(Array.from({ length: 5_000 }, () => rowDescription()))]);
    expect(results).toHaveLength(1_000);
    expect(incomplete).toContain("1000 results");
  });
});
