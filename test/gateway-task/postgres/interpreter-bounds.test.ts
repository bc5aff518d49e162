import * as fc from "fast-check";
import { serialize } from "pg-protocol/dist/serializer.js";
import { describe, expect, test } from "vitest";
import { postgresInterpreter } from "../../../gateway-task/postgres/interpreter.ts";
import { answer, ask, interpret, message, recut, server, statements, timeless, u32 } from "./interpreter-kit.ts";

describe("postgresInterpreter on what it cannot understand", () => {
  test("throws nothing on arbitrary bytes in both directions, and reports a lost direction once", () => {
    const piece = fc.record({
      to: fc.constantFrom("server" as const, "client" as const),
      bytes: fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc
          .tuple(fc.constantFrom(..."BCdcfDEFHPQSX123tTnCIsENAGHWcVZRKSvD".split("")), fc.uint8Array({ maxLength: 30 }))
          .map(([tag, body]) => message(tag, Buffer.from(body))),
      ),
    });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const lost: string[] = [];
        const interpreter = postgresInterpreter((event) => {
          if (event.type === "error" && event.sqlstate === "08P01") lost.push(event.message.replace(/offset.*/, ""));
        });
        for (const { to, bytes } of pieces)
          if (to === "server") interpreter.input(Buffer.from(bytes), 0, 0);
          else interpreter.output(Buffer.from(bytes), 0, 0);
        interpreter.finish(0);
        expect(lost).toHaveLength(new Set(lost).size);
      }),
      { numRuns: 3000 },
    );
  });

  test.each([
    ["an unknown tag", Buffer.from([0])],
    ["a length of three", Buffer.from([0x44, 0, 0, 0, 3])],
    ["a length over the protocol's bound", message("D").fill(0xff, 1)],
  ])("after %s to the client, statements are still told, with an unknown outcome", (_, bytes) => {
    const steps = [
      answer(server.greeting()),
      ask(serialize.query("a")),
      answer(server.row("1"), bytes),
      ask(serialize.query("b")),
    ];
    expect(interpret([...steps, answer(server.complete("A"), server.ready())])).toMatchObject([
      { type: "error", sqlstate: "08P01" },
      { number: 1, text: "a", outcome: "unknown", rows: 1 },
      { number: 2, text: "b", outcome: "unknown" },
    ]);
  });

  test("after an unknown tag from the client, what was asked before is still told", () => {
    const steps = [
      answer(server.greeting()),
      ask(serialize.query("a"), Buffer.from("?")),
      answer(server.complete("A"), server.ready()),
    ];
    expect(interpret([...steps, ask(serialize.query("b"))])).toMatchObject([
      { type: "error", sqlstate: "08P01" },
      { number: 1, outcome: "completed" },
    ]);
  });

  test("an answer that nobody asked for is passed over, and a ReadyForQuery too early leaves an unknown outcome", () => {
    const { ready, complete, row, bound, parsed, closed, suspended } = server;
    expect(
      interpret([
        answer(server.greeting(), row("1"), complete("X"), bound(), parsed(), closed(), suspended(), ready()),
      ]),
    ).toEqual([]);
    const early = [
      answer(server.greeting()),
      ask(serialize.parse({ text: "a" }), serialize.execute({}), serialize.sync()),
      answer(ready()),
    ];
    expect(interpret([...early, ask(serialize.query("b")), answer(complete("B"), ready())])).toMatchObject([
      { outcome: "unknown" },
      { text: "b", outcome: "completed" },
    ]);
  });
});

