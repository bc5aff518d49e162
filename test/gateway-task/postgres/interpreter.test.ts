import * as fc from "fast-check";
import { serialize } from "pg-protocol/dist/serializer.js";
import { describe, expect, test } from "vitest";
import { FLAG_REDACTED } from "../../../core/recording/frame.ts";
import { CONVERSATIONS } from "./interpreter-conversations.ts";
import { answer, ask, interpret, recut, server, timeless } from "./interpreter-kit.ts";

describe("postgresInterpreter", () => {
  for (const { promise, steps, events } of CONVERSATIONS)
    test(promise, () => {
      const told = interpret(steps);
      expect(told).toHaveLength(events.length);
      for (const [index, event] of events.entries())
        for (const [key, value] of Object.entries(event))
          if (value === undefined) expect(told[index]).not.toHaveProperty(key);
          else expect(told[index]).toHaveProperty(key, value);
    });

  test("tells when a statement was asked and how long its last reply took", () => {
    const steps = [
      answer(server.greeting()),
      ask(serialize.query("a")),
      answer(server.row("1")),
      answer(server.complete("A"), server.ready()),
    ];
    expect(interpret(steps)).toMatchObject([{ askedAt: 1, duration: 2 }]);
  });
});

describe("postgresInterpreter at the edges of pieces", () => {
  test("a statement is redacted if one of the pieces that it came in is", () => {
    const bytes = serialize.query("alter role a password '[redacted]'");
    for (let cut = 1; cut < bytes.length; cut++)
      for (const flagged of [0, 1]) {
        const pieces = [bytes.subarray(0, cut), bytes.subarray(cut)].map((piece, i) => ({
          ...ask(piece),
          flags: i === flagged ? FLAG_REDACTED : 0,
        }));
        const steps = [answer(server.greeting()), ...pieces, answer(server.complete("ALTER ROLE"), server.ready())];
        expect(interpret(steps)).toMatchObject([{ redacted: true }]);
      }
  });

  test("the server's first ReadyForQuery answers nothing, even if a query came before it", () => {
    const steps = [ask(serialize.query("a")), answer(server.greeting()), answer(server.complete("A"), server.ready())];
    expect(interpret(steps)).toMatchObject([{ text: "a", outcome: "completed" }]);
  });
});

describe("postgresInterpreter, whatever the pieces", () => {
  test("the same bytes yield the same events when they come one by one", () => {
    for (const { steps } of CONVERSATIONS) {
      if (steps.some((step) => step.bytes.length > 10_000)) continue;
      const single = steps.flatMap((step) =>
        Array.from(step.bytes, (_, i) => ({ ...step, bytes: step.bytes.subarray(i, i + 1) })),
      );
      expect(timeless(interpret(single))).toEqual(timeless(interpret(steps)));
    }
  });

  test("the same bytes yield the same events when they are cut anywhere", () => {
    const cuts = fc.array(fc.nat(100_000), { maxLength: 8 });
    fc.assert(
      fc.property(fc.constantFrom(...CONVERSATIONS), cuts, ({ steps }, where) => {
        expect(timeless(interpret(recut(steps, where)))).toEqual(timeless(interpret(steps)));
      }),
      { numRuns: 500 },
    );
  });

  test("conversations one after the other are told as each alone", () => {
    const told = CONVERSATIONS.filter(({ promise }) => !promise.includes("connection") && !promise.includes("cut off"));
    fc.assert(
      fc.property(fc.shuffledSubarray([...told]), (order) => {
        const joined = interpret([answer(server.greeting()), ...order.flatMap(({ steps }) => steps.slice(1))]);
        const alone = order.flatMap(({ steps }) => interpret(steps));
        const bare = (events: typeof joined): unknown[] =>
          timeless(events).map((event) => ({ ...(event as object), number: 0, output: [] }));
        expect(bare(joined)).toEqual(bare(alone));
      }),
      { numRuns: 50 },
    );
  });
});
