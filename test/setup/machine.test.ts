import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const script = new URL("machine.js", import.meta.url).pathname;

/** Runs the set-up on a machine that has only these programs, as they would behave: none of them is apt-get. */
function setUp(programs: Record<string, "works" | "fails">) {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-test-machine-"));
  try {
    for (const [name, how] of Object.entries(programs)) {
      writeFileSync(join(folder, name), `#!/bin/sh\nexit ${how === "works" ? 0 : 1}\n`, { mode: 0o755 });
    }
    return spawnSync(process.execPath, [script], { env: { PATH: folder }, encoding: "utf8" });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const complete = { psql: "works", pg_dump: "works", pg_restore: "works", pgbench: "works", openssl: "works" } as const;

test("the set-up says nothing where nothing is missing", () => {
  expect(setUp(complete)).toMatchObject({ status: 0, stdout: "", stderr: "" });
});

test.each(Object.keys(complete))("without a %s that runs, the set-up stops and prints the one command", (program) => {
  const { status, stderr } = setUp({ ...complete, [program]: "fails" });
  expect(status).toBe(1);
  expect(stderr).toContain(`need ${program}, not found here`);
  expect(stderr.trim().split("\n")).toHaveLength(2);
  expect(stderr).toMatch(/apt-get install -y --no-install-recommends [a-z-]+'|brew install/);
});
