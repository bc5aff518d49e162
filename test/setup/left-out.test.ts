import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

test("a run without moto says in its last lines which suites it left out, and how to get them", () => {
  const vitest = new URL("../../node_modules/vitest/vitest.mjs", import.meta.url).pathname;
  const cwd = new URL("../..", import.meta.url).pathname;
  const env = { PATH: "/nowhere", AWS_EC2_METADATA_DISABLED: "true" };
  const run = spawnSync(process.execPath, [vitest, "run", "test/aws/moto.test.ts"], { cwd, env, encoding: "utf8" });
  expect(run.status).toBe(0);
  const told = run.stdout.slice(run.stdout.indexOf("NOT run on this machine:")).trimEnd().split("\n");
  expect(told[1]).toMatch(
    /^ {2}\d{2} tests of the contracts of S3, KMS and .*need moto_server: pip install 'moto\[server\]/,
  );
  expect(told.slice(2).map((line) => line.trim())).toEqual([
    "a chunk store (S3 with Object Lock)",
    "a store of configurations (S3)",
    "a signer (KMS)",
    "secrets (Secrets Manager)",
  ]);
});
