import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import type { Statement } from "./policy-statements.ts";
import { only, type Resource, type Synthesised, synthesise } from "./synthesised.ts";

let made: Synthesised;

beforeAll(() => {
  made = synthesise();
}, 120_000);

const one = (type: string, part = ""): Resource => only(made, type, part);

/** What can be pointed to in the runbook. */
const HEADINGS = readFileSync("docs/runbook.md", "utf8")
  .split("\n")
  .flatMap((line) => /^#+ (.+)$/.exec(line)?.[1]?.toLowerCase() ?? []);

describe("whoever is on call", () => {
  it("is told by an encrypted topic of all that matters, and where to read what to do", () => {
    const alarms = made.of("AWS::CloudWatch::Alarm").filter(({ stack }) => stack === "observability");
    const names = alarms.map(({ id }) => id.replace(/^Watch|[0-9A-F]{8}$/g, ""));
    expect(names.toSorted()).toEqual([
      "AbandonedSpools",
      "DeniedSpike",
      "FunctionErrors",
      "LostEvents",
      "RecorderLag",
      "ServerErrors",
      "SpoolAge",
      "TaskErrors",
      "TasksAtCpuLimit",
      "UnhealthyTasks",
      "UploadFailures",
    ]);
    for (const { id, properties } of alarms) {
      expect(properties.AlarmActions, id).toHaveLength(1);
      const [, anchor] = /docs\/runbook\.md#([a-z]+)\.$/.exec(properties.AlarmDescription) ?? [];
      expect(HEADINGS, id).toContain(anchor);
    }
    expect(one("AWS::SNS::Topic").properties.KmsMasterKeyId).toBeDefined();
    const statements = one("AWS::SNS::TopicPolicy").properties.PolicyDocument.Statement as Statement[];
    expect(statements).toContainEqual(
      expect.objectContaining({
        Effect: "Allow",
        Action: "sns:Publish",
        Principal: { Service: "cloudwatch.amazonaws.com" },
      }),
    );
  });

  it("is told when no task writes figures any more", () => {
    expect(one("AWS::CloudWatch::Alarm", "RecorderLag").properties.TreatMissingData).toBe("breaching");
  });
});
