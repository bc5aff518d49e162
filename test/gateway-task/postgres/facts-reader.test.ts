import { expect, test } from "vitest";
import { newFactsReader, type TextFacts, UNREADABLE } from "../../../gateway-task/postgres/facts-reader.ts";

/** How often texts were parsed, each of which does so many things. */
function reader(statements: number): { read(this: void, text: string): void; parsed(this: void): number } {
  let parsed = 0;
  const facts: TextFacts = Array.from({ length: statements }, () => UNREADABLE[0] as TextFacts[number]);
  const remembering = newFactsReader(() => {
    parsed++;
    return facts;
  });
  return { read: (text) => void remembering.read(Buffer.from(text)), parsed: () => parsed };
}

test("a text is parsed once, as long as it is remembered", () => {
  const { read, parsed } = reader(1);
  for (let n = 0; n < 1_000; n++) read(`select ${n % 100}`);
  expect(parsed()).toBe(100);
});

test("what is remembered weighs as much as what texts do, not only as what they say", () => {
  const { read, parsed } = reader(2_000);
  for (let round = 0; round < 2; round++) for (let n = 0; n < 40; n++) read(`select ${n}`);
  expect(parsed()).toBe(80);
});

test.each([
  ["is long", `select '${"x".repeat(5_000)}'`],
  ["opens comment within comment", `select 1 ${"/*".repeat(2_000)}${"*/".repeat(40)}`],
])("a text that %s is read by a thread of its own", async (_what, text) => {
  const reading = newFactsReader(() => expect.unreachable());
  const facts = await reading.read(Buffer.from(text));
  expect(facts).toHaveLength(1);
  reading.close();
});
