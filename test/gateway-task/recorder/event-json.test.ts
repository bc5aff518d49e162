import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { StatementEvent } from "../../../core/recording/events.ts";
import { ChunkBody } from "../../../gateway-task/recorder/chunk-body.ts";
import { writeEvent } from "../../../gateway-task/recorder/event-json.ts";

const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string(),
  fc.constantFrom('"', "\\", "\u2028", "\ud800", "é\0\n", "x".repeat(100)),
);
const count = fc.nat();
const column = fc.record({ name: text, type: count, format: fc.constantFrom(0 as const, 1 as const) });
const parameter = fc.oneof(
  fc.record({ type: count, value: fc.option(text) }),
  fc.record({ type: count, value: text, bytes: count }),
);
const statement = fc.record(
  {
    type: fc.constant("statement" as const),
    number: count,
    via: fc.constantFrom("simple" as const, "extended" as const, "function-call" as const),
    text,
    askedAt: fc.oneof(count, fc.double({ noNaN: true, noDefaultInfinity: true })),
    outcome: fc.constantFrom("completed" as const, "failed" as const, "unknown" as const),
    rows: count,
    bytes: count,
    redacted: fc.boolean(),
    prepared: text,
    portal: text,
    parameters: fc.array(parameter, { maxLength: 4 }),
    parameterCount: count,
    duration: count,
    tag: text,
    sqlstate: text,
    message: text,
    copied: fc.record({ direction: fc.constantFrom("in" as const, "out" as const), bytes: count }),
    columns: fc.array(column, { maxLength: 4 }),
    output: fc.tuple(count, count),
  },
  { requiredKeys: ["type", "number", "via", "text", "askedAt", "outcome", "rows"] },
) as fc.Arbitrary<StatementEvent>;

function written(event: StatementEvent): string {
  const body = new ChunkBody();
  writeEvent(body, event);
  return body.bytes.toString("utf8");
}

describe("an event's JSON", () => {
  it("is the value that JSON.stringify gives, whatever the event holds, the first time and again", () => {
    fc.assert(
      fc.property(statement, (event) => {
        const expected: unknown = JSON.parse(JSON.stringify(event));
        expect(JSON.parse(written(event))).toEqual(expected);
        expect(JSON.parse(written({ ...event, number: 7 }))).toEqual({ ...(expected as object), number: 7 });
      }),
      { numRuns: 500 },
    );
  });

  it("has the fields in the order of the schema, the same bytes for the same event", () => {
    expect(
      written({
        type: "statement",
        via: "extended",
        rows: 1,
        outcome: "completed",
        askedAt: 3_000_000_017,
        duration: 25,
        text: 'select "é"',
        number: 40,
        prepared: "s",
        parameters: [
          { type: 23, value: "5" },
          { type: 0, value: null },
        ],
        output: [0, 999_999_999],
      }),
    ).toBe(
      '{"type":"statement","number":40,"via":"extended","text":"select \\"é\\"","prepared":"s",' +
        '"parameters":[{"type":23,"value":"5"},{"type":0,"value":null}],"askedAt":3000000017,"duration":25,' +
        '"outcome":"completed","rows":1,"output":[0,999999999]}',
    );
  });
});
