import { describe, expect, it } from "vitest";
import { wrapLine } from "../../../../gateway-task/ssh/guarded/wrapper.ts";
import { ssh } from "../../../setup/ssh-bytes.ts";
import { client, interpret, ofType, target } from "../interpreter-kit.ts";

const OURS = 0x4000_0000;
const found = { status: 0, umask: "022", directory: Buffer.from("/etc"), variables: [] };

/** What is told of a command in a channel that has this number on the client's side. */
function told(number: number, command: string | Buffer) {
  const steps = [
    client(ssh.open("session", number)),
    target(ssh.confirm(number, 1)),
    client(ssh.exec(1, command)),
    target(ssh.success(number), ssh.data(number, "shown"), ssh.exit(number, 3), ssh.close(number)),
    client(ssh.close(1)),
  ];
  return ofType(interpret(steps), "command-ended")[0];
}

describe("a line of a guarded shell, as it is recorded", () => {
  it("is told as it was entered, with its exit status and what it has shown", () => {
    for (const line of ["ls -l", "echo 'a\\b'!\nls", "x".repeat(64 << 10)]) {
      const command = wrapLine(Buffer.from(line), found, ["00", "11"])?.command ?? "";
      const text = line.slice(0, 1 << 10); // of a long text, its end repeats the beginning
      expect(told(OURS, command)).toMatchObject({ text, guarded: true, status: 3, stdout: 5, outcome: "exited" });
    }
  });

  it("is not what a client makes look like one, in a channel of its own or by more than a line", () => {
    const command = wrapLine(Buffer.from("ls"), found, ["00", "11"])?.command.toString() ?? "";
    for (const [number, text] of [
      [0, command],
      [OURS - 1, command],
      [OURS, `${command}; rm x`],
      [OURS, command.replace("'ls'", "'ls' x A 'b' ; rm")],
    ] as const) {
      const event = told(number, text);
      expect(event).not.toHaveProperty("guarded");
      expect(event?.text).toBe(text.slice(0, 1 << 10));
    }
  });
});
