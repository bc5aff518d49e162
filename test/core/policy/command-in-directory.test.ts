import { beforeAll, describe, expect, it } from "vitest";
import { commandFacts } from "../../../core/policy/command-facts.ts";
import { loadShellParser } from "../../../core/policy/shell-parser.ts";

beforeAll(() => loadShellParser());

describe("the facts of a line that runs in a directory", () => {
  it("tell of relative paths that they may be below it", () => {
    const { read, written } = commandFacts("cat secret >copy; cat ../b /etc/passwd", "/srv/closed");
    expect(read).toEqual(expect.arrayContaining(["/srv/closed/secret", "/srv/b", "/etc/passwd"]));
    expect(written).toContain("/srv/closed/copy");
  });

  it("follow where it goes from there", () => {
    expect(commandFacts("cd sub && cat secret", "/srv/closed").read).toContain("/srv/closed/sub/secret");
  });

  it("take nothing of a directory's name for a command", () => {
    const { programs, parsed } = commandFacts("ls", "/srv/$(touch x); touch y");
    expect([programs, parsed]).toEqual([["ls"], true]);
  });

  it("are not known where the directory's name is no text", () => {
    expect(commandFacts("ls", "/srv/\uFFFD").parsed).toBe(false);
  });
});
