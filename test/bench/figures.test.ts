import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { derive } from "../../bench/derive.ts";
import type { Sample } from "../../bench/measures.ts";
import { createScanner } from "../../bench/scanner.ts";
import { percentile, short, summarise } from "../../bench/statistics.ts";
import { judge, PLAIN_TARGETS } from "../../bench/targets.ts";

describe("the drivers' scanner", () => {
  const message = fc
    .record({
      tag: fc.constantFrom("T", "D", "C", "1", "d", "N", "R", "E", "Z"),
      body: fc.uint8Array({ maxLength: 40 }),
    })
    .map(({ tag, body }) => ({ tag, body: Buffer.from(body) }));
  const encode = ({ tag, body }: { tag: string; body: Buffer }) => {
    const head = Buffer.alloc(5);
    head.write(tag, 0, "latin1");
    head.writeUInt32BE(body.length + 4, 1);
    return Buffer.concat([head, body]);
  };

  test("finds the same messages however the stream is cut", () => {
    fc.assert(
      fc.property(fc.array(message), fc.array(fc.nat(300)), (messages, cuts) => {
        const stream = Buffer.concat(messages.map(encode));
        const seen: [string, string][] = [];
        const scan = createScanner((tag, body) => seen.push([tag, body.toString("hex")]));
        const edges = [0, ...cuts.filter((cut) => cut < stream.length).toSorted((a, b) => a - b), stream.length];
        edges.slice(1).forEach((edge, index) => scan(stream.subarray(edges[index], edge)));
        const expected = messages.filter(({ tag }) => "REZ".includes(tag));
        expect(seen).toEqual(expected.map(({ tag, body }) => [tag, body.toString("hex")]));
      }),
    );
  });
});

describe("statistics", () => {
  test("percentiles interpolate between the closest ranks", () => {
    expect(percentile([10, 20, 30, 40], 50)).toBe(25);
    expect(percentile([10, 20, 30, 40], 100)).toBe(40);
    expect(percentile([7], 99)).toBe(7);
    expect(percentile([], 50)).toBeNaN();
  });

  test("a summary does not depend on the order", () => {
    expect(summarise([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
  });

  test.each([
    [0.6123, "0.612"],
    [71.26, "71.3"],
    [1240.4, "1240"],
    [0, "0"],
    [Number.NaN, "-"],
  ])("%d is written as %s", (value, text) => expect(short(value)).toBe(text));
});

describe("a ratio", () => {
  const sample = (competitor: Sample["competitor"], round: number, tps: number): Sample => ({
    what: "w",
    competitor,
    round,
    figures: { tps },
  });
  const question = { what: "w", figure: "tps", of: "sallyport", against: "direct" } as const;

  test("is taken round by round, not between medians", () => {
    const samples = [
      sample("direct", 0, 100),
      sample("sallyport", 0, 50),
      sample("direct", 1, 10),
      sample("sallyport", 1, 9),
    ];
    expect(derive(samples, { ...question, as: "ratio" })).toEqual({ median: 0.7, min: 0.5, max: 0.9 });
    expect(derive(samples, { ...question, as: "added" })).toEqual({ median: -25.5, min: -50, max: -1 });
  });

  test("leaves out a round that one of the two did not finish, and is absent when there is none", () => {
    const samples = [sample("direct", 0, 100), sample("sallyport", 0, 50), sample("sallyport", 1, 9)];
    expect(derive(samples, { ...question, as: "ratio" })).toEqual({ median: 0.5, min: 0.5, max: 0.5 });
    expect(derive(samples.slice(1), { ...question, as: "ratio" })).toBeUndefined();
  });
});

test("a target is missed, met, or met as aimed for, on either side", () => {
  const [p50] = PLAIN_TARGETS.filter(({ label }) => label.startsWith("added p50"));
  const [tps] = PLAIN_TARGETS.filter(({ label }) => label.startsWith("tps at 8 clients ÷ pgbouncer"));
  if (!p50 || !tps) throw new Error("targets were renamed");
  expect([86, 85, 70].map((value) => judge(p50, value))).toEqual(["missed", "met", "aim"]);
  expect([0.64, 0.65, 0.9].map((value) => judge(tps, value))).toEqual(["missed", "met", "aim"]);
});
