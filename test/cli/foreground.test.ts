import { expect, test } from "vitest";
import { findProgram, runInForeground } from "../../cli/foreground.ts";

test("a program is looked for in every folder of PATH, and a folder of its name is none", () => {
  expect(findProgram("sh", { PATH: "/nowhere::/bin:/usr/bin" })).toBe("/bin/sh");
  expect(findProgram("bin", { PATH: "/usr" })).toBeUndefined();
  expect(findProgram("sh", {})).toBeUndefined();
});

test.each([
  ["exit 7", 7],
  ["kill -TERM $$", 128 + 15],
])("what a program ends with is told as a shell tells it: %s", async (script, status) => {
  expect(await runInForeground("/bin/sh", ["-c", script], process.env)).toBe(status);
});
