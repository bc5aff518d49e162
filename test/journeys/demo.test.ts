import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { run } from "../setup/programs.ts";

/** It takes some ten seconds; a minute is what it promises. */
const TIMEOUT_MS = 90_000;
/** The usual ones may be a developer's own demo. */
const FREE_PORTS = ["--port", "0", "--http-port", "0", "--oidc-port", "0", "--ssh-port", "0"];
const CHECKOUT = fileURLToPath(new URL("../../", import.meta.url));

test(
  "npm run demo -- --once shows the main job at work, checks every step, and cleans up",
  async () => {
    const parent = await mkdtemp(join(tmpdir(), "sallyport-test-demo-"));
    const folder = join(parent, "demo");
    try {
      const ran = await run("npm", ["run", "--silent", "demo", "--", "--once", "--state", folder, ...FREE_PORTS], {
        cwd: CHECKOUT,
      });
      const text = ran.stdout.toString();
      expect(text).not.toContain("FAIL");
      expect([ran.status, ran.stderr]).toEqual([0, ""]);
      for (const line of [
        /^ {2}PostgreSQL 18/m,
        /^ {2}web server {11}127\.0\.0\.1:\d+, by SSH; its commands run on this machine, in \S+$/m,
        /^Replay of http:\/\/127\.0\.0\.1:\d+\/sessions\/[0-9a-f-]{36}$/m,
        /^ {2}\| Who {9}alice@shop\.example/m,
        /^ {2}\| #1 {2}\d\d:\d\d:\d\d\.\d{3} {2}[\d.]+ (µs|ms|s)$/m,
        /^ {2}\| {3}= SELECT 5, 5 rows$/m,
        /^ {2}\| {3}= INSERT 0 1, 1 row$/m,
        /^ {2}\| {3}= COPY 100, 100 rows, \d+ bytes copied out$/m,
        /^ {2}\| {3}! 42501: permission denied for table employees$/m,
        /^ {2}\| {5}\$1 \w+ = '20'$/m,
        /^ {2}\| {3}! refused, 42501: sallyport: dropping a table, a schema or a database is not done through here$/m,
        /^ {2}\| .*statement held for consent by books /m,
        /^ {2}\| http:\/\/127\.0\.0\.1:\d+\/approvals\/by-mail\?token=/m,
        /^ {2}\| {3}= DELETE 1, 1 row$/m,
        /^ {2}\| {5}Viktor Almeida \| [0-9a-f]{16}@masked\.invalid \| \*\*\*\*0112/m,
        /^ {2}\| #1 .* exec {2}channel 1\n {2}\| {5}grep -c ' 500\$' access\.log$/m,
        /^ {2}\| .*command blocked by ssh-whole-system {2}this changes or removes a whole system or home folder$/m,
        /^ {2}\| .*! #2 refused by policy/m,
        /^ {2}\| .*command held for consent by ssh-removes-what-is-not-told /m,
        /^ {2}\| .* granted {2}bob@shop\.example .*: They expired last week, go ahead\.$/m,
        /^ {2}\| .*= #3 exit 0 after /m,
        /^ {2}\| #4 .* shell {2}channel 4 {2}terminal xterm-256color 80x24$/m,
        /^Its terminal, as it was seen \(asciinema play \S+\.4\.cast\):\n\n {2}\| deploy@web-1:~\$ ls sessions\n {2}\| 8f3a$/m,
        /^ {2}ok {4}`rm -rf ~` is blocked: she is told why, with status 126$/m,
        /^ {2}ok {4}until bob has consented nothing is removed$/m,
        /^ {2}ok {4}its terminal is replayed as asciicast v3, as she saw it$/m,
        /^ {2}ok {4}the recording verifies/m,
        /^All \d+ steps did what they should, in [\d.]+ s\.$/m,
      ])
        expect(text).toMatch(line);
      expect(text).not.toMatch(/sp_[0-9A-Za-z]{47}/);
      expect((await readdir(folder)).filter((name) => ["postgres", "web-1"].includes(name))).toEqual([]);
    } finally {
      await rm(parent, { recursive: true, force: true });
    }
  },
  TIMEOUT_MS,
);
