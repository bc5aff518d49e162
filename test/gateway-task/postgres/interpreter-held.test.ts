import { serialize } from "pg-protocol/dist/serializer.js";
import { describe, expect, test } from "vitest";
import { FORGOTTEN, type SessionEvent } from "../../../core/recording/events.ts";
import { postgresInterpreter } from "../../../gateway-task/postgres/interpreter.ts";
import { message, server } from "./interpreter-kit.ts";

const MANY = 10_000;
const call = message("F", Buffer.alloc(4));
const long = (n: number): string => `${n}`.padEnd(900, "x");

/** Messages that nobody answers, and the least that each takes. */
const GREEDY: readonly (readonly [string, (n: number) => Buffer, number])[] = [
  ["Sync", () => serialize.sync(), 40],
  ["Execute", () => serialize.execute({}), 160],
  ["Execute of long names", (n) => serialize.execute({ portal: long(n) }), 1_000],
  ["Describe of long names", (n) => serialize.describe({ type: "S", name: long(n) }), 900],
  ["Close", () => serialize.close({ type: "S", name: "s" }), 50],
  ["Bind", () => serialize.bind({ values: ["x".repeat(500)] }), 700],
  ["Parse", (n) => serialize.parse({ text: long(n) }), 1_000],
  ["Parse of many types", () => serialize.parse({ text: "", types: Array.from({ length: 500 }, () => 23) }), 4_000],
  ["Query", (n) => serialize.query(long(n)), 1_000],
  ["FunctionCall", () => call, 160],
];

function started() {
  const events: SessionEvent[] = [];
  const interpreter = postgresInterpreter((event) => void events.push(event));
  interpreter.output(server.greeting(), 0, 0);
  return { interpreter, events };
}

describe("what postgresInterpreter holds", () => {
  test.each(GREEDY)("counts unanswered messages with what they take: %s", (_, make, least) => {
    const { interpreter } = started();
    expect(interpreter.held).toBe(0);
    for (let n = 0; n < MANY; n++) interpreter.input(make(n), 0, 0);
    expect(interpreter.held / MANY).toBeGreaterThanOrEqual(least);
    interpreter.finish(0);
    expect(interpreter.held).toBe(0);
  });

  test("counts what is prepared, with its types and columns, until it is closed", () => {
    const { interpreter } = started();
    const { parsed, parameters, columns, ready, closed } = server;
    const types = Array.from({ length: 1_000 }, () => 23);
    interpreter.input(serialize.parse({ name: "s", text: "select", types }), 0, 0);
    interpreter.input(serialize.describe({ type: "S", name: "s" }), 0, 0);
    interpreter.input(serialize.sync(), 0, 0);
    interpreter.output(Buffer.concat([parsed()]), 0, 0);
    expect(interpreter.held).toBeGreaterThan(8_000);
    interpreter.output(Buffer.concat([parameters(), columns(["a", 25], ["b", 25]), ready()]), 0, 0);
    expect(interpreter.held).toBeGreaterThan(256);
    interpreter.input(Buffer.concat([serialize.close({ type: "S", name: "s" }), serialize.sync()]), 0, 0);
    interpreter.output(Buffer.concat([closed(), ready()]), 0, 0);
    expect(interpreter.held).toBe(0);
  });

  test("is let go at once when it is told to forget: what was asked is told as unknown, and the record says why", () => {
    const { interpreter, events } = started();
    interpreter.input(serialize.query("select 1"), 0, 0);
    interpreter.input(serialize.parse({ name: "s", text: "select 2" }), 0, 0);
    interpreter.forget(7);
    expect(interpreter.held).toBe(0);
    expect(events).toMatchObject([FORGOTTEN, { type: "statement", text: "select 1", outcome: "unknown" }]);
    interpreter.input(serialize.query("select 3"), 8, 0);
    interpreter.output(Buffer.concat([server.complete("SELECT 1"), server.ready()]), 9, 0);
    interpreter.finish(10);
    expect(events.slice(2)).toMatchObject([{ text: "select 3", outcome: "unknown" }]);
  });
});
