import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { commandFacts } from "../../../core/policy/command-facts.ts";
import { loadShellParser } from "../../../core/policy/shell-parser.ts";

const folder = new URL("commands/", import.meta.url);
/** Those that touch nothing outside the folder that they are run in, and stop by themselves. */
const HARMLESS = readdirSync(folder)
  .flatMap((file) => parse(readFileSync(new URL(file, folder), "utf8")) as readonly { readonly command: string }[])
  .map(({ command }) => command)
  .filter((command) => !/[/\0~]|&(?!&)|\(\) *\{|HOME|until|select|kill|exec|ulimit/.test(command));
const PROGRAMS = ["rm", "ls", "cat", "tee", "cp", "mv", "grep", "head", "sort", "wc", "diff", "deploy"];

let home: string;
beforeAll(async () => {
  await loadShellParser();
  home = mkdtempSync(join(tmpdir(), "sallyport-test-bash-"));
  mkdirSync(join(home, "bin"));
  // The only programs that there are: they say that they ran.
  for (const name of PROGRAMS)
    writeFileSync(join(home, "bin", name), '#!/bin/bash\nprintf "%s\\n" "${0##*/}" >> "$RAN"\n', { mode: 0o755 });
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

function ranBy(command: string): string[] {
  const work = mkdtempSync(join(home, "work-"));
  const ran = join(home, `${work.slice(-6)}.ran`);
  writeFileSync(ran, "");
  spawnSync("/bin/bash", ["--norc", "--noprofile", "-c", command], {
    cwd: work,
    env: { PATH: join(home, "bin"), RAN: ran },
    stdio: "ignore",
    timeout: 5_000,
  });
  return [...new Set(readFileSync(ran, "utf8").split("\n").filter(Boolean))];
}

test("whatever bash itself runs of a command is among the programs that the facts tell, or they say that they do not know", () => {
  const seen = HARMLESS.map((command) => ({ command, ran: ranBy(command), facts: commandFacts(command) }));
  const unseen = seen.filter(
    ({ ran, facts }) => !facts.dynamic && !facts.interpreter && !ran.every((name) => facts.programs.includes(name)),
  );
  expect(unseen).toEqual([]);
  expect(seen.filter(({ ran, facts }) => facts.parsed && ran.length > 0).length).toBeGreaterThan(60);
});
