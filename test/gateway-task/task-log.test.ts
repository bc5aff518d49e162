import { closeSync, openSync } from "node:fs";
import { expect, test } from "vitest";
import { newCounters } from "../../gateway-task/counters.ts";
import { taskLog, taskOutput } from "../../gateway-task/task-log.ts";

test("a log that cannot be written ends nothing", () => {
  const full = openSync("/dev/full", "w");
  const output = taskOutput(full);
  const counters = newCounters();
  taskLog("info", counters, output).error("somebody should see this");
  output.write("a line of figures\n");
  expect(counters.errors).toBe(1);
  closeSync(full);
});
