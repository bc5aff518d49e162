import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { asciicast } from "../../../core/recording/asciicast.ts";
import { FRAME_KIND, type Frame } from "../../../core/recording/frame.ts";
import { plainText } from "../../../core/recording/terminal-text.ts";
import { collect } from "../../setup/collect.ts";
import { string } from "../../setup/ssh-bytes.ts";
import { interpret, ofType, recut, type Step } from "./interpreter-kit.ts";

/** What an OpenSSH client and server (9.2) said to each other, message by message, as it was captured between them. */
function captured(name: string): (Step & { readonly micros: number })[] {
  const text = readFileSync(new URL(`captures/${name}.jsonl`, import.meta.url), "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { by: Step["by"]; micros: number; data: string })
    .map(({ by, micros, data }) => ({ by, micros, flags: 0, bytes: string(Buffer.from(data, "base64")) }));
}

const told = (name: string) => {
  const events = interpret(captured(name));
  expect(ofType(events, "not-followed")).toEqual([]);
  return events;
};

describe("sessions of OpenSSH, told by the interpreter", () => {
  test("a shell on a terminal, with a resize and an editor", async () => {
    const events = told("terminal");
    expect(ofType(events, "command-started")).toMatchObject([
      { via: "exec", terminal: { term: "tmux-256color", columns: 90, rows: 25 } },
    ]);
    expect(ofType(events, "window-changed")).toMatchObject([{ columns: 120, rows: 40 }]);
    expect(ofType(events, "command-ended")).toMatchObject([{ outcome: "exited", status: 5, stdout: 5_157, stderr: 0 }]);

    async function* frames(): AsyncGenerator<Frame> {
      for (const { by, bytes, micros, flags } of captured("terminal"))
        yield {
          kind: by === "client" ? FRAME_KIND.input : FRAME_KIND.output,
          flags,
          channel: 0,
          micros,
          payload: bytes,
        };
    }
    const cast = await collect(asciicast(frames(), 1, { startedAt: 0, title: "" }));
    const [header, ...rest] = cast.map((line) => JSON.parse(line) as unknown);
    expect(header).toMatchObject({ version: 3, term: { cols: 90, rows: 25, type: "tmux-256color" } });
    expect(rest.at(-1)).toMatchObject([expect.any(Number), "x", "5"]);
    const shown = rest.map((one) => (Array.isArray(one) && one[1] === "o" ? String(one[2]) : "")).join("");
    expect(plainText(shown, 20)).toEqual({
      lines: ["> echo Grüße", "Grüße", "> vim -u NONE /tmp/notes", "… a program had the whole screen", "> exit 5"],
      more: false,
    });
  });

  test("forwards either way, one that fails, and the agent", () => {
    const events = told("forwards");
    expect(ofType(events, "forward-listening")).toMatchObject([{ host: "localhost", port: 22_933, outcome: "done" }]);
    expect(ofType(events, "channel-opened")).toMatchObject([
      { channel: 1, kind: "session", by: "client" },
      { channel: 2, kind: "auth-agent", by: "target" },
      { channel: 3, kind: "direct-tcpip", by: "client", to: { host: "127.0.0.1", port: 22_930 } },
      { channel: 4, kind: "direct-tcpip", failed: { code: 2, message: "Connection refused" } },
      { channel: 5, kind: "forwarded-tcpip", by: "target", to: { host: "localhost", port: 22_933 } },
    ]);
    expect(ofType(events, "channel-closed")).toMatchObject([
      { channel: 2, fromClient: 75, toClient: 5 },
      { channel: 3, by: "client", fromClient: 86, toClient: 520 },
      { channel: 5, by: "target", fromClient: 520, toClient: 86 },
      { channel: 1, kind: "session" },
    ]);
  });

  test("commands at once over one connection, each with its own end", () => {
    const ended = ofType(told("multiplexed"), "command-ended");
    for (const n of [1, 2, 3])
      expect(ended).toContainEqual(
        expect.objectContaining({ text: `echo ${n}; exit ${n}`, outcome: "exited", status: n, stdout: 2 }),
      );
    expect(ended.at(-1)).toMatchObject({
      outcome: "signalled",
      signal: "KILL",
      coreDumped: false,
      stdin: 6,
      stderr: 4,
    });
  });

  test("each of them is told the same, whatever pieces its bytes came in", () => {
    for (const name of ["terminal", "forwards", "multiplexed"]) {
      const whole = captured(name);
      const pieces = whole.flatMap((step) =>
        recut([step], [1, 3, 4, 5, 9, 13, 30]).map((piece) => ({ ...piece, micros: step.micros })),
      );
      expect(interpret(pieces)).toEqual(interpret(whole));
    }
  });
});
