import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const script = new URL("machine.js", import.meta.url).pathname;

/** Runs the set-up on a machine that has only these programs, as they would behave, and this driver: none of them is apt-get. */
function setUp(programs: Record<string, "works" | "fails">, jar = script) {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-test-machine-"));
  try {
    for (const [name, how] of Object.entries(programs)) {
      writeFileSync(join(folder, name), `#!/bin/sh\nexit ${how === "works" ? 0 : 1}\n`, { mode: 0o755 });
    }
    return spawnSync(process.execPath, [script], { env: { PATH: folder, POSTGRESQL_JDBC_JAR: jar }, encoding: "utf8" });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const ssh = ["tmux", "vim", "htop", "ansible-playbook"];
const programs = ["psql", "pg_dump", "pg_restore", "pgbench", "openssl", "javac", "rsync", "git", ...ssh];
const complete = Object.fromEntries(programs.map((program) => [program, "works" as const]));

test("the set-up says nothing where nothing is missing", () => {
  expect(setUp(complete)).toMatchObject({ status: 0, stdout: "", stderr: "" });
});

test.each(programs)("without a %s that runs, the set-up stops and prints the one command", (program) => {
  const { status, stderr } = setUp({ ...complete, [program]: "fails" });
  expect(status).toBe(1);
  expect(stderr).toContain(`need ${program}, not found here`);
  expect(stderr.trim().split("\n")).toHaveLength(2);
  expect(stderr).toMatch(/apt-get install -y --no-install-recommends [a-z-]+'|brew install/);
});

test("without the JDBC driver, the set-up stops, names its package, and says how to name a file", () => {
  const { status, stderr } = setUp(complete, "/nowhere/postgresql.jar");
  expect(status).toBe(1);
  expect(stderr).toContain("need /nowhere/postgresql.jar (or where POSTGRESQL_JDBC_JAR says), not found here");
  expect(stderr).toMatch(/libpostgresql-jdbc-java'|brew install/);
});
