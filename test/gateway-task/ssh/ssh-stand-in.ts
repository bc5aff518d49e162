import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";

/*
 * Stands in for ssh where scp, sftp, rsync and git call it (`scp -S`, `sftp -S`, `rsync -e`, `GIT_SSH`): runs the remote
 * command on this machine, and writes what crosses to the file that CAPTURE names, a line of JSON a piece.
 */

const args = process.argv.slice(2);
const capture = process.env["CAPTURE"] ?? "/dev/null";
const isSubsystem = args.includes("-s");
const end = args.indexOf("--");
const words = end >= 0 ? args.slice(end + 2) : args.slice(args.findIndex((word) => !word.startsWith("-")) + 1);
const command = words.join(" ");
const run = isSubsystem ? "/usr/lib/openssh/sftp-server" : command;

const record = (line: object): void => appendFileSync(capture, `${JSON.stringify(line)}\n`);
record({ via: isSubsystem ? "subsystem" : "exec", text: command });
const child = spawn("/bin/sh", ["-c", run], { stdio: ["pipe", "pipe", "inherit"] });
process.stdin.on("data", (bytes: Buffer) => {
  record({ by: "client", data: bytes.toString("base64") });
  child.stdin.write(bytes);
});
process.stdin.on("end", () => child.stdin.end());
child.stdin.on("error", () => {});
child.stdout.on("data", (bytes: Buffer) => {
  record({ by: "target", data: bytes.toString("base64") });
  process.stdout.write(bytes);
});
child.on("close", (code) => {
  record({ status: code ?? 255 });
  process.exit(code ?? 255);
});
