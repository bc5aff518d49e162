import { describe, expect, test } from "vitest";
import { fileProgram } from "../../../gateway-task/ssh/file-program.ts";

const exec = (text: string) => fileProgram("exec", text);

describe("a program that moves files", () => {
  test.each([
    ["scp -t /tmp/x", { name: "scp", direction: "to-target", path: "/tmp/x" }],
    ["scp -v -r -p -d -t -- '/tmp/a b'", { name: "scp", direction: "to-target", path: "/tmp/a b" }],
    ["/usr/bin/scp -rf ~/logs/*", { name: "scp", direction: "from-target", path: "~/logs/*" }],
    [
      "rsync --server --sender -logDtpre.iLsfxCIvu . /data/",
      { name: "rsync", direction: "from-target", path: "/data/" },
    ],
    ["rsync --server -vlogDtpre.iLsfxCIvu --delete . /data", { name: "rsync", direction: "to-target", path: "/data" }],
    ["git-upload-pack '/srv/it'\\''s.git'", { name: "git", direction: "from-target", path: "/srv/it's.git" }],
    ["git receive-pack repo", { name: "git", direction: "to-target", path: "repo" }],
    ["/usr/lib/openssh/sftp-server", { name: "sftp" }],
  ])("is recognised in %s", (text, program) => {
    expect(exec(text)).toEqual(program);
  });

  test.each([
    "scp /tmp/x host:",
    "scp -t -f /x",
    "rsync -a /a /b",
    "git status",
    "scp -t /tmp; rm -rf /",
    "scp -t $(pwd)",
    "scp -t `pwd`",
    'scp -t "$x"',
    "scp -t x | tee y",
    "scp -t x\nrm y",
    "",
    "'",
    "git constructor",
  ])("is not guessed in %j", (text) => {
    expect(exec(text)).toBeUndefined();
  });

  test("the subsystem sftp is one, others and shells are none", () => {
    expect(fileProgram("subsystem", "sftp")).toEqual({ name: "sftp" });
    expect(fileProgram("subsystem", "netconf")).toBeUndefined();
    expect(fileProgram("shell", "")).toBeUndefined();
  });
});
