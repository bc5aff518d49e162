import { serialize } from "pg-protocol/dist/serializer.js";
import { describe, expect, test } from "vitest";
import { postgresInterpreter } from "../../../gateway-task/postgres/interpreter.ts";
import { ChunkBody } from "../../../gateway-task/recorder/chunk-body.ts";
import { writeEvent } from "../../../gateway-task/recorder/event-json.ts";
import { answer, ask, interpret, message, server, statements, u32, type Step } from "./interpreter-kit.ts";

/** One packer serves all sessions: what a client makes it write must bear some proportion to what crossed the wire. */
const MAX_FACTOR = 500;

const repeated = (count: number, ...bytes: readonly Buffer[]): Buffer => {
  const one = Buffer.concat(bytes);
  return Buffer.alloc(count * one.length, one);
};
const long = "1".repeat(60_000);
const executed = (count: number, statement: string): Buffer =>
  repeated(count, serialize.bind({ statement }), serialize.execute());
const columns = Array.from({ length: 1_600 }, (_, index) => [`${"c".repeat(50)}${index}`, 25] as const);
/** numeric_send of a zero with so many decimal places. */
const zeros = (scale: number): Buffer => Buffer.from([0, 0, 0, 0, 0, 0, scale >> 8, scale & 0xff]);
const bindNumerics = message(
  "B",
  Buffer.from("\0s\0"),
  Buffer.from([0, 1, 0, 1, 1000 >> 8, 1000 & 0xff]),
  repeated(1000, u32(8), zeros(4_000)),
  Buffer.from([0, 0]),
);
const numerics = Array.from({ length: 1_000 }, () => 1700);

const GREEDY: Readonly<Record<string, readonly Step[]>> = {
  "a query of thousands of statements": [
    ask(serialize.query("set a.b=1;".repeat(6_500))),
    answer(repeated(6_500, server.complete("SET")), server.ready()),
  ],
  "control characters in it": [
    ask(serialize.query(`${"\u0001".repeat(50_000)}${";".repeat(9_000)}`)),
    answer(repeated(9_000, server.complete("SET")), server.ready()),
  ],
  "a long prepared statement that is executed again and again": [
    ask(serialize.parse({ name: "s", text: `select ${long}` }), executed(4_800, "s"), serialize.sync()),
    answer(server.parsed(), repeated(4_800, server.bound(), server.complete("SELECT 0")), server.ready()),
  ],
  "the same, unanswered": [ask(serialize.parse({ name: "s", text: `select ${long}` }), executed(4_800, "s"))],
  "wide results without rows": [
    ask(
      serialize.parse({ name: "s", text: "select" }),
      serialize.describe({ type: "S", name: "s" }),
      executed(4_800, "s"),
      serialize.sync(),
    ),
    answer(
      server.parsed(),
      server.parameters(),
      server.columns(...columns),
      repeated(4_800, server.bound(), server.complete("SELECT 0")),
      server.ready(),
    ),
  ],
  "numbers of thousands of zeros": [
    ask(serialize.parse({ name: "s", text: "select", types: numerics }), bindNumerics, serialize.execute()),
    answer(server.parsed(), server.bound(), server.complete("SELECT 0"), server.ready()),
  ],
};

describe("postgresInterpreter on input that asks for much more output", () => {
  test.each(Object.entries(GREEDY))("keeps it in proportion: %s", (_, steps) => {
    let written = 0;
    let largest = 0;
    const interpreter = postgresInterpreter((event) => {
      const body = new ChunkBody();
      writeEvent(body, event);
      const { length } = body;
      written += length;
      largest = Math.max(largest, length);
    });
    for (const { to, bytes } of [answer(server.greeting()), ...steps])
      if (to === "server") interpreter.input(bytes, 0, 0);
      else interpreter.output(bytes, 0, 0);
    interpreter.finish(0);
    const wire = steps.reduce((sum, { bytes }) => sum + bytes.length, 0);
    expect(written / wire).toBeLessThan(MAX_FACTOR);
    expect(largest).toBeLessThanOrEqual(1 << 20);
  });

  test("tells a long text whole once, then its beginning and how long it is", () => {
    const text = `select ${long}`;
    const events = statements(
      interpret([
        answer(server.greeting()),
        ask(serialize.parse({ name: "s", text }), executed(2, "s"), serialize.sync()),
        answer(server.parsed(), repeated(2, server.bound(), server.complete("SELECT 0")), server.ready()),
        ask(serialize.query(`${text};${text}`)),
        answer(repeated(2, server.complete("SELECT 0")), server.ready()),
      ]),
    );
    expect(events.map((event) => [event.text.length, event.bytes])).toEqual([
      [text.length, undefined],
      [1_024, text.length],
      [1 << 16, 2 * text.length + 1],
      [1_024, 2 * text.length + 1],
    ]);
    for (const event of events) expect(text.slice(0, 1_024)).toBe(event.text.slice(0, 1_024));
  });

  test("tells a text of a page whole each time, and columns wherever there are rows", () => {
    const text = "x".repeat(4_000);
    const wide = columns.slice(0, 20);
    const values = wide.map(() => "v");
    const events = statements(
      interpret([
        answer(server.greeting()),
        ask(
          serialize.parse({ name: "s", text }),
          serialize.describe({ type: "S", name: "s" }),
          executed(3, "s"),
          serialize.sync(),
        ),
        answer(server.parsed(), server.parameters(), server.columns(...wide)),
        answer(server.bound(), server.complete("SELECT 0"), server.bound(), server.row(...values)),
        answer(server.complete("SELECT 1"), server.bound(), server.complete("SELECT 0"), server.ready()),
      ]),
    );
    expect(events.map((event) => [event.text, event.columns?.length])).toEqual([
      [text, 20],
      [text, 20],
      [text, undefined],
    ]);
  });

  test("passes over any number of Syncs within a COPY without going through what waits behind them", () => {
    const one = [serialize.query("copy t from stdin"), serialize.sync(), message("c")];
    const events = interpret([
      answer(server.greeting()),
      ask(serialize.query("copy t from stdin"), repeated(100_000, serialize.sync()), message("c")),
      ask(repeated(40_000, ...one)),
      answer(repeated(40_001, server.copyIn(), server.complete("COPY 0"), server.ready())),
    ]);
    expect(new Set(statements(events).map(({ outcome }) => outcome))).toEqual(new Set(["completed"]));
    expect(events).toHaveLength(40_001);
  }, 10_000);
});