describe("postgresInterpreter's bounds", () => {
  test("of a huge Bind it keeps 1,000 parameters, 4 KiB of each, and counts the rest, whatever pieces it comes in", () => {
    const values = Array.from({ length: 5_000 }, (_, i) => (i === 1 ? "y".repeat(1_000_000) : `v${i}`));
    const steps = [
      answer(server.greeting()),
      ask(
        serialize.parse({ name: "s", text: "t" }),
        serialize.bind({ statement: "s", values }),
        serialize.execute({}),
        serialize.sync(),
      ),
      answer(server.parsed(), server.bound(), server.complete("A"), server.ready()),
    ];
    const events = interpret(steps);
    const [event] = statements(events);
    expect(event?.parameters).toHaveLength(1_000);
    expect(event?.parameterCount).toBe(5_000);
    expect(event?.parameters?.slice(0, 3)).toEqual([
      { type: 0, value: "v0" },
      { type: 0, value: "y".repeat(4_096), bytes: 1_000_000 },
      { type: 0, value: "v2" },
    ]);
    for (const cuts of [
      [1, 40, 41, 70_000],
      [500_000, 1_000_100, 1_010_000],
    ])
      expect(timeless(interpret(recut(steps, cuts)))).toEqual(timeless(events));
  });

  test("no event is larger than a frame, even of control characters", () => {
    const nasty = "\u0001".repeat(4_096);
    const names = Array.from({ length: 1_664 }, (_, i): [string, number] => [`${"\u0001".repeat(60)}${i}`, 25]);
    let events = 0;
    const interpreter = postgresInterpreter((event) => {
      events++;
      expect(Buffer.byteLength(JSON.stringify(event))).toBeLessThanOrEqual(1 << 20);
    });
    const values = Array.from({ length: 1_000 }, () => nasty);
    interpreter.output(server.greeting(), 0, 0);
    interpreter.input(
      Buffer.concat([
        serialize.parse({ text: "\u0001".repeat(65_000) }),
        serialize.bind({ values }),
        serialize.describe({ type: "P" }),
        serialize.execute({}),
        serialize.sync(),
      ]),
      0,
      0,
    );
    interpreter.output(
      Buffer.concat([
        server.parsed(),
        server.bound(),
        server.columns(...names),
        server.error("XX000", nasty.repeat(3)),
        server.ready(),
      ]),
      0,
      0,
    );
    expect(events).toBe(1);
  });

  test("of an event too large for a frame the columns go before the parameters, and those before the text", () => {
    const { parse, bind, describe: describing, execute, sync } = serialize;
    const told = (names: number, name: string, values: string[]) => {
      const steps = [
        answer(server.greeting()),
        ask(parse({ text: "t" }), bind({ values }), describing({ type: "P" }), execute({}), sync()),
        answer(
          server.parsed(),
          server.bound(),
          server.columns(...Array.from({ length: names }, (_, i): [string, number] => [`${name}${i}`, 25])),
        ),
        answer(server.complete("SELECT 0"), server.ready()),
      ];
      return statements(interpret(steps))[0];
    };
    expect(told(1_664, "n", ["v"])?.columns).toHaveLength(1_664);
    const wide = told(1_664, "\u0001".repeat(140), ["v"]);
    expect(wide).not.toHaveProperty("columns");
    expect(wide?.parameters).toHaveLength(1);
    expect(
      told(
        1,
        "n",
        Array.from({ length: 32 }, () => "\u0001".repeat(4_096)),
      ),
    ).toMatchObject({ parameters: { length: 32 } });
  });

  test("a client far ahead of its server costs bounded memory, and its statements are still told", () => {
    let unknown = 0;
    const warnings: unknown[] = [];
    const interpreter = postgresInterpreter((event) => {
      if (event.type === "statement" && event.outcome === "unknown") unknown++;
      if (event.type === "error") warnings.push(event.sqlstate);
    });
    interpreter.output(server.greeting(), 0, 0);
    const execute = Buffer.concat(Array.from({ length: 10_000 }, () => serialize.execute({})));
    for (let i = 0; i < 30; i++) interpreter.input(execute, 0, 0);
    interpreter.output(server.complete("A"), 0, 0);
    interpreter.finish(0);
    expect(unknown).toBe(300_000);
    expect(warnings).toEqual(["54000"]);
    expect(interpreter.statements).toBe(300_000);
  });

  test("a streamed value of a gigabyte is hopped over", () => {
    const interpreter = postgresInterpreter((event) => expect(event).toMatchObject({ rows: 2 }));
    interpreter.output(server.greeting(), 0, 0);
    interpreter.input(serialize.query("a"), 0, 0);
    interpreter.output(Buffer.concat([Buffer.from("D"), u32(4 + 900 * (1 << 20))]), 0, 0);
    const piece = Buffer.alloc(1 << 20);
    for (let i = 0; i < 900; i++) interpreter.output(piece, 0, 0);
    interpreter.output(Buffer.concat([server.row("1"), server.complete("A"), server.ready()]), 0, 0);
    expect(interpreter.statements).toBe(1);
  });
});
