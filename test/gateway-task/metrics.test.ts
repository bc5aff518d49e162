import { describe, expect, it } from "vitest";
import { countEvent, newCounters } from "../../gateway-task/counters.ts";
import { metricLines, startMetrics } from "../../gateway-task/metrics.ts";

const NOW = 1_790_000_000_000;
const gateway = { liveSessions: 7, heldStatements: 2, standing: { lagMs: 12.4, spoolAgeMs: 61_000 } };

/** Where a document says which of its members are metrics. */
const META = "_aws";

interface Document {
  readonly [META]: {
    readonly Timestamp: number;
    readonly CloudWatchMetrics: readonly {
      readonly Namespace: string;
      readonly Dimensions: readonly (readonly string[])[];
      readonly Metrics: readonly { readonly Name: string; readonly Unit: string }[];
    }[];
  };
  readonly [member: string]: unknown;
}

function lines(counters = newCounters()): Document[] {
  const told = metricLines({ gateway, counters, task: "task-1", clock: () => NOW });
  return told.map((text) => JSON.parse(text) as Document);
}

describe("the figures of a task", () => {
  it("name every metric of the dashboard, in the namespace Sallyport, with its value beside", () => {
    const [figures] = lines();
    expect(figures).toMatchObject({
      LiveSessions: 7,
      HeldStatements: 2,
      MaskedValues: 0,
      RecorderLagMs: 12,
      SpoolAgeSeconds: 61,
      UploadFailures: 0,
      Errors: 0,
    });
    expect(figures?.[META].CloudWatchMetrics.map(({ Namespace }) => Namespace)).toEqual(["Sallyport"]);
  });

  it("are in the embedded metric format: each metric and each dimension is a member of its document", () => {
    for (const document of lines())
      for (const { Dimensions, Metrics } of document[META].CloudWatchMetrics) {
        expect(document[META].Timestamp).toBe(NOW);
        for (const { Name } of Metrics) expect(document[Name]).toEqual(expect.any(Number));
        for (const name of Dimensions.flat()) expect(document[name]).toEqual(expect.any(String));
      }
  });

  it("count what judging came to, by verdict, and what was masked", () => {
    const counters = newCounters();
    const base = { policies: [], policyVersion: "1", reason: "" };
    countEvent(counters, { type: "verdict", about: "statement", kind: "block", ...base });
    countEvent(counters, { type: "verdict", about: "command", kind: "hold", ...base });
    countEvent(counters, { type: "approval", approval: "a", outcome: "granted", by: [], digest: "" });
    countEvent(counters, { type: "masked", values: { email: 3, card: 4 } });
    const [figures, ...verdicts] = lines(counters);
    expect(figures?.["MaskedValues"]).toBe(7);
    const counted = verdicts.map(({ Verdict, Verdicts }) => [Verdict, Verdicts]);
    expect(Object.fromEntries(counted)).toMatchObject({ block: 1, hold: 1, granted: 1, denied: 0 });
  });

  it("are told once: what was counted is not counted again", () => {
    const counters = newCounters();
    counters.errors = 3;
    counters.verdicts.block = 2;
    expect(lines(counters)[0]?.["Errors"]).toBe(3);
    const [figures, ...verdicts] = lines(counters);
    expect(figures?.["Errors"]).toBe(0);
    expect(verdicts.map(({ Verdicts }) => Verdicts)).toEqual(verdicts.map(() => 0));
  });

  it("are told a last time at the end", () => {
    const written: string[] = [];
    const write = (line: string): void => void written.push(line);
    const metrics = startMetrics({ gateway, counters: newCounters(), task: "task-1", clock: () => NOW, write });
    expect(written).toEqual([]);
    metrics.close();
    expect(written.length).toBeGreaterThan(0);
  });
});
