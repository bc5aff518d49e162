import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CHANNELS, COMMANDS } from "./conversations.ts";
import { interpret, recut } from "./interpreter-kit.ts";

const CONVERSATIONS = [...COMMANDS, ...CHANNELS];

describe("sshInterpreter", () => {
  for (const { promise, steps, events } of CONVERSATIONS)
    test(promise, () => {
      const told = interpret(steps);
      expect(told.map(({ type }) => type)).toHaveLength(events.length);
      for (const [index, event] of events.entries())
        for (const [key, value] of Object.entries(event))
          if (value === undefined) expect(told[index]).not.toHaveProperty(key);
          else expect(told[index]).toHaveProperty(key, value);
    });
});

describe("sshInterpreter, whatever the pieces", () => {
  test("the same bytes yield the same events when they come one by one", () => {
    for (const { steps } of CONVERSATIONS) {
      const single = steps.flatMap((step, micros) =>
        Array.from(step.bytes, (_, i) => ({ ...step, micros, bytes: step.bytes.subarray(i, i + 1) })),
      );
      expect(interpret(single)).toEqual(interpret(steps));
    }
  });

  test("the same bytes yield the same events when they are cut anywhere", () => {
    const cuts = fc.array(fc.nat(100_000), { maxLength: 8 });
    fc.assert(
      fc.property(fc.constantFrom(...CONVERSATIONS), cuts, ({ steps }, where) => {
        expect(interpret(recut(steps, where))).toEqual(interpret(steps));
      }),
      { numRuns: 500 },
    );
  });
});
